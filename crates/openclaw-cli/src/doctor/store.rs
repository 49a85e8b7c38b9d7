//! What `doctor` says of the store: which one it is, and whether a cluster answers.

use openclaw_config::{Config, Store};
use openclaw_gateway::doctor::of_cluster;
use openclaw_gateway::store::Opened;
use pairing_core::Range;
use pairing_core::store::PageRequest;
use pairing_fs::StateDir;
use pairing_fs::doctor::Finding;

use crate::{Environment, store};

/// What was found of the store.
pub(super) struct Looked {
    /// Its name in the configuration.
    pub(super) store: &'static str,
    /// The store; that of the files where the configured one cannot be opened.
    pub(super) opened: Opened,
    /// What there is to say.
    pub(super) finding: Option<Finding>,
}

/// Opens the configured store, and asks it something.
pub(super) fn look(
    state: &StateDir,
    config: Option<&Config>,
    environment: &Environment<'_>,
) -> Looked {
    let files = || (environment.open)(state);
    let config = match config {
        Some(config) if config.state.store == Store::Etcd => config,
        _ => {
            return Looked {
                store: "files",
                opened: files(),
                finding: None,
            };
        }
    };
    let asked = store::open(state, config, environment).and_then(|opened| {
        let page = PageRequest::first(1);
        opened.store.range(&Range::Devices, &page)?;
        Ok(opened)
    });
    let finding = of_cluster(state, config, asked.as_ref().err());
    Looked {
        store: "etcd",
        opened: asked.unwrap_or_else(|_| files()),
        finding: Some(finding),
    }
}
