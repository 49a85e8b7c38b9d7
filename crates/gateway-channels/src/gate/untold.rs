//! Strangers whose request was made, and who could not be told their code.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pairing_core::{PairingCode, SenderId};

/// Whom to tell at their next message, of one account. In memory: a restart forgets.
#[derive(Debug, Default)]
pub(super) struct UndeliveredCodes(Mutex<HashMap<SenderId, PairingCode>>);

/// More than may wait at a time.
const MOST: usize = 64;

impl UndeliveredCodes {
    /// They do not know this code.
    pub(super) fn note(&self, sender: &SenderId, code: PairingCode) {
        let mut inner = self.inner();
        if inner.len() < MOST || inner.contains_key(sender) {
            inner.insert(sender.clone(), code);
        }
    }

    /// Whether the sender does not know this code yet. The caller then has to tell them.
    pub(super) fn take(&self, sender: &SenderId, code: PairingCode) -> bool {
        self.inner().remove(sender) == Some(code)
    }

    fn inner(&self) -> MutexGuard<'_, HashMap<SenderId, PairingCode>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
