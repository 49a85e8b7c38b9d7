//! Reads the configuration file again whenever it changes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use openclaw_config::{Config, LoadError};
use pairing_core::Chain;

use crate::file_watch::{FileWatch, ReloadError, Stir};

/// Reports every new configuration, until it is dropped.
///
/// - The directory is watched, so that a file that is replaced is seen, and so is one behind a link. So are
///   the directories of the files that the configuration is composed of ([`Config::files`]).
/// - A configuration that cannot be used is told once, until it changes what is wrong with it. So is a
///   file that is gone: nobody means to fall back to the defaults by that. The settings that went before
///   go on.
/// - Costs a thread, which waits; the file is not read unless it changed, or unless [`now`](Self::now) asks for it.
pub struct Reload(FileWatch);

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
        // The gateway already uses the present contents.
        let mut looked = WatchedFile::at(path, also, load);
        let watch = FileWatch::start("config", &[path], move |stir, more| {
            // The other files may have changed before they were watched.
            more.watch(looked.also());
            let loaded = looked.again(stir == Stir::Asked);
            more.watch(looked.also());
            loaded.into_iter().for_each(&mut tell);
        });
        watch.map(Self)
    }

    /// Reads the files now, whether they changed or not, and reports what they hold: also a fault that was told already.
    /// Returns at once.
    pub fn now(&self) {
        self.0.ask();
    }
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

    /// Returns what to report, if any of the files has changed or if it `is_asked`.
    fn again(&mut self, is_asked: bool) -> Option<Result<Config, LoadError>> {
        let now = identify(&self.path);
        let is_same = |(path, seen): &(PathBuf, Option<Identity>)| identify(path) == *seen;
        if !is_asked && now == self.seen && self.also.iter().all(is_same) {
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
        let is_told = !is_asked && error.is_some() && error == self.error;
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
    use std::sync::mpsc;

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
        assert!(looked.again(false).is_none());
        assert_eq!(reads.load(Ordering::Relaxed), 0);

        put(&path, "{ gateway: { port: 2 } }");
        assert_eq!(looked.again(false).unwrap().unwrap().gateway.port, 2);
        assert!(looked.again(false).is_none());

        put(&path, "{ gateway: { port: } }");
        let error = looked.again(false).unwrap().unwrap_err();
        let told = Chain(&error).unescaped();
        assert!(told.contains("expected value, line 1"), "{told}");
        assert!(looked.again(false).is_none());
        put(&path, "{ gateway: { port: } } ");
        assert!(looked.again(false).is_none(), "the same error is told once");
        put(&path, "{ gateway: { port } }");
        assert!(looked.again(false).unwrap().is_err(), "another one is told");

        put(&path, "{ gateway: { port: 3 } }");
        assert_eq!(looked.again(false).unwrap().unwrap().gateway.port, 3);
        assert_eq!(reads.load(Ordering::Relaxed), 5);

        // Whoever asks is answered in any case.
        assert_eq!(looked.again(true).unwrap().unwrap().gateway.port, 3);
        put(&path, "{ gateway: { port } }");
        assert!(looked.again(false).unwrap().is_err());
        assert!(looked.again(true).unwrap().is_err());
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
        assert!(matches!(
            looked.again(false),
            Some(Err(LoadError::Read { .. }))
        ));
        assert!(looked.again(false).is_none());
        put(&path, "{}");
        assert!(looked.again(false).unwrap().is_ok());
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
    fn where_there_is_no_directory_nothing_is_watched() {
        let error = Reload::watch(Path::new("/nonexistent/openclaw.json"), &[], load, drop);
        let error = error.err().unwrap();
        assert_eq!(error.to_string(), "cannot watch /nonexistent");
        assert!(error.advice().contains("started again"));
    }
}
