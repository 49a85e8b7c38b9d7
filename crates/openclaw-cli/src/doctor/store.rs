//! The part of `doctor` about the store: which one it is, and whether it can be read.

use openclaw_config::Config;
use openclaw_gateway::doctor::{of_cluster, of_database, of_unused_databases};
use openclaw_gateway::store::{Kept, OpenError, Opened};
use pairing_core::store::PageRequest;
use pairing_core::{Chain, Range};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::{Environment, store};

/// The result of examining the store.
pub(super) struct Looked {
    /// Its name in the configuration.
    pub(super) store: &'static str,
    /// The store; the one on files if the configured one cannot be opened.
    pub(super) opened: Opened,
    /// The findings.
    pub(super) findings: Vec<Finding>,
}

/// Opens the store that is configured or found, and reads from it.
pub(super) fn look(
    state: &StateDir,
    config: Option<&Config>,
    environment: &Environment<'_>,
) -> Looked {
    let files = || (environment.open)(state);
    let usual = Config::default();
    let config = config.unwrap_or(&usual);
    let kept = match Kept::of(state, config) {
        Ok(Kept::Files) => {
            return Looked {
                store: "files",
                opened: files(),
                findings: of_unused_databases(state),
            };
        }
        Ok(kept) => kept,
        Err(error) => {
            return Looked {
                store: "openclaw",
                opened: files(),
                findings: vec![unusable(state, &error)],
            };
        }
    };
    let asked = store::open(state, config, environment).and_then(|opened| {
        let page = PageRequest::first(1);
        opened.store.range(&Range::Devices, &page)?;
        Ok(opened)
    });
    let mut findings = Vec::new();
    if kept == Kept::Etcd {
        findings.push(of_cluster(state, config, asked.as_ref().err()));
    } else {
        if let Some(file) = kept.file() {
            findings.extend(of_database(state, &kept, file, config));
        }
        findings.extend(asked.as_ref().err().map(|error| unusable(state, error)));
    }
    Looked {
        store: kept.name(),
        opened: asked.unwrap_or_else(|_| files()),
        findings,
    }
}

/// A store that exists but cannot be read. The install must not be taken for an empty one.
fn unusable(state: &StateDir, error: &OpenError) -> Finding {
    Finding {
        severity: Severity::Error,
        kind: "store",
        path: state.root().to_owned(),
        detail: Chain(error).unescaped(),
        advice: error.advice().unwrap_or_default(),
        fixable: false,
        fixed: false,
    }
}
