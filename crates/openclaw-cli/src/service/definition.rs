//! What the service runs, and what it may touch; the same for every service manager.

use std::path::{Path, PathBuf};

use openclaw_config::{Config, LoadError};
use pairing_fs::{NoStateDir, StateDir};

use crate::args::{InstallOptions, ServiceScope};
use crate::failure::ServiceError;
use crate::{Environment, Failure};

/// The unit's name, as the other program names its own.
pub(super) const UNIT: &str = "openclaw-gateway.service";

/// The unit that listens for it.
pub(super) const SOCKET: &str = "openclaw-gateway.socket";

/// The job's label, as the other program labels its own.
pub(super) const LABEL: &str = "ai.openclaw.gateway";

/// The words by which this program knows what it wrote.
pub(super) const MARK: &str = "Written by `openclaw gateway install` of openclaw-pairing";

/// Where the state of a service of the system is: systemd makes it, for the service's user alone.
const SYSTEM_STATE: &str = "/var/lib/openclaw";

/// The user of a service of the system.
const SYSTEM_USER: &str = "openclaw";

pub(super) struct Definition {
    pub(super) scope: ServiceScope,
    /// The program, absolute.
    pub(super) program: PathBuf,
    pub(super) port: Option<u16>,
    /// The port on which the service manager listens for it, if it does.
    pub(super) socket: Option<u16>,
    /// The user that it runs as, if it is not the one who installs it.
    pub(super) user: Option<String>,
    /// The state directory, absolute.
    pub(super) state: PathBuf,
    /// Other directories that are written to.
    pub(super) also: Vec<PathBuf>,
    /// Variables that say where the state is.
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Definition {
    pub(super) fn new(
        options: &InstallOptions,
        state: Result<StateDir, NoStateDir>,
        environment: &Environment<'_>,
    ) -> Result<Self, Failure> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => environment
                .machine
                .program()
                .map_err(ServiceError::Program)?,
        };
        let base = Self {
            scope: options.scope,
            program: absolute(&program),
            port: options.port,
            socket: None,
            user: None,
            state: PathBuf::new(),
            also: Vec::new(),
            environment: Vec::new(),
        };
        let mut config = None;
        let mut definition = match options.scope {
            ServiceScope::System => {
                let state = if options.state_dir_is_named {
                    absolute(state?.root())
                } else {
                    SYSTEM_STATE.into()
                };
                let user = options.user.as_deref().unwrap_or(SYSTEM_USER);
                Self {
                    user: Some(user.to_owned()),
                    state,
                    ..base
                }
            }
            ServiceScope::User => {
                let state = state?;
                let root = absolute(state.root());
                config = Some(state.config().to_owned());
                let beside = state.config().parent().map(absolute);
                let credentials = Some(absolute(state.credentials()));
                let also = [beside, credentials].into_iter().flatten();
                let also = also.filter(|dir| !dir.starts_with(&root)).collect();
                Self {
                    state: root,
                    also,
                    ..base
                }
            }
        };
        definition.name_state(environment)?;
        if options.socket {
            definition.socket = Some(definition.port_of(config)?);
        }
        Ok(definition)
    }

    /// The port that the gateway would choose: the one that is given, else the configured one. The service does not have
    /// the variables of this command.
    fn port_of(&self, config: Option<PathBuf>) -> Result<u16, LoadError> {
        if let Some(port) = self.port {
            return Ok(port);
        }
        let config = config.unwrap_or_else(|| StateDir::at(&self.state).config().to_owned());
        Ok(Config::load_in(&self.state, &config, |_| None)?
            .gateway
            .port)
    }

    /// Tells the service where the state is, as this command was told. Secrets in variables are not copied: the state
    /// directory's `.env` is for them.
    fn name_state(&mut self, environment: &Environment<'_>) -> Result<(), ServiceError> {
        let what = "the state directory";
        let state = text(&self.state, what)?;
        self.environment.push(("OPENCLAW_STATE_DIR", state));
        if self.scope == ServiceScope::System {
            return Ok(());
        }
        for name in ["OPENCLAW_CONFIG_PATH", "OPENCLAW_OAUTH_DIR"] {
            let value = (environment.var)(name).filter(|value| !value.is_empty());
            if let Some(value) = value {
                let path = absolute(Path::new(&value));
                self.environment.push((name, text(&path, name)?));
            }
        }
        Ok(())
    }

    /// The directories that it writes to.
    pub(super) fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        self.also.iter().chain([&self.state])
    }

    /// The command line.
    pub(super) fn arguments(&self) -> Result<Vec<String>, ServiceError> {
        let mut arguments = vec![text(&self.program, "the path of this program")?];
        arguments.extend(["gateway".to_owned(), "run".to_owned()]);
        if let Some(port) = self.port {
            arguments.extend(["--port".to_owned(), port.to_string()]);
        }
        Ok(arguments)
    }
}

/// The path as text, which files of services are.
pub(super) fn text(path: &Path, what: &'static str) -> Result<String, ServiceError> {
    let file = "the definition of a service";
    let text = path
        .to_str()
        .filter(|text| !text.chars().any(char::is_control));
    text.map(str::to_owned)
        .ok_or(ServiceError::Unfit { what, file })
}

/// Without reading the disk; a path that cannot be made absolute stays as it is.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
