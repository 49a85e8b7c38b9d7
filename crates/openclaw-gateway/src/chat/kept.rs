//! A small file beside the records, read once and rewritten at each change.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use pairing_core::StoreError;
use pairing_fs::owned;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use pairing_core::Chain;

/// A value that is saved in a file. If there is no state directory, or the file cannot be read, the value is
/// in memory only, and the file is left unchanged.
pub(super) struct SavedFile<T> {
    path: Option<PathBuf>,
    value: Mutex<T>,
}

/// Largest file that is read, in bytes.
const MOST: u64 = 1 << 20;

/// The change could not be saved; it is lost when the process ends.
#[derive(Debug, thiserror::Error)]
#[error("it is forgotten when the gateway ends")]
pub(super) struct Forgotten;

impl<T> SavedFile<T>
where
    T: Serialize + DeserializeOwned + Default + Clone + PartialEq + Send + 'static,
{
    /// Reads the file. A missing file is empty.
    pub(super) fn open(path: Option<PathBuf>) -> Self {
        let mut kept = Self {
            path,
            value: Mutex::default(),
        };
        if let Some(path) = &kept.path {
            match read(path) {
                Ok(value) => kept.value = Mutex::new(value),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(
                        %path, error = %Chain(&error),
                        "file of the chats cannot be read: it is left as it is, and not written to"
                    );
                    kept.path = None;
                }
            }
        }
        kept
    }

    /// Returns a copy of the value.
    pub(super) async fn get(&self) -> T {
        self.value.lock().await.clone()
    }

    /// Changes the value, and saves it if it differs.
    pub(super) async fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> R,
    ) -> (R, Result<(), Forgotten>) {
        let mut value = self.value.lock().await;
        let before = value.clone();
        let outcome = change(&mut value);
        if *value == before {
            return (outcome, Ok(()));
        }
        let Some(path) = self.path.clone() else {
            return (outcome, Err(Forgotten));
        };
        let text = serde_json::to_string_pretty(&*value);
        let written = tokio::task::spawn_blocking(move || {
            let text = text.map_err(io::Error::other).map_err(Failed::Form)?;
            owned::replace_file(&path, &format!("{text}\n")).map_err(Failed::Store)
        });
        let failed = match written.await {
            Ok(Ok(())) => return (outcome, Ok(())),
            Ok(Err(failed)) => Chain(&failed).to_string(),
            Err(failed) => failed.to_string(),
        };
        tracing::error!(error = failed, "file of the chats cannot be written");
        (outcome, Err(Forgotten))
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("it cannot be written as JSON")]
    Form(#[source] io::Error),
    #[error(transparent)]
    Store(StoreError),
}

fn read<T: DeserializeOwned + Default>(path: &PathBuf) -> io::Result<T> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Ok(found) if found.len() > MOST => return Err(io::Error::other("it is too large")),
        found => found?,
    };
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

impl<T> fmt::Debug for SavedFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
