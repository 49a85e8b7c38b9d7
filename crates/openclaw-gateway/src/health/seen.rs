//! What was seen last, so that it is known since when there is each fault, and what is new.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_protocol::health::{FaultState, PartFault};
use pairing_core::Timestamp;
use tokio::sync::Notify;

/// What was seen last.
#[derive(Default)]
pub(crate) struct Seen {
    /// The faults of the last check, and since when each has existed.
    known: Mutex<Known>,
    /// Something has begun, has ended, or is in another state.
    changed: Notify,
}

#[derive(Default)]
struct Known {
    states: BTreeMap<Named, (FaultState, Timestamp)>,
    faults: Vec<PartFault>,
}

/// The part, and which one.
pub(super) type Named = (&'static str, Option<String>);

/// A part that does not work as it should.
pub(super) struct Fault {
    pub(super) named: Named,
    pub(super) state: FaultState,
    pub(super) why: String,
    /// Since when, if the part knows that itself.
    pub(super) since: Option<Timestamp>,
    pub(super) advice: Option<String>,
}

impl Seen {
    /// A fault as it was seen last.
    pub(super) fn before(&self, part: &'static str, name: &str) -> Option<Fault> {
        let known = self.known();
        let mut faults = known.faults.iter();
        let fault =
            faults.find(|fault| fault.part == part && fault.name.as_deref() == Some(name))?;
        Some(Fault {
            named: (part, Some(name.to_owned())),
            state: fault.state,
            why: fault.why.clone(),
            since: Some(Timestamp::from_millis(fault.since_ms)),
            advice: fault.advice.clone(),
        })
    }

    /// Notes since when there is each fault, and logs those that began or ended.
    pub(super) fn remember(&self, found: Vec<Fault>, now: Timestamp) -> Vec<PartFault> {
        let mut known = self.known();
        let mut has_changed = false;
        let mut next = BTreeMap::new();
        let mut told = Vec::new();
        for fault in found {
            let before = known.states.get(&fault.named);
            let since = fault
                .since
                .or(before.map(|(_, since)| *since))
                .unwrap_or(now);
            let (part, name) = &fault.named;
            if before.is_none_or(|(state, _)| *state != fault.state) {
                has_changed = true;
                tracing::warn!(
                    part,
                    name,
                    state = fault.state.as_str(),
                    why = fault.why,
                    advice = fault.advice,
                    "a part of the gateway does not work as it should"
                );
            }
            told.push(PartFault {
                part: (*part).to_owned(),
                name: name.clone(),
                state: fault.state,
                why: fault.why,
                since_ms: since.as_millis(),
                advice: fault.advice,
            });
            next.insert(fault.named, (fault.state, since));
        }
        for (part, name) in known
            .states
            .keys()
            .filter(|named| !next.contains_key(*named))
        {
            has_changed = true;
            tracing::info!(part, name, "a part of the gateway works again");
        }
        *known = Known {
            states: next,
            faults: told.clone(),
        };
        if has_changed {
            self.changed.notify_one();
        }
        told
    }

    /// The faults that were seen last.
    pub(super) fn faults(&self) -> Vec<PartFault> {
        self.known().faults.clone()
    }

    /// Waits until something begins, ends, or is in another state.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_its_beginning_until_it_ends() {
        let seen = Seen::default();
        let at = Timestamp::from_millis;
        let fault = |state| Fault {
            named: ("disk", None),
            state,
            why: String::new(),
            since: None,
            advice: None,
        };
        let since = |found: Vec<Fault>, now| -> Vec<_> {
            let told = seen.remember(found, at(now));
            told.iter().map(|fault| fault.since_ms).collect()
        };
        let logs = test_support::Logs::default();
        logs.during(|| {
            assert_eq!(since(vec![fault(FaultState::Degraded)], 1), [1]);
            assert_eq!(since(vec![fault(FaultState::Degraded)], 2), [1]);
            assert_eq!(since(vec![fault(FaultState::Down)], 3), [1]);
            assert!(since(Vec::new(), 4).is_empty());
            assert_eq!(since(vec![fault(FaultState::Down)], 5), [5]);
        });
        let text = logs.text();
        assert_eq!(
            text.matches("does not work as it should").count(),
            3,
            "{text}"
        );
        assert_eq!(text.matches("works again").count(), 1, "{text}");
    }
}
