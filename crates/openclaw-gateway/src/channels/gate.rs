//! What the gateway has of channels.

use std::sync::{Arc, OnceLock};

use super::{Adapters, OwnerCommands};

/// What the gateway has of channels.
#[derive(Default)]
pub(crate) struct Channels {
    pub(crate) adapters: Adapters,
    /// What owners may say.
    pub(crate) commands: OnceLock<Arc<dyn OwnerCommands>>,
}
