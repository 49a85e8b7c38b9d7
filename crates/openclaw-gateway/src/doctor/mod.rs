//! Findings about an install beside its files: about the configuration, and the store that it names.
//!
//! [`pairing_fs::doctor`] examines the files. `openclaw doctor` shows everything, and so does a gateway to
//! its owner, by `doctor.findings`.

mod bots;
mod certificate;
mod cluster;
mod configuration;
mod database;

use std::sync::Arc;

use openclaw_config::Config;
use pairing_core::Pairing;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, examine};

pub use bots::of_bots;
pub use certificate::of_certificate;
pub use cluster::of_cluster;
pub use configuration::of_configuration;
pub use database::{of_database, of_unused_databases};

use crate::store::{Kept, OpenError};
use crate::{Settings, Var};

/// Examines the install of a running gateway.
#[derive(Clone)]
pub(crate) struct Doctor {
    state: StateDir,
    var: Var,
    /// The configuration with which the store was opened.
    opened_by: Arc<Config>,
    kept: Kept,
}

impl Doctor {
    pub(crate) fn new(state: StateDir, var: Var, settings: &Settings) -> Self {
        Self {
            var,
            opened_by: settings.config.clone(),
            // This cannot fail, because the store was opened with it.
            kept: Kept::of(&state, &settings.config).unwrap_or(Kept::Files),
            state,
        }
    }

    /// The store that keeps the records.
    pub(crate) fn store(&self) -> &Kept {
        &self.kept
    }

    /// Examines everything as it is now. It changes nothing, and blocks.
    pub(crate) fn examine(&self, pairing: &Pairing) -> Vec<Finding> {
        let (state, channels) = (&self.state, pairing.channels());
        let loaded = Config::load_in(state.root(), state.config(), |name| (self.var)(name));
        let mut findings = of_configuration(state, &loaded, channels);
        if let Some(file) = self.kept.file() {
            findings.extend(of_database(state, &self.kept, file, &self.opened_by));
        }
        if self.kept == Kept::Files {
            findings.extend(of_unused_databases(state));
        }
        if self.kept == Kept::Etcd {
            let failed = pairing.probe().err().map(OpenError::Store);
            findings.push(of_cluster(state, &self.opened_by, failed.as_ref()));
        }
        let now = pairing.now();
        let config = loaded.as_ref().ok();
        if let Some(config) = config {
            findings.extend(of_bots(state, config, &*self.var));
            findings.extend(of_certificate(state, config, now));
        }
        findings.extend(examine(state, channels, pairing.limits(), now));
        findings
    }
}
