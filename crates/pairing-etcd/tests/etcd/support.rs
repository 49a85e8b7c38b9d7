//! A service over a store, and what the tests do with it.

use std::sync::Arc;
use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::store::{Changed, Position};
use pairing_core::{
    Account, Approver, Channels, Key, Limits, ManualClock, Pairing, PairingStore, Requested,
    Timestamp,
};

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// One gateway's service.
pub(crate) struct Bot {
    pub(crate) pairing: Pairing,
}

impl Bot {
    pub(crate) fn over(store: impl PairingStore + 'static, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_354_077_013)));
        let (channels, limits) = (Channels::builtin(), Limits::default());
        Self {
            pairing: Pairing::with(store, clock, seeded(seed), channels, limits),
        }
    }

    pub(crate) fn gate(&self) -> Account {
        self.pairing
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap()
    }

    /// Lets somebody ask, and the owner approve.
    pub(crate) fn let_in(&self, sender: &str) {
        let gate = self.gate();
        let Requested::Created(created) = gate.request_or_reuse(sender).unwrap() else {
            panic!("{sender} is no stranger");
        };
        gate.approve(created.request.code.as_str(), &owner())
            .unwrap();
    }
}

pub(crate) fn owner() -> Approver {
    Approver::terminal("ann")
}

/// The key of a sender's place on the allowlist of the bot.
pub(crate) fn allow_key(gate: &Account, sender: &str) -> Key {
    let entries = gate.allowed().unwrap().entries;
    let entry = entries
        .into_iter()
        .find(|e| e.entry.as_str() == sender)
        .unwrap();
    pairing_core::Record::Allow(entry).key()
}

/// Follows the feed until a key is told of, or that nobody knows what changed; gives which of both.
pub(crate) fn wait_for(store: &dyn PairingStore, mut position: Position, key: &Key) -> Changed {
    for _ in 0..1_000 {
        // A cluster that does not answer now may do so later.
        let Ok(changes) = store.changes(Some(position), LONG) else {
            continue;
        };
        match changes.changed {
            Changed::Keys(keys) if !keys.contains(key) => position = changes.position,
            told => return told,
        }
    }
    panic!("the feed never told of it");
}

pub(crate) fn present(store: &dyn PairingStore) -> Position {
    store.changes(None, LONG).unwrap().position
}
