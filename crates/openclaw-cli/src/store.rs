//! The store that commands work on where no gateway does it for them.

use std::fs;
use std::path::PathBuf;

use openclaw_config::{Config, Store};
use openclaw_gateway::store::{self, OpenError, Opened, Use};
use pairing_core::{Pairing, PairingBuilder};
use pairing_fs::{AuditLog, StateDir};

use crate::{Environment, Failure};

/// Opens the store that is configured.
pub(crate) fn open(
    state: &StateDir,
    config: &Config,
    environment: &Environment<'_>,
) -> Result<Opened, OpenError> {
    store::check(config)?;
    match config.state.store {
        Store::Files => Ok((environment.open)(state)),
        Store::Etcd => cluster(state, config, environment),
    }
}

/// Opens the store on the cluster that is configured, whether it is what keeps the state or not.
pub(crate) fn cluster(
    state: &StateDir,
    config: &Config,
    environment: &Environment<'_>,
) -> Result<Opened, OpenError> {
    let home = (environment.var)("HOME").map(PathBuf::from);
    store::etcd(state, config, home.as_deref(), Use::Once)
}

/// The service on a store, with the audit log of this machine.
pub(crate) fn service(state: &StateDir, opened: Opened, environment: &Environment<'_>) -> Pairing {
    let (clock, entropy) = (environment.clock.clone(), environment.entropy.clone());
    PairingBuilder::new(opened.store, clock, entropy)
        .channels(opened.channels)
        .limits(opened.limits)
        .audit(AuditLog::new(state))
        .build()
}

/// The configuration, as far as it says where the state is. One that is broken counts as none, unless it
/// may name a cluster: what the files say would then be out of date.
pub(crate) fn config(state: &StateDir, environment: &Environment<'_>) -> Result<Config, Failure> {
    match Config::load_in(state.root(), state.config(), |name| (environment.var)(name)) {
        Ok(config) => Ok(config),
        Err(error) if may_name_cluster(state) => Err(error.into()),
        Err(_) => Ok(Config::default()),
    }
}

fn may_name_cluster(state: &StateDir) -> bool {
    let text = fs::read(state.config()).unwrap_or_default();
    text.windows(4)
        .any(|word| word.eq_ignore_ascii_case(b"etcd"))
}
