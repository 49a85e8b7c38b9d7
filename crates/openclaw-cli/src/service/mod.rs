//! `openclaw gateway install`, `uninstall`, `start`, `stop`, `restart` and `logs`: the gateway as a service of the
//! system.
//!
//! The names are those of the other program, so that what a person knows about its service goes for this one: the unit
//! `openclaw-gateway.service`, the launchd job `ai.openclaw.gateway`. A service that was not written by this program is
//! not replaced unless `--force` is given, and then it is kept beside the new one.

mod definition;
mod files;
mod launchd;
mod machine;
mod supervisor;
mod systemd;

use std::path::Path;

use pairing_core::escape;
use pairing_fs::{NoStateDir, StateDir, owned};
use serde::Serialize;

use crate::args::{InstallOptions, LogsOptions, ServiceCommand, ServiceScope};
use crate::console::Screen;
use crate::failure::ServiceError;
use crate::{Environment, Exit, Failure};
use definition::{Definition, SOCKET};
pub(crate) use files::Installed;
pub use machine::{Machine, Manager};
pub(crate) use supervisor::Supervisor;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done<'a> {
    action: &'static str,
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

/// Runs a command about the service.
pub(crate) fn run(
    command: ServiceCommand,
    json: bool,
    state: Result<StateDir, NoStateDir>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    match command {
        ServiceCommand::Install(options) => install(&options, json, state, environment, screen),
        ServiceCommand::Uninstall { scope, force } => {
            let installed =
                Installed::find(scope, environment)?.ok_or(ServiceError::NotInstalled)?;
            if !installed.is_ours && !force {
                return Err(ServiceError::Foreign(installed.path).into());
            }
            Supervisor::new(environment.machine).forget(&installed)?;
            installed.remove()?;
            Supervisor::new(environment.machine).reread(&installed)?;
            answer("uninstalled", &installed, json, screen)?;
            screen.note("The state stays as it is.");
            Ok(Exit::Done)
        }
        ServiceCommand::Start(scope) => change("started", scope, json, environment, screen),
        ServiceCommand::Stop(scope) => change("stopped", scope, json, environment, screen),
        ServiceCommand::Restart(scope) => change("restarted", scope, json, environment, screen),
        ServiceCommand::Logs(options) => logs(&options, environment, screen),
    }
}

fn change(
    action: &'static str,
    scope: Option<ServiceScope>,
    json: bool,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let installed = Installed::find(scope, environment)?.ok_or(ServiceError::NotInstalled)?;
    if !installed.is_ours {
        screen.caution(&format!(
            "{} was not written by this program, and may run another one",
            installed.path.display()
        ));
    }
    let supervisor = Supervisor::new(environment.machine);
    match action {
        "started" => supervisor.start(&installed)?,
        "stopped" => supervisor.stop(&installed)?,
        _ => supervisor.restart(&installed)?,
    }
    answer(action, &installed, json, screen)?;
    Ok(Exit::Done)
}

fn logs(
    options: &LogsOptions,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let installed =
        Installed::find(options.scope, environment)?.ok_or(ServiceError::NotInstalled)?;
    screen.flush()?;
    Supervisor::new(environment.machine).logs(&installed, options)?;
    Ok(Exit::Done)
}

fn install(
    options: &InstallOptions,
    json: bool,
    state: Result<StateDir, NoStateDir>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let machine = environment.machine;
    let manager = machine.manager();
    // To look at, any of them can be had anywhere.
    let kind = if options.launchd {
        Manager::Launchd
    } else if options.print {
        manager.unwrap_or(Manager::Systemd)
    } else {
        manager.ok_or(ServiceError::NoManager)?
    };
    let scope = options.scope;
    if kind == Manager::Launchd && scope == ServiceScope::System {
        return Err(ServiceError::NoSystemJobs.into());
    }
    if kind == Manager::Launchd && options.socket {
        return Err(ServiceError::NoSockets.into());
    }
    if !options.print {
        match (scope, machine.is_root()) {
            (ServiceScope::System, false) => return Err(ServiceError::NotRoot.into()),
            (ServiceScope::User, true) => return Err(ServiceError::RootsOwn.into()),
            _ => {}
        }
    }
    let definition = Definition::new(options, state, environment)?;
    let text = match kind {
        Manager::Systemd => systemd::unit(&definition, machine.systemd_version())?,
        Manager::Launchd => launchd::plist(&definition)?,
    };
    let socket = definition.socket.map(systemd::socket);
    if options.print {
        screen.raw(|out| out.write_all(text.as_bytes()))?;
        if let Some(socket) = &socket {
            screen.raw(|out| write!(out, "\n# {SOCKET}, beside it:\n{socket}"))?;
        }
        return Ok(Exit::Done);
    }
    if is_build_directory(&definition.program) {
        screen.caution(&format!(
            "the service runs {}, which the next build replaces: install the program first, with `cargo install`",
            definition.program.display()
        ));
    }
    let before = Installed::find(Some(scope), environment)?;
    match (&definition.user, scope) {
        (Some(user), ServiceScope::System) if !machine.has_user(user) => {
            return Err(ServiceError::NoUser(user.clone()).into());
        }
        _ => {}
    }
    let mut installed = Installed::at(kind, scope, environment)?;
    let supervisor = Supervisor::new(machine);
    if let Some(before) = before {
        if !before.is_ours && !options.force {
            return Err(ServiceError::Foreign(before.path).into());
        }
        if before.has_socket && socket.is_none() {
            supervisor.forget_socket(&before)?;
            before.remove_socket()?;
        }
        if !before.is_ours {
            let kept = before.keep()?;
            screen.note(format_args!(
                "The former one is kept as {}.",
                escape(&kept.display().to_string()).limit(4096)
            ));
        }
    }
    if scope == ServiceScope::User {
        // The sandbox needs it to exist.
        owned::create_dir(&definition.state).map_err(ServiceError::from)?;
    }
    installed.write(&text)?;
    if let Some(socket) = &socket {
        installed.write_socket(socket)?;
    }
    supervisor.reread(&installed)?;
    supervisor.enable(&installed, options.start)?;
    answer("installed", &installed, json, screen)?;
    if options.start {
        screen.note("It runs, and starts with the machine. `openclaw status` says how it is.");
    } else {
        screen.note("It starts with the machine; `openclaw gateway start` starts it now.");
    }
    if kind == Manager::Systemd && scope == ServiceScope::User && !supervisor.lingers() {
        screen.hint("it ends when you log out: `loginctl enable-linger` keeps it running");
    }
    Ok(Exit::Done)
}

fn answer(
    action: &'static str,
    installed: &Installed,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<(), Failure> {
    let file = installed.path.display().to_string();
    if json {
        screen.json(&Done {
            action,
            service: installed.name(),
            file: Some(file),
        })?;
    } else {
        let file = escape(&file).limit(4096);
        let name = installed.name();
        screen.line(match action {
            "installed" | "uninstalled" => format!("{name} is {action}: {file}"),
            _ => format!("{name} is {action}."),
        })?;
    }
    Ok(())
}

/// Whether cargo has put the program there to try it.
fn is_build_directory(program: &Path) -> bool {
    let mut parts = program.components().map(std::path::Component::as_os_str);
    parts.any(|part| part == "target")
}
