//! What is wrong with an install beside its files: with the configuration, and with the store that it names.
//!
//! [`pairing_fs::doctor`] says what is wrong with the files. `openclaw doctor` tells all of it, and so does a
//! gateway to its owner: `doctor.findings`.

mod cluster;
mod configuration;
mod database;

use std::sync::Arc;

use openclaw_config::Config;
use pairing_core::Pairing;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, examine};

pub use cluster::of_cluster;
pub use configuration::of_configuration;
pub use database::{of_database, of_unused_databases};

use crate::store::{Kept, OpenError};
use crate::{Settings, Var};

/// Where a gateway that runs looks for what is wrong.
#[derive(Clone)]
pub(crate) struct Doctor {
    state: StateDir,
    var: Var,
    /// The configuration that the store was opened by.
    opened_by: Arc<Config>,
    kept: Kept,
}

impl Doctor {
    pub(crate) fn new(state: StateDir, var: Var, settings: &Settings) -> Self {
        Self {
            var,
            opened_by: settings.config.clone(),
            // The store was opened before.
            kept: Kept::of(&state, &settings.config).unwrap_or(Kept::Files),
            state,
        }
    }

    /// What keeps the records.
    pub(crate) fn store(&self) -> &Kept {
        &self.kept
    }

    /// Looks at everything, as it is now; changes nothing. It blocks.
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
        findings.extend(examine(state, channels, pairing.limits(), now));
        findings
    }
}
