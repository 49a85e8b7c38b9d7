//! The file that defines the service, and where each service manager has it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pairing_fs::owned;

use super::definition::{LABEL, MARK, SOCKET, UNIT};
use super::machine::Manager;
use crate::Environment;
use crate::args::ServiceScope;
use crate::failure::ServiceError;

/// Directories of units for the whole system, from the strongest to the weakest: what an administrator wrote, and what
/// a package brings.
const SYSTEM_UNITS: &[&str] = &[
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A service that is there, or is about to be.
pub(crate) struct Installed {
    pub(crate) path: PathBuf,
    pub(crate) scope: ServiceScope,
    pub(crate) manager: Manager,
    /// Whether this program wrote it.
    pub(crate) is_ours: bool,
    /// Whether a unit of this program's listens for it.
    pub(super) has_socket: bool,
}

impl Installed {
    /// Finds the service, by default the user's own before one of the system. `None` if there is none.
    pub(crate) fn find(
        scope: Option<ServiceScope>,
        environment: &Environment<'_>,
    ) -> Result<Option<Self>, ServiceError> {
        let manager = environment
            .machine
            .manager()
            .ok_or(ServiceError::NoManager)?;
        let scopes: &[_] = match (scope, manager) {
            (Some(ServiceScope::System), Manager::Systemd) => &[ServiceScope::System],
            (Some(ServiceScope::System), Manager::Launchd) => {
                return Err(ServiceError::NoSystemJobs);
            }
            (Some(ServiceScope::User), _) | (None, Manager::Launchd) => &[ServiceScope::User],
            (None, Manager::Systemd) => &[ServiceScope::User, ServiceScope::System],
        };
        for &scope in scopes {
            for path in paths(manager, scope, environment) {
                match fs::read_to_string(&path) {
                    Ok(text) => {
                        let is_ours = text.contains(MARK);
                        let socket = fs::read_to_string(path.with_file_name(SOCKET));
                        return Ok(Some(Self {
                            has_socket: socket.is_ok_and(|text| text.contains(MARK)),
                            path,
                            scope,
                            manager,
                            is_ours,
                        }));
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => return Err(ServiceError::Read { path, source }),
                }
            }
        }
        Ok(None)
    }

    /// The service as it is about to be installed.
    pub(super) fn at(
        manager: Manager,
        scope: ServiceScope,
        environment: &Environment<'_>,
    ) -> Result<Self, ServiceError> {
        let path = paths(manager, scope, environment).into_iter().next();
        Ok(Self {
            path: path.ok_or(ServiceError::NoHome)?,
            scope,
            manager,
            is_ours: true,
            has_socket: false,
        })
    }

    /// The name by which the service manager knows it.
    pub(super) fn name(&self) -> &'static str {
        match self.manager {
            Manager::Systemd => UNIT,
            Manager::Launchd => LABEL,
        }
    }

    /// Writes the file as durably as state. It holds no secret, and a service manager warns of files that it alone may
    /// read.
    pub(super) fn write(&self, text: &str) -> Result<(), ServiceError> {
        write(&self.path, text)
    }

    /// Writes the unit that listens.
    pub(super) fn write_socket(&mut self, text: &str) -> Result<(), ServiceError> {
        self.has_socket = true;
        write(&self.socket(), text)
    }

    pub(super) fn remove(&self) -> Result<(), ServiceError> {
        if self.has_socket {
            self.remove_socket()?;
        }
        fs::remove_file(&self.path).map_err(|source| failed(&self.path, source))
    }

    /// Removes the unit that listens.
    pub(super) fn remove_socket(&self) -> Result<(), ServiceError> {
        let path = self.socket();
        fs::remove_file(&path).map_err(|source| failed(&path, source))
    }

    fn socket(&self) -> PathBuf {
        self.path.with_file_name(SOCKET)
    }

    /// Keeps what somebody else wrote, beside the new one.
    pub(super) fn keep(&self) -> Result<PathBuf, ServiceError> {
        let mut kept = self.path.clone().into_os_string();
        kept.push(".before");
        let kept = PathBuf::from(kept);
        fs::rename(&self.path, &kept).map_err(|source| failed(&self.path, source))?;
        Ok(kept)
    }
}

fn write(path: &Path, text: &str) -> Result<(), ServiceError> {
    if let Some(dir) = path.parent()
        && !dir.is_dir()
    {
        owned::create_dir(dir)?;
    }
    owned::replace_file(path, text)?;
    let readable = fs::Permissions::from_mode(0o644);
    fs::set_permissions(path, readable).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> ServiceError {
    let path = path.to_owned();
    ServiceError::Change { path, source }
}

fn paths(manager: Manager, scope: ServiceScope, environment: &Environment<'_>) -> Vec<PathBuf> {
    let var = |name| {
        let value = (environment.var)(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let home = var("HOME");
    match (manager, scope) {
        (Manager::Systemd, ServiceScope::System) => {
            let root = environment.machine.root();
            let dirs = SYSTEM_UNITS.iter().map(|dir| dir.trim_start_matches('/'));
            dirs.map(|dir| root.join(dir).join(UNIT)).collect()
        }
        (Manager::Systemd, ServiceScope::User) => {
            let config = var("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")));
            let dir = config.map(|config| config.join("systemd/user"));
            dir.map(|dir| dir.join(UNIT)).into_iter().collect()
        }
        (Manager::Launchd, _) => {
            let dir = home.map(|home| home.join("Library/LaunchAgents"));
            let file = format!("{LABEL}.plist");
            dir.map(|dir| dir.join(file)).into_iter().collect()
        }
    }
}
