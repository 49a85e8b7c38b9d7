//! The `openclaw` command.

use std::io::{self, BufRead as _, BufWriter, IsTerminal as _, Read as _, stdin};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::task::Poll;

use anstream::{AutoStream, ColorChoice};
use console::Term;
use openclaw_cli::{
    Console, Environment, Key, Keys, Machine, Manager, Stop, TellManager, Told, Var, run,
};
use pairing_core::{Clock, Entropy};
use pairing_fs::{SystemClock, SystemEntropy};
use rustix::termios::OptionalActions;
use tokio::sync::Notify;
use zeroize::Zeroizing;

fn main() -> ExitCode {
    let (stdout, mut stderr) = (io::stdout(), io::stderr());
    let colors = (
        AutoStream::choice(&stdout) != ColorChoice::Never,
        AutoStream::choice(&stderr) != ColorChoice::Never,
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let var: Var = Arc::new(|name| std::env::var_os(name));
    let tell_manager: TellManager = Arc::new(tell);
    let environment = Environment {
        var: &var,
        open: &openclaw_gateway::store::files,
        clock: &clock,
        entropy: &entropy,
        probe: true,
        stop: &stop,
        reread: &reread,
        stdin: &read_stdin,
        answer: stdin().is_terminal().then_some(&read_answer),
        machine: &ThisMachine,
        tell_manager: &tell_manager,
        listeners: &listeners,
        spinner: stderr.is_terminal().then_some(openclaw_cli::spinner),
    };
    let mut console = Console {
        tables: stdout.is_terminal(),
        columns: rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| size.ws_col),
        color_stdout: colors.0,
        color_stderr: colors.1,
        keys: (stdin().is_terminal() && stdout.is_terminal()).then(keys),
        stdout: &mut BufWriter::new(stdout.lock()),
        // Standard error is not locked, because a spinner writes to it from its own thread.
        stderr: &mut stderr,
    };
    let before = rustix::termios::tcgetattr(io::stdin());
    let exit = run(std::env::args_os(), &environment, &mut console);
    if let Ok(before) = before {
        // The terminal may still wait for a key, with echo turned off.
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
    exit.into()
}

/// Reads single keys from the terminal.
fn keys() -> Keys {
    let terminal = Term::stdout();
    Box::new(move || {
        Ok(match terminal.read_key()? {
            console::Key::ArrowUp => Key::Up,
            console::Key::ArrowDown => Key::Down,
            console::Key::Char(c) => Key::Char(c),
            _ => Key::Other,
        })
    })
}

/// Listens for the signals that end the program from now on: SIGINT, SIGTERM, and SIGUSR1, by which the other program
/// is told to start again (its supervisor does that).
#[cfg(unix)]
fn stop() -> Stop {
    use tokio::signal::unix::{SignalKind, signal};
    let ends = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::user_defined1(),
    ];
    // A signal that cannot be listened for ends the program by default.
    let mut signals: Vec<_> = ends.into_iter().flat_map(signal).collect();
    Box::pin(std::future::poll_fn(move |cx| {
        let mut heard = signals.iter_mut().map(|signal| signal.poll_recv(cx));
        if heard.any(|heard| heard.is_ready()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }))
}

/// Listens for SIGHUP from now on.
#[cfg(unix)]
fn reread(asked: Arc<Notify>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            asked.notify_one();
        }
    });
}

#[cfg(not(unix))]
fn reread(_: Arc<Notify>) {}

/// Listens for Ctrl-C.
#[cfg(not(unix))]
fn stop() -> Stop {
    Box::pin(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}

/// Tells systemd, if it asked for that when it started this program. Children would inherit the variable by which it
/// asks, so systemd is told to listen to this process alone (`NotifyAccess=main`).
#[cfg(target_os = "linux")]
fn tell(what: Told) {
    use sd_notify::NotifyState;
    let state = match what {
        Told::Ready => NotifyState::Ready,
        Told::Alive => NotifyState::Watchdog,
        Told::Stopping => NotifyState::Stopping,
        _ => return,
    };
    // A manager that cannot be told notices by itself.
    let _ = sd_notify::notify(&[state]);
}

#[cfg(not(target_os = "linux"))]
fn tell(_: Told) {}

/// The sockets that systemd listens on for this process. Their variables are taken out of the environment, and the sockets
/// are not handed on to children.
#[cfg(target_os = "linux")]
fn listeners() -> io::Result<Vec<TcpListener>> {
    // Without it, they were meant for somebody who handed the variables on.
    if std::env::var_os("LISTEN_PID").is_none() {
        return Ok(Vec::new());
    }
    let mut handed = listenfd::ListenFd::from_env();
    let taken = (0..handed.len()).map(|at| handed.take_tcp_listener(at));
    taken.filter_map(Result::transpose).collect()
}

#[cfg(not(target_os = "linux"))]
fn listeners() -> io::Result<Vec<TcpListener>> {
    Ok(Vec::new())
}

/// The machine that this program runs on.
struct ThisMachine;

impl Machine for ThisMachine {
    fn manager(&self) -> Option<Manager> {
        let has_systemd = std::path::Path::new("/run/systemd/system").is_dir();
        if cfg!(target_os = "macos") {
            Some(Manager::Launchd)
        } else {
            has_systemd.then_some(Manager::Systemd)
        }
    }

    fn is_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn user_id(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn program(&self) -> io::Result<PathBuf> {
        std::env::current_exe()
    }

    fn run(&self, program: &str, args: &[&str]) -> io::Result<Output> {
        Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .output()
    }

    fn show(&self, program: &str, args: &[&str]) -> io::Result<ExitStatus> {
        Command::new(program).args(args).status()
    }
}

fn read_answer() -> io::Result<String> {
    let mut line = String::new();
    let read = io::stdin().lock().take(4096).read_line(&mut line)?;
    match read {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

fn read_stdin(most: u64) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().take(most).read_to_string(&mut text)?;
    Ok(text)
}
