//! What became of setup codes, for the owner who shows one and waits.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gateway_protocol::event::{SETUP_COMPLETED, SETUP_DELIVERY_UNCERTAIN};
use gateway_protocol::setup::{SetupOutcome, SetupStatus};
use pairing_core::Timestamp;

use crate::clients::Clients;
use crate::frames;

/// Maximum number of outcomes; the oldest makes room.
const MOST: usize = 256;

/// How long an outcome is kept, which is far longer than a setup code is good for.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The outcomes of setup codes whose devices connected to this gateway. A restart forgets them.
#[derive(Default)]
pub(crate) struct SetupOutcomes(Mutex<VecDeque<Kept>>);

struct Kept {
    outcome: SetupOutcome,
    /// Whether the device's token has gone out.
    is_delivered: bool,
}

impl SetupOutcomes {
    /// Notes that the token of a device is about to be sent: until it has gone out, nobody knows whether it will.
    pub(crate) fn begin(&self, outcome: SetupOutcome) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::from_millis(outcome.ts);
        kept.retain(|one| {
            let age = now.since(Timestamp::from_millis(one.outcome.ts));
            age.is_none_or(|age| age < KEPT)
        });
        // The device's other role comes with the same code.
        if kept
            .iter()
            .any(|one| one.outcome.setup_id == outcome.setup_id && one.is_delivered)
        {
            return;
        }
        kept.retain(|one| one.outcome.setup_id != outcome.setup_id);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back(Kept {
            outcome,
            is_delivered: false,
        });
    }

    /// Notes whether the token has gone out, and tells those who may see the device; once for each code.
    pub(crate) fn end(&self, outcome: &SetupOutcome, is_delivered: bool, clients: &Clients) {
        let name = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let one = kept.iter_mut().find(|one| one.outcome == *outcome);
            let Some(one) = one.filter(|one| !one.is_delivered) else {
                return;
            };
            one.is_delivered = is_delivered;
            if is_delivered {
                SETUP_COMPLETED
            } else {
                SETUP_DELIVERY_UNCERTAIN
            }
        };
        let event = frames::event(name, outcome);
        clients
            .sessions
            .broadcast(&event, |session| session.may_see_device(outcome.device_id));
    }

    /// What became of the code with this id, as far as this gateway knows.
    pub(crate) fn of(&self, setup_id: &str) -> Option<SetupStatus> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept
            .iter()
            .find(|one| one.outcome.setup_id.as_str() == setup_id)?;
        let outcome = Some(one.outcome.clone());
        Some(if one.is_delivered {
            SetupStatus {
                completion: outcome,
                ..SetupStatus::default()
            }
        } else {
            SetupStatus {
                delivery_uncertain: outcome,
                ..SetupStatus::default()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use gateway_protocol::setup::{SetupAccess, SetupCodeId};
    use pairing_core::device::{DeviceKey, TokenHash};
    use pairing_core::{DeviceId, SecretToken};

    use super::*;

    fn outcome(n: u8, ts: i64) -> SetupOutcome {
        let token = SecretToken::parse(&format!("{n:043}")).unwrap();
        let key = DeviceKey::parse("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        SetupOutcome {
            setup_id: SetupCodeId::of(&TokenHash::of(&token)),
            device_id: DeviceId::of(&key),
            device_name: None,
            access: SetupAccess::Node,
            ts,
        }
    }

    #[test]
    fn an_outcome_is_uncertain_until_its_token_has_gone_out() {
        let (outcomes, clients) = (SetupOutcomes::default(), Clients::default());
        let (one, id) = (outcome(1, 5), outcome(1, 5).setup_id);
        assert_eq!(outcomes.of(id.as_str()), None);
        outcomes.begin(one.clone());
        let uncertain = outcomes.of(id.as_str()).unwrap();
        assert_eq!(uncertain.delivery_uncertain, Some(one.clone()));
        outcomes.end(&one, false, &clients);
        assert_eq!(outcomes.of(id.as_str()), Some(uncertain));
        // The same device fetches it again.
        let again = outcome(1, 9);
        outcomes.begin(again.clone());
        outcomes.end(&again, true, &clients);
        let completed = outcomes.of(id.as_str()).unwrap();
        assert_eq!(completed.completion, Some(again.clone()));
        // What is completed stays so, whatever happens to its other role.
        outcomes.begin(outcome(1, 11));
        outcomes.end(&outcome(1, 11), false, &clients);
        assert_eq!(outcomes.of(id.as_str()), Some(completed));
    }

    #[test]
    fn they_are_bounded_in_number_and_in_age() {
        let outcomes = SetupOutcomes::default();
        for n in 0..=255 {
            outcomes.begin(outcome(n, i64::from(n)));
        }
        let known = |n| outcomes.of(outcome(n, 0).setup_id.as_str()).is_some();
        assert!(known(0) && known(255));
        let more = SetupOutcome {
            setup_id: SetupCodeId::of(&TokenHash::of(
                &SecretToken::parse(&"x".repeat(43)).unwrap(),
            )),
            ..outcome(0, 300)
        };
        outcomes.begin(more.clone());
        assert!(!known(0) && known(1));
        let day = 24 * 60 * 60 * 1000;
        outcomes.begin(outcome(7, day + 200));
        assert!(!known(200) && known(201), "those of a day ago are gone");
    }
}
