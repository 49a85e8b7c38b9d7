//! The `openclaw` command.

use std::io::{self, BufWriter, IsTerminal as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use openclaw_cli::{Console, Environment, run};

fn main() -> ExitCode {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let colors = (
        AutoStream::choice(&stdout) != ColorChoice::Never,
        AutoStream::choice(&stderr) != ColorChoice::Never,
    );
    let environment = Environment {
        var: &|name| std::env::var_os(name),
        open: &pairing_fs::open,
    };
    let mut console = Console {
        tables: stdout.is_terminal(),
        columns: rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| size.ws_col),
        color_stdout: colors.0,
        color_stderr: colors.1,
        stdout: &mut BufWriter::new(stdout.lock()),
        stderr: &mut stderr.lock(),
    };
    run(std::env::args_os(), &environment, &mut console).into()
}
