//! What does not work between gateways, for the gateway's health.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::{Chain, Timestamp, escape};

use super::{Announced, CallError, GatewayId, Peers};

/// A call that failed counts for so long, if nobody calls that gateway again.
const COUNTS: Duration = Duration::from_secs(600);

/// What failed last.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Why the directory cannot be read, or written; escaped.
    pub(super) read: Option<String>,
    pub(super) written: Option<String>,
    /// The gateways that did not answer when they were called.
    silent: BTreeMap<GatewayId, Silent>,
}

#[derive(Debug)]
struct Silent {
    name: String,
    why: String,
    since: Timestamp,
    /// The last call that failed.
    at: Timestamp,
}

/// Something between gateways that does not work.
#[derive(Debug)]
pub(crate) struct PeerFault {
    /// `directory`, or the name of another gateway.
    pub(crate) name: String,
    /// Escaped.
    pub(crate) why: String,
    pub(crate) since: Option<Timestamp>,
    pub(crate) advice: &'static str,
}

impl Peers {
    /// Records whether another gateway answered a call.
    pub(crate) fn note_answer(&self, to: &Announced, failure: Option<&CallError>, now: Timestamp) {
        let silent = &mut self.trouble().silent;
        let Some(error) = failure else {
            silent.remove(&to.id);
            return;
        };
        let name = to.name.clone().unwrap_or_else(|| to.id.to_string());
        let since = silent.get(&to.id).map_or(now, |silent| silent.since);
        let failed = Silent {
            name: escape(&name).limit(64).to_string(),
            why: Chain(error).to_string(),
            since,
            at: now,
        };
        silent.insert(to.id, failed);
    }

    /// What does not work now. Gateways that have gone are forgotten.
    pub(crate) fn faults(&self, now: Timestamp) -> Vec<PeerFault> {
        let view = self.view.load();
        let mut trouble = self.trouble();
        trouble.silent.retain(|id, silent| {
            let counts = now.since(silent.at).is_none_or(|since| since < COUNTS);
            counts && view.gateway(*id).is_some()
        });
        let Trouble {
            read,
            written,
            silent,
        } = &*trouble;
        let odd = (view.odd > 0).then(|| format!("{} of its values are not understood", view.odd));
        let directory = read.clone().or_else(|| written.clone()).or(odd);
        let directory = directory.map(|why| PeerFault {
            name: "directory".to_owned(),
            why,
            since: None,
            advice: "look at the cluster in which gateways find each other: their nodes cannot be \
                     invoked from here without it",
        });
        let silent = silent.values().map(|silent| PeerFault {
            name: silent.name.clone(),
            why: silent.why.clone(),
            since: Some(silent.since),
            advice: "see whether that gateway runs, and whether this machine reaches its state.peerUrl",
        });
        directory.into_iter().chain(silent).collect()
    }

    pub(super) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
