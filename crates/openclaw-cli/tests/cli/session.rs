//! An install in a temporary directory, and transcripts of commands that ran on it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openclaw_cli::{Console, Environment, Exit, Key, Keys, TellManager, Var, run};
use openclaw_gateway::store::Opened;
use pairing_core::{Channels, Clock, Entropy, Limits, ManualClock, Pairing, Timestamp};
use pairing_fs::{FsStore, Probe, StateDir, discovered_channels};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::service::FakeMachine;

/// Three minutes after the requests of the recorded install were made.
const NOW: &str = "2026-11-22T13:31:00.000Z";

/// State as OpenClaw 2026.2.17 left it.
const RECORDED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../pairing-fs/tests/fixtures/openclaw-2026.2.17"
);

/// What a test does when output has been flushed, with what was written until then.
pub(crate) type OnFlush = Box<dyn Fn(&str) + Send + Sync>;

pub(crate) struct Session {
    dir: TempDir,
    clock: Arc<ManualClock>,
    entropy: Arc<Mutex<ChaCha8Rng>>,
    columns: Option<u16>,
    probe: Option<Arc<dyn Probe>>,
    lock_wait: Duration,
    transcript: String,
    masks: Vec<(String, &'static str)>,
    /// Whether to look for the configured gateway.
    pub(crate) looks: bool,
    /// Variables beside the usual ones.
    pub(crate) vars: Vec<(&'static str, String)>,
    /// Keys that the person will press.
    keys: Mutex<Option<Keys>>,
    /// Called whenever a command has its output shown, with all of it.
    pub(crate) on_flush: Option<OnFlush>,
    /// What the person answers to questions, if there is one.
    pub(crate) answers: Option<Mutex<VecDeque<String>>>,
    /// The machine as far as services go; without a service manager unless a test gives it one.
    pub(crate) machine: FakeMachine,
}

/// Standard output, whose reader may be told when there is something to read.
struct Watched<'s> {
    text: Vec<u8>,
    on_flush: Option<&'s dyn Fn(&str)>,
}

impl io::Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(on_flush) = self.on_flush {
            on_flush(&String::from_utf8_lossy(&self.text));
        }
        Ok(())
    }
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Who is at the other end of standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Person,
    Program,
}

impl Session {
    /// On a directory that does not exist yet.
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::new(Timestamp::parse(NOW).unwrap())),
            entropy: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(17))),
            columns: None,
            probe: None,
            // Generous: a process that another test starts holds on to our locks until it is set up.
            lock_wait: Duration::from_secs(60),
            transcript: String::new(),
            masks: Vec::new(),
            looks: false,
            vars: Vec::new(),
            keys: Mutex::new(None),
            on_flush: None,
            answers: None,
            machine: FakeMachine::default(),
        }
    }

    /// Has a person there, who gives these answers.
    pub(crate) fn answer(&mut self, answers: &[&str]) {
        let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
        self.answers = Some(Mutex::new(answers));
    }

    /// On a copy of the recorded install, as far as it concerns senders.
    pub(crate) fn recorded() -> Self {
        Self::recorded_in(&["credentials"])
    }

    /// On a copy of the recorded install, as far as it concerns devices and nodes.
    pub(crate) fn recorded_devices() -> Self {
        Self::recorded_in(&["devices", "nodes"])
    }

    /// On a copy of all that the recorded install has stored.
    pub(crate) fn recorded_whole() -> Self {
        Self::recorded_in(&["credentials", "devices", "nodes"])
    }

    fn recorded_in(folders: &[&str]) -> Self {
        let session = Self::new();
        for folder in folders {
            for entry in fs::read_dir(Path::new(RECORDED).join(folder)).unwrap() {
                let entry = entry.unwrap();
                let content = fs::read_to_string(entry.path()).unwrap();
                session.write_in(folder, entry.file_name().to_str().unwrap(), &content);
            }
        }
        session
    }

    /// On a terminal of this width.
    pub(crate) fn columns(self, columns: u16) -> Self {
        Self {
            columns: Some(columns),
            ..self
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// A path beside the state directory.
    pub(crate) fn outside(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.state().join("credentials").join(name)
    }

    /// Puts a file into the credentials directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.write_in("credentials", name, content);
    }

    /// Puts a file into a folder of the state directory; into that itself with `.`.
    pub(crate) fn write_in(&self, folder: &str, name: &str, content: impl AsRef<[u8]>) {
        let folder = self.state().join(folder);
        private_dir(&self.state());
        private_dir(&folder);
        fs::write(folder.join(name), content).unwrap();
        set_mode(&folder.join(name), 0o600);
    }

    /// The service that commands are given.
    pub(crate) fn service(&self) -> Pairing {
        let Opened {
            store,
            channels,
            limits,
            ..
        } = self.open(&StateDir::at(self.state()));
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        Pairing::with(store, clock, entropy, channels, limits)
    }

    /// Puts requests of a channel there: account, sender, code, and how long ago they were made.
    pub(crate) fn write_requests(&self, channel: &str, requests: &[(&str, &str, &str, Duration)]) {
        let now = Timestamp::parse(NOW).unwrap().as_millis();
        let requests: Vec<_> = requests
            .iter()
            .map(|(account, id, code, age)| {
                let age = i64::try_from(age.as_millis()).unwrap();
                let at = Timestamp::from_millis(now - age);
                format!(
                    r#"{{"id":"{id}","code":"{code}","createdAt":"{at}","lastSeenAt":"{at}","meta":{{"accountId":"{account}"}}}}"#
                )
            })
            .collect();
        let requests = requests.join(",");
        let content = format!(r#"{{"version":1,"requests":[{requests}]}}"#);
        self.write(&format!("{channel}-pairing.json"), content);
    }

    /// Lets a probe decide about every step that changes the disk.
    pub(crate) fn set_probe(&mut self, probe: Option<Arc<dyn Probe>>) {
        self.probe = probe;
    }

    /// Sets how long locks are waited for.
    pub(crate) fn set_lock_wait(&mut self, wait: Duration) {
        self.lock_wait = wait;
    }

    pub(crate) fn wait(&mut self, by: Duration) {
        self.clock.advance(by);
        writeln!(self.transcript, "(after {by:?})\n").unwrap();
    }

    /// Runs command lines as a person sees them, and notes what they did.
    pub(crate) fn person(&mut self, lines: &str) {
        self.note(lines, Reader::Person);
    }

    /// Runs command lines in a pipe, and notes what they did.
    pub(crate) fn pipe(&mut self, lines: &str) {
        self.note(lines, Reader::Program);
    }

    /// Runs one command in a pipe, with arguments that need not be words.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_for(args, Reader::Program)
    }

    /// Leaves something out of the comparison that is never the same.
    pub(crate) fn masked(mut self, pattern: &'static str, by: &'static str) -> Self {
        self.mask(pattern, by);
        self
    }

    /// Leaves something out of the comparison that is never the same.
    pub(crate) fn mask(&mut self, pattern: impl Into<String>, by: &'static str) {
        self.masks.push((pattern.into(), by));
    }

    /// Has the person press these keys, one each time that they are asked, and then none.
    pub(crate) fn press(&self, keys: &'static str) {
        let mut keys = keys.chars();
        let next = move || {
            keys.next()
                .map(Key::Char)
                .ok_or(io::ErrorKind::UnexpectedEof.into())
        };
        *self.keys.lock().unwrap() = Some(Box::new(next));
    }

    /// The clock that commands are given.
    pub(crate) fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    /// The randomness that commands are given.
    pub(crate) fn entropy(&self) -> Arc<Mutex<ChaCha8Rng>> {
        self.entropy.clone()
    }

    /// Runs one command as a person sees it.
    pub(crate) fn run_as_person(&self, args: &[&str]) -> Ran {
        self.run_for(args, Reader::Person)
    }

    /// Runs one command in a pipe that has to succeed.
    pub(crate) fn done(&self, args: &[&str]) {
        let ran = self.run(args);
        assert_eq!(ran.exit, Exit::Done, "{args:?}: {}", ran.stderr);
    }

    /// Goes on with what was noted elsewhere.
    pub(crate) fn append(&mut self, other: &Self) {
        self.transcript.push_str(&other.transcript);
    }

    /// Compares the transcript with its snapshot.
    pub(crate) fn finish(self, name: &str) {
        let mut settings = settings();
        for (pattern, by) in self.masks {
            settings.add_filter(&pattern, by);
        }
        settings.bind(|| insta::assert_snapshot!(name, self.transcript));
    }

    fn note(&mut self, lines: &str, reader: Reader) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let args: Vec<_> = line.split_whitespace().collect();
            let Ran {
                exit,
                stdout,
                stderr,
            } = self.run_for(&args, reader);
            let pipe = if reader == Reader::Program {
                " | cat"
            } else {
                ""
            };
            let transcript = &mut self.transcript;
            let line = line.replace(self.dir.path().to_str().unwrap(), "[dir]");
            writeln!(transcript, "$ openclaw {line}{pipe}").unwrap();
            // A tab would look like any other space.
            transcript.push_str(&stdout.replace('\t', "⇥"));
            for line in stderr.lines() {
                writeln!(transcript, "2> {line}").unwrap();
            }
            if exit != Exit::Done {
                writeln!(transcript, "exit {}", exit as u8).unwrap();
            }
            transcript.push('\n');
        }
    }

    fn run_for(&self, args: &[&str], reader: Reader) -> Ran {
        let state = self.state();
        let args = ["openclaw"].into_iter().chain(args.iter().copied());
        let vars = self.vars.clone();
        let var: Var = Arc::new(move |name: &str| match name {
            "OPENCLAW_STATE_DIR" => Some(state.clone().into_os_string()),
            "USER" => Some("ann".into()),
            name => {
                let found = vars.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.into())
            }
        });
        let open = |state: &StateDir| self.open(state);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let entropy: Arc<dyn Entropy> = self.entropy.clone();
        let answer = || {
            let mut answers = self.answers.as_ref().unwrap().lock().unwrap();
            let next = answers.pop_front();
            next.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        };
        let tell_manager: TellManager = Arc::new(|_| {});
        let environment = Environment {
            var: &var,
            open: &open,
            clock: &clock,
            entropy: &entropy,
            probe: self.looks,
            stop: &|| Box::pin(std::future::pending()),
            reread: &|_| {},
            stdin: &|_| Ok(Zeroizing::default()),
            answer: self
                .answers
                .as_ref()
                .map(|_| &answer as &dyn Fn() -> io::Result<String>),
            machine: &self.machine,
            tell_manager: &tell_manager,
            listeners: &|| Ok(Vec::new()),
            spinner: None,
        };
        let mut stderr = Vec::new();
        let mut stdout = Watched {
            text: Vec::new(),
            on_flush: self
                .on_flush
                .as_ref()
                .map(|told| told.as_ref() as &dyn Fn(&str)),
        };
        let mut console = Console {
            stdout: &mut stdout,
            stderr: &mut stderr,
            tables: reader == Reader::Person,
            columns: self.columns,
            color_stdout: false,
            color_stderr: false,
            keys: self.keys.lock().unwrap().take(),
        };
        let exit = run(args.map(OsString::from), &environment, &mut console);
        Ran {
            exit,
            stdout: self.text(stdout.text),
            stderr: self.text(stderr),
        }
    }

    fn open(&self, state: &StateDir) -> Opened {
        let channels = discovered_channels(state, &Channels::builtin());
        let store = match self.probe.clone() {
            Some(probe) => FsStore::new(state, channels.clone()).probed(probe),
            None => FsStore::new(state, channels.clone()),
        };
        Opened {
            store: Arc::new(store.lock_wait(self.lock_wait)),
            channels,
            limits: Limits::default(),
            shared: None,
        }
    }

    fn text(&self, bytes: Vec<u8>) -> String {
        let text = String::from_utf8(bytes).unwrap();
        let text = text.replace(self.state().to_str().unwrap(), "[state]");
        text.replace(self.dir.path().to_str().unwrap(), "[dir]")
    }
}

pub(crate) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

pub(crate) fn private_dir(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    set_mode(dir, 0o700);
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_: &Path, _: u32) {}

pub(crate) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}
