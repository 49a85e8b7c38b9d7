//! Findings about a store on a cluster.

use openclaw_config::Config;
use pairing_core::Chain;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::store::OpenError;

/// Names the cluster that keeps the state, and says whether it answers. `failure` is the error of asking it,
/// if there was one.
pub fn of_cluster(state: &StateDir, config: &Config, failure: Option<&OpenError>) -> Finding {
    let etcd = &config.state.etcd;
    let place = format!(
        "the etcd cluster at {}, under the prefix {}",
        etcd.endpoints.join(", "),
        etcd.prefix
    );
    let (severity, detail, advice) = match failure {
        None => (
            Severity::Note,
            format!("the state is in {place}, which answers"),
            "nothing to do: records in the files of this machine do not count".to_owned(),
        ),
        Some(error) => (
            Severity::Error,
            format!(
                "the state is in {place}, of which nothing can be had: {}",
                Chain(error).unescaped()
            ),
            error.advice().unwrap_or_default(),
        ),
    };
    Finding {
        severity,
        kind: "store",
        path: state.config().to_owned(),
        detail,
        advice,
        fixable: false,
        fixed: false,
    }
}
