//! The programs that talk to the service manager.

use std::io;
use std::path::{Path, PathBuf};

use super::definition::SOCKET;
use super::files::Installed;
use super::launchd;
use super::machine::{Machine, Manager};
use crate::args::{LogsOptions, ServiceScope};
use crate::failure::ServiceError;

/// Talks to the service manager.
pub(crate) struct Supervisor<'m> {
    machine: &'m dyn Machine,
}

impl<'m> Supervisor<'m> {
    pub(crate) fn new(machine: &'m dyn Machine) -> Self {
        Self { machine }
    }

    /// Has the manager read its files again.
    pub(super) fn reread(&self, service: &Installed) -> Result<(), ServiceError> {
        match service.manager {
            Manager::Systemd => self.systemctl(service.scope, &["daemon-reload"]),
            Manager::Launchd => Ok(()),
        }
    }

    /// Has the service start with the machine, and now if that is asked for.
    pub(super) fn enable(&self, service: &Installed, now: bool) -> Result<(), ServiceError> {
        match (service.manager, now) {
            (Manager::Systemd, false) => self.systemctl_all(&["enable"], service),
            (Manager::Systemd, true) => {
                self.systemctl_all(&["enable"], service)?;
                if service.has_socket {
                    // A socket does not listen where its service does already.
                    self.systemctl_all(&["stop"], service)?;
                }
                // One that runs by its former definition is started again.
                self.systemctl(service.scope, &["restart", service.name()])
            }
            (Manager::Launchd, false) => self.launchctl(&["enable", &self.target(service)]),
            (Manager::Launchd, true) => {
                // It may not be loaded.
                let _ = self.launchctl(&["bootout", &self.target(service)]);
                self.launchctl(&["enable", &self.target(service)])?;
                self.bootstrap(service)
            }
        }
    }

    /// Stops the service, and has it not start any more.
    pub(super) fn forget(&self, service: &Installed) -> Result<(), ServiceError> {
        match service.manager {
            Manager::Systemd => self.systemctl_all(&["disable", "--now"], service),
            Manager::Launchd => {
                // It may not be loaded.
                let _ = self.launchctl(&["bootout", &self.target(service)]);
                Ok(())
            }
        }
    }

    /// Stops the unit that listens, and has it not start any more.
    pub(super) fn forget_socket(&self, service: &Installed) -> Result<(), ServiceError> {
        self.systemctl(service.scope, &["disable", "--now", SOCKET])
    }

    pub(super) fn start(&self, service: &Installed) -> Result<(), ServiceError> {
        match service.manager {
            Manager::Systemd => self.systemctl(service.scope, &["start", service.name()]),
            Manager::Launchd => self.bootstrap(service),
        }
    }

    pub(super) fn stop(&self, service: &Installed) -> Result<(), ServiceError> {
        match service.manager {
            Manager::Systemd => self.systemctl_all(&["stop"], service),
            Manager::Launchd => self.launchctl(&["bootout", &self.target(service)]),
        }
    }

    pub(super) fn restart(&self, service: &Installed) -> Result<(), ServiceError> {
        match service.manager {
            Manager::Systemd => self.systemctl(service.scope, &["restart", service.name()]),
            Manager::Launchd => self.launchctl(&["kickstart", "-k", &self.target(service)]),
        }
    }

    /// Shows the log on the terminal. It ends by itself, or with the reader.
    pub(super) fn logs(
        &self,
        service: &Installed,
        options: &LogsOptions,
    ) -> Result<(), ServiceError> {
        let lines = options.lines.to_string();
        let path;
        let (program, mut args) = match service.manager {
            Manager::Systemd => {
                let unit = match service.scope {
                    ServiceScope::User => "--user-unit",
                    ServiceScope::System => "--unit",
                };
                let args = vec![unit, service.name(), "--lines", &lines, "--no-pager"];
                ("journalctl", args)
            }
            Manager::Launchd => {
                // The job says itself where it writes to; one of this program writes beside its state.
                let file = Self::log_of(service);
                path = file.display().to_string();
                ("tail", vec!["-n", lines.as_str(), path.as_str()])
            }
        };
        if options.follow {
            let at = if program == "tail" { 0 } else { args.len() };
            args.insert(at, if program == "tail" { "-F" } else { "--follow" });
        }
        let failed = |source| run_failed(program, &args, source);
        let status = self.machine.show(program, &args).map_err(failed)?;
        // Ended by the reader is ended well.
        match status.code() {
            Some(0) | None => Ok(()),
            Some(code) => Err(ServiceError::Failed {
                command: format!("{program} {}", args.join(" ")),
                said: format!("status {code}"),
            }),
        }
    }

    /// Whether services of this user run on when the user logs out. Where that is not known, nothing is said.
    pub(super) fn lingers(&self) -> bool {
        let user = self.machine.user_id().to_string();
        let args = ["show-user", &user, "--property=Linger", "--value"];
        let output = self.machine.run("loginctl", &args);
        output.is_ok_and(|output| !output.stdout.starts_with(b"no"))
    }

    /// Whether the service runs, in the manager's own word.
    pub(crate) fn state(&self, service: &Installed) -> Option<String> {
        let Manager::Systemd = service.manager else {
            let output = self
                .machine
                .run("launchctl", &["print", &self.target(service)]);
            let text = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
            let state = text
                .lines()
                .find_map(|line| line.trim().strip_prefix("state = "));
            return Some(state.unwrap_or("not loaded").to_owned());
        };
        let mut args = scope_args(service.scope);
        args.extend(["is-active", service.name()]);
        let output = self.machine.run("systemctl", &args).ok()?;
        let word = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!word.is_empty()).then_some(word)
    }

    fn log_of(service: &Installed) -> PathBuf {
        let text = std::fs::read_to_string(&service.path).unwrap_or_default();
        let after = text.split_once("<key>StandardErrorPath</key>");
        let value =
            after.and_then(|(_, rest)| rest.split_once("<string>")?.1.split_once("</string>"));
        match value {
            Some((path, _)) => path.replace("&amp;", "&").into(),
            None => launchd::log(Path::new(".")),
        }
    }

    fn bootstrap(&self, service: &Installed) -> Result<(), ServiceError> {
        let domain = format!("gui/{}", self.machine.user_id());
        let file = service.path.display().to_string();
        self.launchctl(&["bootstrap", &domain, &file])
    }

    fn target(&self, service: &Installed) -> String {
        format!("gui/{}/{}", self.machine.user_id(), service.name())
    }

    /// With the unit that listens, which comes first: a connection would start the service again.
    fn systemctl_all(&self, args: &[&str], service: &Installed) -> Result<(), ServiceError> {
        let socket = service.has_socket.then_some(SOCKET);
        let units = socket.into_iter().chain([service.name()]);
        let args: Vec<_> = args.iter().copied().chain(units).collect();
        self.systemctl(service.scope, &args)
    }

    fn systemctl(&self, scope: ServiceScope, args: &[&str]) -> Result<(), ServiceError> {
        let mut all = scope_args(scope);
        all.extend(args);
        self.do_run("systemctl", &all)
    }

    fn launchctl(&self, args: &[&str]) -> Result<(), ServiceError> {
        self.do_run("launchctl", args)
    }

    fn do_run(&self, program: &str, args: &[&str]) -> Result<(), ServiceError> {
        let failed = |source| run_failed(program, args, source);
        let output = self.machine.run(program, args).map_err(failed)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ServiceError::Failed {
            command: format!("{program} {}", args.join(" ")),
            said: match output.status.code() {
                Some(code) if said.is_empty() => format!("status {code}"),
                _ => said,
            },
        })
    }
}

fn scope_args(scope: ServiceScope) -> Vec<&'static str> {
    match scope {
        ServiceScope::User => vec!["--user"],
        ServiceScope::System => Vec::new(),
    }
}

fn run_failed(program: &str, args: &[&str], source: io::Error) -> ServiceError {
    let command = format!("{program} {}", args.join(" "));
    ServiceError::Run { command, source }
}
