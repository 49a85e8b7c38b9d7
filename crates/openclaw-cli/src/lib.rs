#![doc = include_str!("../README.md")]

mod args;
mod audit;
mod backend;
mod channels;
mod config;
mod console;
mod devices;
mod doctor;
mod failure;
mod first_run;
mod gateway;
mod json;
mod keeper;
mod log;
mod login;
mod logout;
mod node;
mod nodes;
mod overview;
mod pairing;
mod place;
mod purpose;
mod remote;
mod secret_file;
mod service;
mod setup;
mod spinner;
mod state;
mod store;
mod subject;
mod target;
mod version;
mod watch;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use openclaw_config::{Config, Part};
use openclaw_gateway::store::Opened;
use openclaw_gateway::words as text;
use pairing_core::{Approver, Clock, Entropy};
use pairing_fs::StateDir;
use tokio::sync::Notify;
use zeroize::Zeroizing;

pub use console::{Console, Key, Keys};
pub use openclaw_gateway::{Var, qr};
pub use remote::Spinner;
pub use service::{Machine, Manager};
pub use spinner::spinner;

use args::{Command, Invocation, Parsed};
use console::Screen;
use failure::Failure;
use place::Place;

/// The environment of the program, besides its arguments.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Reads a variable of the environment.
    pub var: &'a Var,
    /// Opens the store on the files of a state directory. Called when a command needs it.
    pub open: &'a dyn Fn(&StateDir) -> Opened,
    /// The clock.
    pub clock: &'a Arc<dyn Clock>,
    /// Randomness for codes, tokens and identities, and for waiting times.
    pub entropy: &'a Arc<dyn Entropy>,
    /// Whether to look for the configured gateway.
    pub probe: bool,
    /// Waits until the program is told to stop.
    pub stop: &'a dyn Fn() -> Stop,
    /// Notifies from now on whenever the program is told to read its files again. Called within the runtime.
    pub reread: &'a dyn Fn(Arc<Notify>),
    /// Reads standard input, up to this number of bytes.
    pub stdin: &'a dyn Fn(u64) -> io::Result<Zeroizing<String>>,
    /// Reads a line that a person answers a question with; `None` if nobody is there to answer.
    pub answer: Option<&'a dyn Fn() -> io::Result<String>>,
    /// The machine, as far as it runs programs as services.
    pub machine: &'a dyn Machine,
    /// Tells the service manager how the gateway is, if one started this program.
    pub tell_manager: &'a TellManager,
    /// Takes over the sockets on which the service manager listens for the gateway; none if it does not.
    pub listeners: &'a dyn Fn() -> io::Result<Vec<TcpListener>>,
    /// Shows that a command waits; `None` if standard error is not a terminal.
    pub spinner: Option<Spinner>,
}

/// Tells the service manager how the gateway is.
pub type TellManager = Arc<dyn Fn(Told) + Send + Sync>;

/// What the service manager is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// The gateway listens.
    Ready,
    /// The gateway has shown that it is alive.
    Alive,
    /// The gateway stops.
    Stopping,
}

/// A future that ends when the program is told to stop.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The result of the program, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Refused or not found; or `doctor` has found something.
    Refused = 1,
    /// The command line is not valid.
    Usage = 2,
    /// State cannot be read or written, or another process holds it.
    State = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// Runs one command line, which includes the program's name, and returns the result.
///
/// Output is flushed before it returns. It is not an error if the reader of the output has gone.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: &Environment<'_>,
    console: &mut Console<'_>,
) -> Exit {
    let parsed = args::parse(args);
    let no_color = (environment.var)("NO_COLOR").is_some_and(|value| !value.is_empty());
    let plain = no_color || matches!(&parsed, Ok(Parsed::Run(run)) if run.no_color);
    let mut screen = Screen::new(console, plain);
    let ran = parsed.and_then(|parsed| match parsed {
        Parsed::Run(invocation) => execute(invocation, environment, &mut screen),
        Parsed::Show(help) => {
            screen.help(&help)?;
            Ok(Exit::Done)
        }
    });
    let ended = ran.and_then(|exit| {
        screen.flush()?;
        Ok(exit)
    });
    ended.unwrap_or_else(|failure| {
        // Output of the command comes before its error.
        let _ = screen.flush();
        if failure.is_closed_pipe() {
            return Exit::Done;
        }
        screen.failure(&failure);
        failure.exit()
    })
}

fn execute(
    invocation: Invocation,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let Invocation {
        state_dir, command, ..
    } = invocation;
    let state = || match state_dir {
        Some(dir) => Ok(StateDir::at(dir)),
        None => StateDir::from_env(|name| (environment.var)(name)),
    };
    match command {
        Command::Completions(shell, name) => {
            screen.raw(|out| args::completions(shell, name, out))?;
            Ok(Exit::Done)
        }
        Command::Man(dir, name) => {
            args::manual(&dir, name).map_err(|source| Failure::NewFile {
                path: dir.display().to_string(),
                source,
            })?;
            Ok(Exit::Done)
        }
        Command::Doctor(options) => {
            let state = state()?;
            let config =
                Config::load_in(state.root(), state.config(), |name| (environment.var)(name));
            doctor::run(options, &state, &config, environment, screen)
        }
        Command::VerifyAudit { json } => audit::verify(json, &state()?, screen),
        Command::State(command) => state::run(command, state()?, environment, screen),
        Command::Devices {
            command,
            target,
            json,
        } => {
            let place = Place::of(state(), target, environment, screen);
            let backend = place.backend(command.purpose(screen.has_keys()), screen)?;
            devices::Call { backend, json }.run(&command, screen)
        }
        Command::Nodes {
            command,
            target,
            json,
        } => {
            let place = Place::of(state(), target, environment, screen);
            let backend = place.backend(command.purpose(), screen)?;
            let entropy = Arc::clone(environment.entropy);
            let call = nodes::Call {
                backend,
                json,
                entropy,
            };
            call.run(&command, screen)
        }
        Command::Gateway {
            command,
            target,
            json,
        } => gateway::run(command, target, json, state(), environment, screen),
        Command::Channels {
            command,
            target,
            json,
        } => channels::run(command, target, json, state(), environment, screen),
        Command::Config(command) => config::run(command, &state()?, environment, screen),
        Command::Dashboard { json } => gateway::dashboard(json, &state()?, environment, screen),
        Command::Node(options) => node::run(options, state(), environment, screen),
        Command::FirstRun(options) => first_run::run(&options, state(), environment, screen),
        Command::Overview { target, json } => {
            overview::run(target, json, &state()?, environment, screen)
        }
        Command::Setup(options) => qr_code(&options, state()?, environment, screen),
        Command::Pairing {
            command,
            target,
            json,
        } => {
            if command.needs_config() && target.url.is_some() {
                return Err(Failure::AskedElsewhere);
            }
            let mut place = Place::new(state(), target, environment);
            match place.load() {
                Err(error) if command.needs_config() => return Err(error),
                Err(error) => screen.warning(&error),
                Ok(()) => {}
            }
            // This command stands in for a chat adapter, which uses the store.
            place.target.local |= command.needs_config();
            let backend = place.backend(command.purpose(screen.has_keys()), screen)?;
            let call = pairing::Call {
                backend,
                state: place.state.ok(),
                config: place.config.unwrap_or_default(),
                json,
            };
            call.run(&command, screen)
        }
    }
}

/// Issues a setup code, after the configuration has been asked whether that may be.
fn qr_code(
    options: &args::SetupOptions,
    state: StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let target = args::TargetOptions {
        local: options.local,
        ..args::TargetOptions::default()
    };
    let mut place = Place::new(Ok(state), target, environment);
    place.load()?;
    let config = place.config.clone().unwrap_or_default();
    let gateway = (options.url.is_none()).then_some(Part::Gateway);
    for part in [Part::SetupCodes].into_iter().chain(gateway) {
        if let Some(fault) = config.closed_by(&part) {
            return Err(Failure::Closed(fault.clone()));
        }
    }
    // An error in the address is reported before anything else.
    let phone = setup::reach(options, &config)?;
    let backend = place.backend(args::SetupOptions::PURPOSE, screen)?;
    setup::run(options, &phone, &backend, screen)
}

/// Whoever can write the files may decide. The decision is recorded under the login name.
fn approver(environment: &Environment<'_>) -> Approver {
    let login = ["USER", "LOGNAME"]
        .iter()
        .filter_map(|name| (environment.var)(name))
        .find(|login| !login.is_empty());
    let login = login.as_ref().map(|login| login.to_string_lossy());
    Approver::terminal(login.as_deref().unwrap_or("unknown"))
}
