//! The `openclaw` command.

use std::io::{self, BufWriter, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use anstream::{AutoStream, ColorChoice};
use openclaw_cli::{Console, Environment, run};
use pairing_core::{Clock, Entropy};
use pairing_fs::{SystemClock, SystemEntropy};

fn main() -> ExitCode {
    let (stdout, mut stderr) = (io::stdout(), io::stderr());
    let colors = (
        AutoStream::choice(&stdout) != ColorChoice::Never,
        AutoStream::choice(&stderr) != ColorChoice::Never,
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let environment = Environment {
        var: &|name| std::env::var_os(name),
        open: &pairing_fs::open,
        clock: &clock,
        entropy: &entropy,
        probe: true,
        spinner: stderr.is_terminal().then_some(openclaw_cli::spinner),
    };
    let mut console = Console {
        tables: stdout.is_terminal(),
        columns: rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| size.ws_col),
        color_stdout: colors.0,
        color_stderr: colors.1,
        stdout: &mut BufWriter::new(stdout.lock()),
        // Not locked: a spinner turns on a thread of its own.
        stderr: &mut stderr,
    };
    run(std::env::args_os(), &environment, &mut console).into()
}
