//! What `doctor` says of the store: which one it is, and whether a cluster answers.

use openclaw_config::{Config, Store};
use openclaw_gateway::store::Opened;
use pairing_core::Range;
use pairing_core::store::PageRequest;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::console::chain;
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
    let etcd = &config.state.etcd;
    let place = format!(
        "the etcd cluster at {}, under the prefix {}",
        etcd.endpoints.join(", "),
        etcd.prefix
    );
    let finding = |severity, kind, detail, advice: String| Finding {
        severity,
        kind,
        path: state.config().to_owned(),
        detail,
        advice,
        fixable: false,
        fixed: false,
    };
    match asked {
        Ok(opened) => {
            let detail = format!("the state is in {place}, which answers");
            let advice = "nothing to do: records in the files of this machine do not count";
            Looked {
                store: "etcd",
                opened,
                finding: Some(finding(Severity::Note, "store", detail, advice.to_owned())),
            }
        }
        Err(error) => {
            let advice = error.advice().unwrap_or_default();
            let detail = format!(
                "the state is in {place}, of which nothing can be had: {}",
                chain(&error)
            );
            Looked {
                store: "etcd",
                opened: files(),
                finding: Some(finding(Severity::Error, "store", detail, advice)),
            }
        }
    }
}
