//! The program around the channels.

use std::sync::Arc;
use std::time::Duration;

use openclaw_config::Config;
use pairing_core::Pairing;

use crate::Message;

/// What the gate and the roster need of the gateway that runs them. None of these functions waits for anything.
pub trait Host: Send + Sync + 'static {
    /// The pairing service.
    fn pairing(&self) -> &Pairing;

    /// The configuration. The same `Arc` is returned for as long as it does not change.
    fn config(&self) -> Arc<Config>;

    /// How long a stopped adapter may take to handle what it has received.
    fn drain(&self) -> Duration;

    /// Delivers an admitted message to the gateway's clients.
    fn deliver(&self, message: &Message);

    /// Counts a received message or button press by its outcome, which is one of a fixed set of words.
    fn count(&self, outcome: &'static str);
}
