//! Calls back whenever files change.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

/// So long must nothing happen before the files are looked at: editors write in several steps,
const QUIET: Duration = Duration::from_millis(100);
/// and where something happens all the time, they are looked at after this.
const MOST: Duration = Duration::from_secs(1);

/// Changes cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {}", path.display())]
#[non_exhaustive]
pub struct ReloadError {
    /// The directory.
    pub path: PathBuf,
    /// Why.
    pub source: notify::Error,
}

impl ReloadError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        "changes of the configuration go once the gateway is started again"
    }
}

/// Why the files are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stir {
    /// Something happened in one of their directories.
    Changed,
    /// Somebody asked.
    Asked,
}

/// Watches the directories of files until it is dropped. Costs a thread, which waits.
pub(crate) struct FileWatch {
    watcher: Watching,
    stirred: Option<Sender<Stir>>,
    thread: Option<JoinHandle<()>>,
}

/// The watcher, for adding directories; `None` at the end.
type Watching = Arc<Mutex<Option<RecommendedWatcher>>>;

impl FileWatch {
    /// Watches files: a file that is replaced is seen, and so is one behind a link.
    ///
    /// `look` is called at the beginning, in case something changed before it was watched, and then whenever something
    /// happens beside the files. It runs on a thread of its own, and may name more files.
    pub(crate) fn start(
        name: &str,
        paths: &[&Path],
        mut look: impl FnMut(Stir, &mut MoreFiles) + Send + 'static,
    ) -> Result<Self, ReloadError> {
        let (stirred, stirs) = mpsc::channel();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ReloadError { path, source }
        };
        let first = paths.first().copied().unwrap_or(Path::new("."));
        let changed = stirred.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Reading the file is an event, too.
            if event.is_ok_and(|event| event.kind.is_access()) {
                return;
            }
            // After a drop, nobody listens.
            let _ = changed.send(Stir::Changed);
        });
        let mut watcher = watcher.map_err(failed(first))?;
        let known: HashSet<_> = paths.iter().flat_map(|path| directories(path)).collect();
        for dir in &known {
            let watched = watcher.watch(dir, RecursiveMode::NonRecursive);
            watched.map_err(failed(dir))?;
        }
        let watcher = Arc::new(Mutex::new(Some(watcher)));
        let mut more = MoreFiles {
            watching: watcher.clone(),
            known,
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            look(Stir::Changed, &mut more);
            while let Some(stir) = settle(&stirs) {
                look(stir, &mut more);
            }
        });
        let thread = thread.map_err(|error| failed(first)(notify::Error::io(error)))?;
        Ok(Self {
            watcher,
            stirred: Some(stirred),
            thread: Some(thread),
        })
    }

    /// Has the files looked at now.
    pub(crate) fn ask(&self) {
        if let Some(stirred) = &self.stirred {
            // The thread may have ended by a panic of the callback; nothing is to be done here.
            let _ = stirred.send(Stir::Asked);
        }
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        // The thread ends when nobody can stir it any more.
        self.stirred = None;
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        drop(watcher.take());
        // The thread may be about to ask for it.
        drop(watcher);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

/// Watches the directories of further files, each once.
pub(crate) struct MoreFiles {
    watching: Watching,
    known: HashSet<PathBuf>,
}

impl MoreFiles {
    /// A directory that cannot be watched is tried again at the next change.
    pub(crate) fn watch<'f>(&mut self, files: impl Iterator<Item = &'f Path>) {
        let dirs = files.flat_map(directories);
        let new: Vec<_> = dirs.filter(|dir| !self.known.contains(dir)).collect();
        if new.is_empty() {
            return;
        }
        let mut watcher = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watcher) = watcher.as_mut() else {
            return;
        };
        for dir in new {
            if watcher.watch(&dir, RecursiveMode::NonRecursive).is_ok() {
                self.known.insert(dir);
            }
        }
    }
}

/// The directory of the file and, if the file is a link, that of its target.
fn directories(path: &Path) -> Vec<PathBuf> {
    let dir = |path: &Path| match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let own = dir(path);
    let real = fs::canonicalize(path).ok().map(|real| dir(&real));
    let is_elsewhere = |real: &PathBuf| fs::canonicalize(&own).ok().as_ref() != Some(real);
    let real = real.filter(is_elsewhere);
    [own].into_iter().chain(real).collect()
}

/// Waits until something has happened and then nothing more, or until somebody asks; `None` at the end.
fn settle(stirs: &Receiver<Stir>) -> Option<Stir> {
    let mut stir = stirs.recv().ok()?;
    let began = Instant::now();
    while stir == Stir::Changed
        && let Some(left) = MOST.checked_sub(began.elapsed())
    {
        match stirs.recv_timeout(QUIET.min(left)) {
            Ok(next) => stir = next,
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(stir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_behind_a_link_is_watched_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (real, path) = (
            dir.path().join("real/a.pem"),
            dir.path().join("state/b.pem"),
        );
        for path in [&real, &path] {
            fs::create_dir(path.parent().unwrap()).unwrap();
        }
        fs::write(&real, "1").unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        assert_eq!(directories(&path).len(), 2);
        assert_eq!(directories(&real).len(), 1);
        assert_eq!(
            directories(Path::new("openclaw.json")),
            [PathBuf::from(".")]
        );
        let (send, seen) = mpsc::channel();
        let read = path.clone();
        let watch = FileWatch::start("test", &[&path], move |stir, _| {
            let _ = send.send((stir, fs::read_to_string(&read).ok()));
        });
        let watch = watch.unwrap();
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(seen.recv().unwrap(), (Stir::Changed, is("1")));
        fs::write(real.with_extension("new"), "2").unwrap();
        fs::rename(real.with_extension("new"), &real).unwrap();
        // An earlier event may be seen first.
        while seen.recv().unwrap().1 != is("2") {}
        watch.ask();
        while seen.recv().unwrap().0 != Stir::Asked {}
        drop(watch);
        while seen.recv().is_ok() {}
    }
}
