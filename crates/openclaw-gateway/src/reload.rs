//! Reads the configuration file again whenever it changes.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use openclaw_config::{Config, LoadError};
use pairing_core::Chain;

/// So long must nothing happen before the file is read: editors write in several steps,
const QUIET: Duration = Duration::from_millis(100);
/// and where something happens all the time, it is read after this.
const MOST: Duration = Duration::from_secs(1);

/// Reports every new configuration, until it is dropped.
///
/// - The directory is watched, so that a file that is replaced is seen, and so is one behind a link. So are
///   the directories of the files that the configuration is composed of ([`Config::files`]).
/// - A configuration that cannot be used is told once, until it changes what is wrong with it. So is a
///   file that is gone: nobody means to fall back to the defaults by that. The settings that went before
///   go on.
/// - Costs a thread, which waits; the file is not read unless it changed.
pub struct Reload {
    watcher: Watching,
    thread: Option<JoinHandle<()>>,
}

/// The watcher, for adding directories; `None` at the end.
type Watching = Arc<Mutex<Option<RecommendedWatcher>>>;

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

impl Reload {
    /// Watches a file, which `load` reads (mostly [`Config::load_in`]) and `tell` is told of. `also` are the
    /// other files that the present configuration is composed of; those of the next ones are watched, too.
    ///
    /// `tell` runs on a thread of its own, one after the other.
    pub fn watch(
        path: &Path,
        also: &[PathBuf],
        load: impl Fn(&Path) -> Result<Config, LoadError> + Send + 'static,
        mut tell: impl FnMut(Result<Config, LoadError>) + Send + 'static,
    ) -> Result<Self, ReloadError> {
        let (stirred, stirs) = mpsc::channel();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ReloadError { path, source }
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Reading the file is an event, too.
            if event.is_ok_and(|event| event.kind.is_access()) {
                return;
            }
            // After a drop, nobody listens.
            let _ = stirred.send(());
        });
        let mut watcher = watcher.map_err(failed(path))?;
        // The gateway already uses the present contents.
        let mut looked = WatchedFile::at(path, also, load);
        for dir in directories(path) {
            let watched = watcher.watch(&dir, RecursiveMode::NonRecursive);
            watched.map_err(failed(&dir))?;
        }
        let watcher = Arc::new(Mutex::new(Some(watcher)));
        let mut more = More {
            watching: watcher.clone(),
            known: directories(path).into_iter().collect(),
        };
        more.watch(looked.also());
        let thread = thread::Builder::new()
            .name("config".to_owned())
            .spawn(move || {
                // The file may have changed before it was watched.
                let mut look = || {
                    let loaded = looked.again();
                    more.watch(looked.also());
                    loaded.into_iter().for_each(&mut tell);
                };
                look();
                while settle(&stirs) {
                    look();
                }
            });
        let thread = thread.map_err(|error| failed(path)(notify::Error::io(error)))?;
        Ok(Self {
            watcher,
            thread: Some(thread),
        })
    }
}

impl Drop for Reload {
    fn drop(&mut self) {
        // The thread ends when nobody can stir it any more.
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
struct More {
    watching: Watching,
    known: HashSet<PathBuf>,
}

impl More {
    /// A directory that cannot be watched is tried again at the next change.
    fn watch<'f>(&mut self, files: impl Iterator<Item = &'f Path>) {
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

/// Waits until something has happened and then nothing more; `false` at the end.
fn settle(stirs: &Receiver<()>) -> bool {
    if stirs.recv().is_err() {
        return false;
    }
    let began = Instant::now();
    while let Some(left) = MOST.checked_sub(began.elapsed()) {
        match stirs.recv_timeout(QUIET.min(left)) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// The state of a file when it was last read.
struct WatchedFile<L> {
    path: PathBuf,
    load: L,
    seen: Option<Identity>,
    /// The other files of the configuration.
    also: Vec<(PathBuf, Option<Identity>)>,
    error: Option<String>,
}

/// Identifies the state of a file without reading it.
type Identity = (u64, u64, u64, (i64, i64), (i64, i64));

impl<L: Fn(&Path) -> Result<Config, LoadError>> WatchedFile<L> {
    fn at(path: &Path, also: &[PathBuf], load: L) -> Self {
        Self {
            path: path.to_owned(),
            load,
            seen: identify(path),
            also: identified(also),
            error: None,
        }
    }

    fn also(&self) -> impl Iterator<Item = &Path> {
        self.also.iter().map(|(path, _)| path.as_path())
    }

    /// Returns what to report, if any of the files has changed.
    fn again(&mut self) -> Option<Result<Config, LoadError>> {
        let now = identify(&self.path);
        let is_same = |(path, seen): &(PathBuf, Option<Identity>)| identify(path) == *seen;
        if now == self.seen && self.also.iter().all(is_same) {
            return None;
        }
        for (path, seen) in &mut self.also {
            *seen = identify(path);
        }
        // Taken before the file is read, so that a change meanwhile is noticed.
        self.seen = now;
        let loaded = if now.is_none() {
            Err(LoadError::Read {
                path: self.path.clone(),
                source: io::ErrorKind::NotFound.into(),
            })
        } else {
            (self.load)(&self.path)
        };
        if let Ok(config) = &loaded {
            let known = |path: &PathBuf| self.also.iter().find(|(known, _)| known == path).cloned();
            let files = config.files().iter();
            let also =
                files.map(|path| known(path).unwrap_or_else(|| (path.clone(), identify(path))));
            self.also = also.collect();
        }
        let error = loaded.as_ref().err().map(|error| Chain(error).unescaped());
        let is_told = error.is_some() && error == self.error;
        self.error = error;
        (!is_told).then_some(loaded)
    }
}

fn identified(paths: &[PathBuf]) -> Vec<(PathBuf, Option<Identity>)> {
    let paths = paths.iter();
    paths.map(|path| (path.clone(), identify(path))).collect()
}

fn identify(path: &Path) -> Option<Identity> {
    let meta = fs::metadata(path).ok()?;
    Some((
        meta.dev(),
        meta.ino(),
        meta.size(),
        (meta.mtime(), meta.mtime_nsec()),
        (meta.ctime(), meta.ctime_nsec()),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn load(path: &Path) -> Result<Config, LoadError> {
        Config::load(path, |_| None)
    }

    /// Replaces a file as programs do, so that it has another inode each time.
    fn put(path: &Path, text: &str) {
        let staged = path.with_extension("tmp");
        fs::write(&staged, text).unwrap();
        fs::rename(staged, path).unwrap();
    }

    #[test]
    fn only_changes_are_read_and_an_error_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openclaw.json");
        put(&path, "{ gateway: { port: 1 } }");
        let reads = AtomicUsize::new(0);
        let mut looked = WatchedFile::at(&path, &[], |path| {
            reads.fetch_add(1, Ordering::Relaxed);
            load(path)
        });
        assert!(looked.again().is_none());
        assert_eq!(reads.load(Ordering::Relaxed), 0);

        put(&path, "{ gateway: { port: 2 } }");
        assert_eq!(looked.again().unwrap().unwrap().gateway.port, 2);
        assert!(looked.again().is_none());

        put(&path, "{ gateway: { port: } }");
        let error = looked.again().unwrap().unwrap_err();
        let told = Chain(&error).unescaped();
        assert!(told.contains("expected value, line 1"), "{told}");
        assert!(looked.again().is_none());
        put(&path, "{ gateway: { port: } } ");
        assert!(looked.again().is_none(), "the same error is told once");
        put(&path, "{ gateway: { port } }");
        assert!(looked.again().unwrap().is_err(), "another one is told");

        put(&path, "{ gateway: { port: 3 } }");
        assert_eq!(looked.again().unwrap().unwrap().gateway.port, 3);
        assert_eq!(reads.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn a_file_that_is_gone_is_no_new_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openclaw.json");
        put(
            &path,
            "{ channels: { telegram: { dmPolicy: 'disabled' } } }",
        );
        let mut looked = WatchedFile::at(&path, &[], load);
        fs::remove_file(&path).unwrap();
        assert!(matches!(looked.again(), Some(Err(LoadError::Read { .. }))));
        assert!(looked.again().is_none());
        put(&path, "{}");
        assert!(looked.again().unwrap().is_ok());
    }

    #[test]
    fn included_files_and_variables_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openclaw.json");
        put(&path, "{ gateway: { $include: './parts/gateway.json5' } }");
        let (send, told) = mpsc::channel();
        let tell = move |loaded: Result<Config, LoadError>| {
            let config = loaded.unwrap();
            let token = config.gateway.auth.token.as_ref();
            let _ = send.send((
                config.gateway.port,
                token.map(|token| token.expose().to_owned()),
            ));
        };
        fs::create_dir(dir.path().join("parts")).unwrap();
        let also = load(&path).unwrap().files().to_vec();
        let _reload = Reload::watch(&path, &also, load, tell).unwrap();
        let next = || told.recv().unwrap();
        put(
            &dir.path().join("parts/gateway.json5"),
            "{ port: 1, auth: { token: '${T}' } }",
        );
        assert_eq!(next(), (1, None));
        put(&dir.path().join(".env"), "T=of-the-env-file");
        assert_eq!(next(), (1, Some("of-the-env-file".to_owned())));
        fs::create_dir(dir.path().join("other")).unwrap();
        put(&path, "{ gateway: { $include: './other/gateway.json5' } }");
        assert_eq!(next(), (Config::default().gateway.port, None));
        put(&dir.path().join("other/gateway.json5"), "{ port: 3 }");
        assert_eq!(next().0, 3);
    }

    #[test]
    fn a_change_is_told_of_and_the_end_is_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openclaw.json");
        put(&path, "{}");
        let (send, told) = mpsc::channel();
        let tell = move |loaded: Result<Config, LoadError>| {
            let _ = send.send(loaded.map(|config| config.gateway.port));
        };
        let reload = Reload::watch(&path, &[], load, tell).unwrap();
        for (text, port) in [
            ("{ gateway: { port: 1 } }", 1),
            ("{ gateway: { port: 2 } }", 2),
        ] {
            put(&path, text);
            assert_eq!(told.recv().unwrap().unwrap(), port);
        }
        drop(reload);
        assert!(told.recv().is_err(), "the thread has ended");
    }

    #[test]
    fn a_file_behind_a_link_is_watched_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (real, path) = (
            dir.path().join("real/a.json"),
            dir.path().join("state/b.json"),
        );
        for path in [&real, &path] {
            fs::create_dir(path.parent().unwrap()).unwrap();
        }
        put(&real, "{}");
        std::os::unix::fs::symlink(&real, &path).unwrap();
        assert_eq!(directories(&path).len(), 2);
        assert_eq!(directories(&real).len(), 1);
        assert_eq!(
            directories(Path::new("openclaw.json")),
            [PathBuf::from(".")]
        );
        let (send, told) = mpsc::channel();
        let tell = move |loaded: Result<Config, LoadError>| {
            let _ = send.send(loaded.is_ok());
        };
        let _reload = Reload::watch(&path, &[], load, tell).unwrap();
        put(&real, "{ gateway: { port: 1 } }");
        assert_eq!(told.recv(), Ok(true));
    }

    #[test]
    fn where_there_is_no_directory_nothing_is_watched() {
        let error = Reload::watch(Path::new("/nonexistent/openclaw.json"), &[], load, drop);
        let error = error.err().unwrap();
        assert_eq!(error.to_string(), "cannot watch /nonexistent");
        assert!(error.advice().contains("started again"));
    }
}
