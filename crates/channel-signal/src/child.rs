//! The daemon as a child process.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::child::relay;
use channel_kit::{Backoff, Stop, StopSender};
use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::Signal;

/// How long to wait for the killed daemon to be gone.
const GOODBYE: Duration = Duration::from_secs(5);

/// How the daemon is started.
#[derive(Clone)]
#[non_exhaustive]
pub struct Daemon {
    /// The program; a name without a slash is looked for in `PATH`.
    pub program: PathBuf,
    /// The directory of signal-cli's accounts and keys; its own default if `None`.
    pub config: Option<PathBuf>,
    /// Where it is to listen, as `host:port`.
    pub listen: String,
}

impl Daemon {
    /// A daemon that listens at `listen`, with signal-cli's usual directory.
    pub fn new(program: impl Into<PathBuf>, listen: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            config: None,
            listen: listen.into(),
        }
    }

    /// The same, with another directory of accounts and keys.
    pub fn config(self, config: Option<PathBuf>) -> Self {
        Self { config, ..self }
    }

    /// The program, with its standard error to be read. It ends when it is dropped.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The program as it links an account: it writes the code, and the account's number once it is linked.
    pub(crate) fn link(&self, device: &str) -> Command {
        let mut command = self.program();
        command
            .args(["link", "--name", device])
            .stdout(Stdio::piped());
        command
    }

    /// The program as it carries out one command, and writes the result as JSON.
    pub(crate) fn once(&self, method: &str, params: &Value) -> Command {
        let mut command = self.program();
        command.args(["--output", "json"]);
        if let Some(account) = params["account"].as_str() {
            command.args(["--account", account]);
        }
        command.arg(method).stdout(Stdio::piped());
        if let Some(device) = params["deviceId"].as_u64() {
            command.args(["--device-id", &device.to_string()]);
        }
        command
    }

    fn command(&self) -> Command {
        let mut command = self.program();
        // Without a reader the daemon leaves messages on Signal's servers, so that a restart loses none.
        command.args([
            "daemon",
            "--http",
            &self.listen,
            "--receive-mode",
            "on-connection",
        ]);
        command
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon")
            .field("program", &self.program)
            .field("config", &self.config)
            .field("listen", &self.listen)
            .finish()
    }
}

/// A daemon that is kept running.
pub(crate) struct Child {
    stop: StopSender,
    task: JoinHandle<()>,
}

impl Child {
    /// Starts a daemon, and starts it anew whenever it ends.
    pub(crate) fn start(daemon: Daemon, signal: &Arc<Signal>) -> Self {
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(keep(daemon, Arc::clone(signal), stopped));
        Self { stop, task }
    }

    /// Ends the daemon.
    pub(crate) async fn end(self) {
        self.stop.stop();
        let _ = self.task.await;
    }
}

async fn keep(daemon: Daemon, signal: Arc<Signal>, mut stop: Stop) {
    let mut backoff = Backoff::new(Arc::clone(&signal.entropy), signal.pace.backoff);
    let account = signal.account.as_str();
    let mut has_failed = false;
    loop {
        let began = Instant::now();
        let ended = tokio::select! {
            ended = run(&daemon, account, &mut stop) => ended,
            // It is ended where it is dropped.
            () = signal.outdated.notified() => continue,
        };
        let Some(ended) = ended else {
            return;
        };
        if began.elapsed() >= signal.pace.steady {
            backoff.reset();
            has_failed = false;
        }
        let wait = backoff.failed(None);
        if std::mem::replace(&mut has_failed, true) {
            tracing::debug!(account, reason = %ended, wait = ?wait, "signal: starting the daemon again");
        } else {
            let advice = "run it by hand to see why: `signal-cli daemon --http 127.0.0.1:8080 --receive-mode on-connection` \
                          (with your own port and configPath). It needs Java 21. Another signal-cli may be using its accounts";
            tracing::warn!(account, reason = %ended, advice, "signal: the daemon has ended");
        }
        tokio::select! {
            () = stop.wait() => return,
            () = sleep(wait) => {}
        }
    }
}

/// Runs the daemon once. Why it has ended; `None` if it was told to.
async fn run(daemon: &Daemon, account: &str, stop: &mut Stop) -> Option<String> {
    let mut child = match daemon.command().spawn() {
        Ok(child) => child,
        Err(error) => return Some(format!("it cannot be started: {error}")),
    };
    let explained = async {
        let last = match child.stderr.take() {
            Some(errors) => listen(errors, account).await,
            None => String::new(),
        };
        let status = child.wait().await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        if last.is_empty() {
            status
        } else {
            format!("{status}: {last}")
        }
    };
    tokio::select! {
        biased;
        () = stop.wait() => {}
        why = explained => return Some(why),
    }
    end(&mut child).await;
    None
}

/// Logs what the daemon says until it says no more; returns the last line.
async fn listen(errors: tokio::process::ChildStderr, account: &str) -> String {
    let said = |line: &str| tracing::debug!(account, line, "signal: the daemon says");
    relay(errors, said).await
}

/// Kills the daemon, and waits for it to be gone.
async fn end(child: &mut tokio::process::Child) {
    // There is no gentler signal without code that is not safe; signal-cli writes its files atomically.
    let _ = child.start_kill();
    let _ = timeout(GOODBYE, child.wait()).await;
}
