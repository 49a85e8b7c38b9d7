//! The unit of systemd.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::definition::{Definition, MARK, SOCKET, text};
use crate::args::ServiceScope;
use crate::failure::ServiceError;

/// Where a service of the system keeps its state, below what systemd makes.
const STATE_HOME: &str = "/var/lib/";

/// systemd restarts a gateway that has said nothing for this time.
const WATCHDOG_SECONDS: u64 = 60;

/// The first release that can restart a service ever more slowly.
const HAS_STEPS: u32 = 254;

/// Restrictions that any service manager can apply.
const CONFINED: &[&str] = &[
    "NoNewPrivileges=yes",
    "UMask=0077",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged",
    "SystemCallErrorNumber=EPERM",
    // The rest of the system is read-only; a user's service manager can do that where user namespaces are allowed.
    "ProtectSystem=strict",
];

/// Restrictions of a service of the system.
const CONFINED_SYSTEM: &[&str] = &[
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectHome=yes",
    "PrivateDevices=yes",
    "PrivateUsers=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RemoveIPC=yes",
    "DevicePolicy=closed",
];

/// The text of the unit. `version` is systemd's, if it is known.
pub(super) fn unit(definition: &Definition, version: Option<u32>) -> Result<String, ServiceError> {
    let mut command = Vec::new();
    for argument in definition.arguments()? {
        command.push(quoted(&argument.replace('$', "$$")));
    }
    let is_system = definition.scope == ServiceScope::System;
    let (mut needs, mut sockets) = (String::new(), String::new());
    if definition.socket.is_some() {
        needs = format!("Requires={SOCKET}\nAfter={SOCKET}\n");
        sockets = format!("Sockets={SOCKET}\n");
    }
    let mut unit = format!(
        "# {MARK} {}\n\
         [Unit]\n\
         Description=OpenClaw Gateway\n\
         After=network-online.target\n\
         Wants=network-online.target\n\
         {needs}\
         StartLimitIntervalSec=300\n\
         StartLimitBurst=10\n\
         \n\
         [Service]\n\
         Type=notify\n\
         NotifyAccess=main\n\
         {sockets}\
         ExecStart={}\n\
         ExecReload=/bin/kill -HUP $MAINPID\n",
        env!("CARGO_PKG_VERSION"),
        command.join(" "),
    );
    let mut line = |line: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(unit, "{line}");
    };
    for (name, value) in &definition.environment {
        line(&format!(
            "Environment={}",
            quoted(&format!("{name}={value}"))
        ));
    }
    line("Restart=always");
    line("RestartSec=5");
    if version.is_some_and(|version| version >= HAS_STEPS) {
        line("RestartSteps=5");
        line("RestartMaxDelaySec=60");
    }
    // The command line is wrong: trying it again changes nothing.
    line("RestartPreventExitStatus=2");
    line(&format!("WatchdogSec={WATCHDOG_SECONDS}"));
    line("TimeoutStartSec=120");
    line("TimeoutStopSec=30");
    line("KillMode=mixed");
    if let Some(user) = &definition.user {
        line(&format!("User={}", plain(user, "the user's name")?));
    }
    let state = text(&definition.state, "the state directory")?;
    match state.strip_prefix(STATE_HOME) {
        Some(below) if is_system => {
            let below = plain(below, "the state directory")?;
            line(&format!("StateDirectory={below}"));
            line("StateDirectoryMode=0700");
        }
        _ => line(&format!("ReadWritePaths={}", quoted(&state))),
    }
    for dir in &definition.also {
        // One that is missing is no reason not to start.
        let dir = quoted(&text(dir, "the place of the configuration")?);
        line(&format!("ReadWritePaths={}", optional(&dir)));
    }
    for confined in CONFINED {
        line(confined);
    }
    // A state that is there itself would be hidden.
    let is_temporary = |dir: &PathBuf| dir.starts_with("/tmp") || dir.starts_with("/var/tmp");
    if !definition.dirs().any(is_temporary) {
        line("PrivateTmp=yes");
    }
    if is_system {
        for confined in CONFINED_SYSTEM {
            line(confined);
        }
    }
    line("");
    line("[Install]");
    line(if is_system {
        "WantedBy=multi-user.target"
    } else {
        "WantedBy=default.target"
    });
    Ok(unit)
}

/// The text of the unit that listens on loopback. Other addresses are for the gateway itself, which follows `gateway.bind`.
pub(super) fn socket(port: u16) -> String {
    format!(
        "# {MARK} {}\n\
         [Unit]\n\
         Description=OpenClaw Gateway, which listens while it starts\n\
         \n\
         [Socket]\n\
         ListenStream=127.0.0.1:{port}\n\
         \n\
         [Install]\n\
         WantedBy=sockets.target\n",
        env!("CARGO_PKG_VERSION"),
    )
}

/// One word of a list of words. `%` begins a specifier everywhere.
fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%");
    if word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-=:%$+,@".contains(&byte))
    {
        return word;
    }
    let word = word.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{word}\"")
}

/// The same path, where it may be missing.
fn optional(quoted: &str) -> String {
    match quoted.strip_prefix('"') {
        Some(rest) => format!("\"-{rest}"),
        None => format!("-{quoted}"),
    }
}

/// A name that needs no quotes.
fn plain<'t>(name: &'t str, what: &'static str) -> Result<&'t str, ServiceError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let file = "a unit of systemd";
    let fits = !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain);
    fits.then_some(name)
        .ok_or(ServiceError::Unfit { what, file })
}
