//! The store for commands that no gateway carries out.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use openclaw_config::Config;
use openclaw_gateway::store::{self, Kept, OpenError, Opened, Use};
use pairing_core::{Chain, Pairing, PairingBuilder};
use pairing_fs::{AuditLog, StateDir};

use crate::{Environment, Failure};

/// Opens the store that is configured or found.
pub(crate) fn open(
    state: &StateDir,
    config: &Config,
    environment: &Environment<'_>,
) -> Result<Opened, OpenError> {
    match Kept::of(state, config)? {
        Kept::Files => Ok((environment.open)(state)),
        Kept::Etcd => cluster(state, config, environment),
        _ => store::open(state, config, None, Use::Once),
    }
}

/// Opens the store on the configured cluster, even if the state is kept elsewhere.
pub(crate) fn cluster(
    state: &StateDir,
    config: &Config,
    environment: &Environment<'_>,
) -> Result<Opened, OpenError> {
    let home = (environment.var)("HOME").map(PathBuf::from);
    store::etcd(state, config, home.as_deref(), Use::Once)
}

/// Opens the store on OpenClaw's database, even if the state is kept elsewhere.
pub(crate) fn openclaw(state: &StateDir, config: &Config) -> Result<Opened, OpenError> {
    store::openclaw(state, config)
}

/// Opens the store on our own database, even if the state is kept elsewhere.
pub(crate) fn sqlite(state: &StateDir) -> Result<Opened, OpenError> {
    store::sqlite(state)
}

/// Builds the service on a store, with this machine's audit log.
pub(crate) fn service(state: &StateDir, opened: Opened, environment: &Environment<'_>) -> Pairing {
    let (clock, entropy) = (environment.clock.clone(), environment.entropy.clone());
    PairingBuilder::new(opened.store, clock, entropy)
        .channels(opened.channels)
        .limits(opened.limits)
        .audit(audit_log(state))
        .build()
}

/// This machine's audit log. An error of it undoes no decision, and no command waits for it, so that it is told here.
fn audit_log(state: &StateDir) -> AuditLog {
    let told = Once::new();
    AuditLog::new(state).on_error(move |error| {
        told.call_once(|| {
            let error = Chain(error);
            anstream::eprintln!("warning: the decision is not in the audit log: {error}");
        });
    })
}

/// Loads the configuration, as far as it says where the state is. A broken one is ignored, unless it may name
/// a store that is not found automatically: the store that is found would then be out of date.
pub(crate) fn config(state: &StateDir, environment: &Environment<'_>) -> Result<Config, Failure> {
    match Config::load_in(state.root(), state.config(), |name| (environment.var)(name)) {
        Ok(config) => Ok(config),
        Err(error) if may_name_store(state) => Err(error.into()),
        Err(_) => Ok(Config::default()),
    }
}

fn may_name_store(state: &StateDir) -> bool {
    let text = fs::read(state.config()).unwrap_or_default();
    [&b"etcd"[..], b"sqlite"].iter().any(|name| {
        text.windows(name.len())
            .any(|word| word.eq_ignore_ascii_case(name))
    })
}
