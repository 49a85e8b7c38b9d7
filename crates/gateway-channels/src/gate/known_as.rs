//! Which of a person's ids counts, on chat systems where people have more than one.

use std::sync::Arc;

use pairing_core::{Admission, SenderId};

use super::rules::Rules;
use super::{Gate, blocking};
use crate::sift::Letter;

impl Gate {
    /// Names the sender of a message by the id that decides about them: one that is blocked, else one that is an owner's,
    /// else one that is allowed, else the id that the message came with.
    pub(super) async fn known_as(&self, rules: &Arc<Rules>, mut letter: Letter) -> Letter {
        if letter.also.is_empty() {
            return letter;
        }
        let mut ids = std::mem::take(&mut letter.also);
        ids.insert(0, letter.sender.clone());
        let deciding = ids
            .iter()
            .position(|id| rules.is_blocked(id))
            .or_else(|| ids.iter().position(|id| rules.owners.is_owner(id)));
        let deciding = match deciding {
            Some(at) => Some(at),
            None if letter.is_direct => {
                let (rules, ids) = (Arc::clone(rules), ids.clone());
                // A store that fails allows nobody; the decision about the message finds that out itself.
                let is_allowed = move |id: &SenderId| {
                    matches!(rules.account.admit_sender(id), Ok(Admission::Approved(_)))
                };
                let found = blocking(move || ids.iter().position(is_allowed));
                found.await.flatten()
            }
            None => {
                let is_allowed = |id| rules.account.admit_sender_in_group(id).is_some();
                ids.iter().position(is_allowed)
            }
        };
        if let Some(at) = deciding {
            letter.sender = ids.swap_remove(at);
        }
        letter
    }
}
