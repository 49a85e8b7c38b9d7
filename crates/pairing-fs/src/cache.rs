//! Parsed files, cached and shared until the file changes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use pairing_core::StoreError;

use crate::disk::{self, Disk, Identity, Publication};
use crate::docs::Document;
use crate::error::{FileError, unreadable};
use crate::json;

/// A file that is read again only after it has changed.
///
/// Readers take the cached state without waiting for one another. Once this process has published a change,
/// all its later reads see it: checking the file and publishing are mutually exclusive, so a read that
/// began earlier cannot restore the older state.
pub(crate) struct CachedFile<D: Document> {
    path: PathBuf,
    rules: Arc<D::Rules>,
    current: ArcSwapOption<State<D>>,
    /// Time of the last check of the file, in the milliseconds of [`millis`].
    looked_at: AtomicU64,
    turn: Mutex<()>,
}

/// One state of a file.
pub(crate) struct State<D> {
    /// `None` if there is no file, or if only reading it again can tell whether it has changed.
    identity: Option<Identity>,
    content: Result<D, FileError>,
    missing: bool,
}

impl<D: Document> CachedFile<D> {
    pub(crate) fn new(path: PathBuf, rules: Arc<D::Rules>) -> Self {
        Self {
            path,
            rules,
            current: ArcSwapOption::empty(),
            looked_at: AtomicU64::new(0),
            turn: Mutex::new(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the state of the file, at most as old as `now` allows.
    pub(crate) fn recent(&self, now: Now) -> Arc<State<D>> {
        match self.current.load_full() {
            Some(state) if now.trusts(self.looked_at.load(Ordering::Acquire)) => state,
            Some(state) => match self.turn.try_lock() {
                Ok(turn) => self.look_in_turn(&turn),
                // Another thread is checking the file, or is still replacing it.
                Err(_) => state,
            },
            None => self.look(),
        }
    }

    /// Whether [`recent`](Self::recent) would return a state without looking at the file.
    pub(crate) fn is_cached(&self, now: Now) -> bool {
        self.current.load().is_some() && now.trusts(self.looked_at.load(Ordering::Acquire))
    }

    /// Checks the file and returns its current state.
    pub(crate) fn look(&self) -> Arc<State<D>> {
        self.look_in_turn(&self.turn())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_in_turn(&self, turn: &MutexGuard<'_, ()>) -> Arc<State<D>> {
        // Taken before the check: a later change may be missed.
        let now = millis();
        match self.current.load_full() {
            Some(state) if state.is_still(&self.path) => {
                self.looked_at.store(now, Ordering::Release);
                state
            }
            _ => self.read_in_turn(turn),
        }
    }

    fn read_in_turn(&self, _: &MutexGuard<'_, ()>) -> Arc<State<D>> {
        let now = millis();
        let (identity, content, missing) = match disk::read(&self.path) {
            Ok(None) => (None, Ok(D::default()), true),
            Ok(Some((identity, bytes))) => {
                let before = self.current.load_full();
                let before = before
                    .as_ref()
                    .and_then(|state| state.content.as_ref().ok());
                (disk::settled(identity), self.parse(&bytes, before), false)
            }
            Err(error) => (None, Err(error), false),
        };
        let state = Arc::new(State {
            identity,
            content,
            missing,
        });
        self.current.store(Some(state.clone()));
        self.looked_at.store(now, Ordering::Release);
        state
    }

    fn parse(&self, bytes: &[u8], before: Option<&D>) -> Result<D, FileError> {
        let text = utf8(bytes)?;
        match before {
            Some(before) => D::parse_again(text, &self.rules, before),
            None => D::parse(text, &self.rules),
        }
    }
}

impl<D> State<D> {
    /// Returns the parsed document, or the error that kept the file from being read.
    pub(crate) fn document(&self, path: &Path) -> Result<&D, StoreError> {
        let content = self.content.as_ref();
        content.map_err(|error| unreadable(path, error.clone()))
    }

    /// Whether the file does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing
    }

    fn is_still(&self, path: &Path) -> bool {
        if self.missing {
            // A dangling link is an error, not a missing file.
            let found = path.symlink_metadata();
            return found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        }
        self.identity.is_some() && self.identity == disk::identify(path)
    }
}

/// A cached file of any document type, so that several can be replaced at once.
pub(crate) trait Replaceable {
    fn path(&self) -> &Path;
    fn wait_for_turn(&self) -> MutexGuard<'_, ()>;
    fn read_again(&self, turn: &MutexGuard<'_, ()>);
}

impl<D: Document> Replaceable for CachedFile<D> {
    fn path(&self) -> &Path {
        &self.path
    }

    fn wait_for_turn(&self) -> MutexGuard<'_, ()> {
        self.turn()
    }

    fn read_again(&self, turn: &MutexGuard<'_, ()>) {
        self.read_in_turn(turn);
    }
}

/// Replaces files in the given order. Readers in this process see the old state of each file until all are
/// on disk, and the new state once this returns.
///
/// The caller holds the lock on the files, so no other thread holds several of their turns at once.
pub(crate) fn replace(
    disk: &Disk,
    files: Vec<(&dyn Replaceable, String)>,
) -> Result<(), StoreError> {
    let (cached, publications): (Vec<_>, Vec<_>) = files
        .into_iter()
        .map(|(file, text)| {
            let path = file.path().to_owned();
            (file, Publication { path, text })
        })
        .unzip();
    for file in &publications {
        // A file that is larger would be refused at the next read, and everything in it lost to its readers.
        let found = u64::try_from(file.text.len()).unwrap_or(u64::MAX);
        if found > crate::MAX_FILE_BYTES {
            return Err(StoreError::Refused {
                reason: format!(
                    "{} would have {found} bytes, at most {} are read",
                    file.path.display(),
                    crate::MAX_FILE_BYTES
                ),
            });
        }
    }
    let turns: Vec<_> = cached.iter().map(|file| file.wait_for_turn()).collect();
    let published = disk.publish(&publications);
    for (file, turn) in cached.iter().zip(&turns) {
        file.read_again(turn);
    }
    published
}

/// Returns the bytes of a file as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, FileError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = json::position(&bytes[..error.valid_up_to()]);
        FileError::NotUtf8 { line, column }
    })
}

/// The time of an operation, read once for all its files, and the maximum age of their cached states.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    millis: u64,
    trust: u64,
}

impl Now {
    /// `trust` is how long a cached state counts as current without checking the file.
    pub(crate) fn new(trust: Duration) -> Self {
        Self {
            millis: millis(),
            trust: u64::try_from(trust.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn trusts(self, looked_at: u64) -> bool {
        self.millis < looked_at.saturating_add(self.trust)
    }
}

/// Milliseconds since the first call in this process.
fn millis() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}
