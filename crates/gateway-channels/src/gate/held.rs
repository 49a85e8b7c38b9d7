//! The message by which a stranger asked, kept until there is an answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pairing_core::{PairingCode, SenderId};

use crate::sift::Letter;

/// First messages of strangers who wait, of one account: at most one of each.
///
/// In memory only: a stranger writes nothing to the disk but their request, and a restart forgets.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<SenderId, First>>);

#[derive(Debug)]
struct First {
    code: PairingCode,
    letter: Letter,
}

/// The longest text that is kept, in bytes. Half of what somebody said may mean something else, so that
/// what is longer is not kept at all.
const MAX_TEXT: usize = 4096;

/// More than may wait at a time: what the store has not told the end of in time goes.
const MOST: usize = 64;

impl Held {
    /// Keeps a message, in place of one by the same sender.
    pub(super) fn keep(&self, code: PairingCode, letter: Letter) {
        let mut inner = self.inner();
        inner.remove(&letter.sender);
        if letter.text.len() <= MAX_TEXT && inner.len() < MOST {
            inner.insert(letter.sender.clone(), First { code, letter });
        }
    }

    /// The sender, and the code of their request.
    pub(super) fn waiting(&self) -> Vec<(SenderId, PairingCode)> {
        let inner = self.inner();
        let all = inner.iter();
        all.map(|(sender, first)| (sender.clone(), first.code))
            .collect()
    }

    /// Takes the message out: whoever gets it is the only one.
    pub(super) fn take(&self, sender: &SenderId) -> Option<Letter> {
        self.inner().remove(sender).map(|first| first.letter)
    }

    /// Forgets the message of a request, but not one of a later request.
    pub(super) fn forget(&self, sender: &SenderId, code: PairingCode) {
        let mut inner = self.inner();
        if inner.get(sender).is_some_and(|first| first.code == code) {
            inner.remove(sender);
        }
    }

    fn inner(&self) -> MutexGuard<'_, HashMap<SenderId, First>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
