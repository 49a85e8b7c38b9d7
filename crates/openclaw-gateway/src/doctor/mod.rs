//! What is wrong with an install beside its files: with the configuration, and with the store that it names.
//!
//! [`pairing_fs::doctor`] says what is wrong with the files. `openclaw doctor` tells all of it, and so does a
//! gateway to its owner: `doctor.findings`.

mod cluster;
mod configuration;

use std::sync::Arc;

use openclaw_config::{Config, Store};
use pairing_core::Pairing;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, examine};

pub use cluster::of_cluster;
pub use configuration::of_configuration;

use crate::store::OpenError;
use crate::{Settings, Var};

/// Where a gateway that runs looks for what is wrong.
#[derive(Clone)]
pub(crate) struct Doctor {
    state: StateDir,
    var: Var,
    /// The configuration that the store was opened by.
    opened_by: Arc<Config>,
}

impl Doctor {
    pub(crate) fn new(state: StateDir, var: Var, settings: &Settings) -> Self {
        Self {
            state,
            var,
            opened_by: settings.config.clone(),
        }
    }

    /// The name of the store in the configuration.
    pub(crate) fn store(&self) -> &'static str {
        match self.opened_by.state.store {
            Store::Files => "files",
            Store::Etcd => "etcd",
        }
    }

    /// Looks at everything, as it is now; changes nothing. It blocks.
    pub(crate) fn examine(&self, pairing: &Pairing) -> Vec<Finding> {
        let (state, channels) = (&self.state, pairing.channels());
        let loaded = Config::load_in(state.root(), state.config(), |name| (self.var)(name));
        let mut findings = of_configuration(state, &loaded, channels);
        if self.opened_by.state.store == Store::Etcd {
            let failed = pairing.probe().err().map(OpenError::Store);
            findings.push(of_cluster(state, &self.opened_by, failed.as_ref()));
        }
        let now = pairing.now();
        findings.extend(examine(state, channels, pairing.limits(), now));
        findings
    }
}
