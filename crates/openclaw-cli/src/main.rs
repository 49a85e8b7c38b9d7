//! The `openclaw` command.

use std::io::{self, BufWriter, IsTerminal as _, Read as _, stdin};
use std::process::ExitCode;
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};
use console::Term;
use openclaw_cli::{Console, Environment, Key, Keys, Stop, Var, run};
use pairing_core::{Clock, Entropy};
use pairing_fs::{SystemClock, SystemEntropy};
use rustix::termios::OptionalActions;
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

/// Listens for SIGINT and SIGTERM from now on.
#[cfg(unix)]
fn stop() -> Stop {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    // A signal that cannot be listened for ends the program by default.
    async fn heard(signal: io::Result<Signal>) {
        match signal {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }
    let (interrupt, terminate) = (
        heard(signal(SignalKind::interrupt())),
        heard(signal(SignalKind::terminate())),
    );
    Box::pin(async move {
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    })
}

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
