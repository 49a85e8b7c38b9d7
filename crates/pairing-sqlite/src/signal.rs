//! Wakes whoever waits for changes: at once for this process's own, by notifications of the file system for
//! those of others.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// Interval at which a waiting follower asks the database itself, because notifications can get lost
/// (queues overflow, network file systems have none).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Least time between two looks at the database.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

/// Something may have changed.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    /// Number of times that something may have changed.
    count: u64,
    raised_at: Option<Instant>,
}

impl Signal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state to hand to [`wait`](Self::wait), to be taken before looking for changes.
    pub(crate) fn seen(&self) -> u64 {
        self.state().count
    }

    /// Wakes everybody who waits.
    pub(crate) fn raise(&self) {
        let mut state = self.state();
        state.count += 1;
        state.raised_at = Some(Instant::now());
        drop(state);
        self.woken.notify_all();
    }

    /// Waits until something may have changed since `seen`, at most for `left` and one second.
    ///
    /// The log is written, synced, and only then visible to others, so a notification comes too early.
    /// After one the waits are short, and each is twice as long as the one before.
    pub(crate) fn wait(&self, seen: u64, left: Duration) {
        let state = self.state();
        let since = state.raised_at.map_or(LOOK_EVERY, |at| at.elapsed());
        let pause = left.min(since.clamp(LEAST_PAUSE, LOOK_EVERY));
        let waited = self
            .woken
            .wait_timeout_while(state, pause, |state| state.count == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Watches the directory of a database, whose `-wal` file every commit writes to.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Option<RecommendedWatcher>>);

impl Watch {
    /// Starts watching, if that has not been done. Where it fails, followers look once a second.
    pub(crate) fn start(&self, file: &Path, signal: &Arc<Signal>) {
        let mut watcher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(dir) = file.parent().filter(|_| watcher.is_none()) else {
            return;
        };
        let stem = file.file_name().unwrap_or_default().to_owned();
        let weak = Arc::downgrade(signal);
        let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let concerns = event.is_ok_and(|event| {
                // The index of the log (`-shm`) is written by readers, too.
                let is_ours = event.paths.iter().any(|path| {
                    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
                    let rest = name.strip_prefix(stem.as_encoded_bytes());
                    rest.is_some_and(|rest| matches!(rest, b"" | b"-wal" | b"-journal"))
                });
                !event.kind.is_access() && (is_ours || event.paths.is_empty())
            });
            if let Some(signal) = weak.upgrade().filter(|_| concerns) {
                signal.raise();
            }
        });
        if let Ok(mut made) = made
            && made.watch(dir, RecursiveMode::NonRecursive).is_ok()
        {
            *watcher = Some(made);
        }
    }
}
