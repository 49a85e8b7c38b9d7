//! A text that an adapter saves in a file of the state directory.

use std::fs;
use std::io;
use std::path::PathBuf;

use channel_kit::{SaveError, SavedText};
use gateway_protocol::Advise as _;
use pairing_fs::owned;

/// A [`SavedText`] in a file. It is replaced atomically, durable, and readable by its owner only. Its
/// directory is created at the first save.
#[derive(Debug, Clone)]
pub struct StateFile(PathBuf);

impl StateFile {
    /// Uses the file at this path. Nothing is read or written yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl SavedText for StateFile {
    fn load(&self) -> Option<String> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Some(text),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(
                        path = %self.0.display(), %error,
                        "saved state of a bot cannot be read: it begins anew, and may repeat messages"
                    );
                }
                None
            }
        }
    }

    fn save(&self, text: &str) -> Result<(), SaveError> {
        let dir = self.0.parent().map_or(Ok(()), owned::create_dir);
        let saved = dir.and_then(|()| owned::replace_file(&self.0, text));
        saved.map_err(|error| {
            let advice = error.advice();
            SaveError::new(error).with_advice(advice)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_state_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telegram/update-offset-default.json");
        let file = StateFile::at(&path);
        assert_eq!(file.load(), None);
        let logs = test_support::Logs::default();
        // A directory is in its place.
        assert_eq!(logs.during(|| StateFile::at(dir.path()).load()), None);
        assert_eq!(logs.count("cannot be read"), 1);
        for text in ["1", "22", ""] {
            file.save(text).unwrap();
            assert_eq!(file.load().as_deref(), Some(text));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}
