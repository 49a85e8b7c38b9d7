//! The `openclaw` command.

use std::io::{self, BufWriter, IsTerminal as _, Read as _, stdin};
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;

use anstream::{AutoStream, ColorChoice};
use console::Term;
use openclaw_cli::{Console, Environment, Key, Keys, Stop, Var, run};
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
    let environment = Environment {
        var: &var,
        open: &openclaw_gateway::store::files,
        clock: &clock,
        entropy: &entropy,
        probe: true,
        stop: &stop,
        reread: &reread,
        stdin: &read_stdin,
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

fn read_stdin(most: u64) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().take(most).read_to_string(&mut text)?;
    Ok(text)
}
