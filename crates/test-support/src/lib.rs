//! Helpers of this workspace's tests. Never published.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a helper of a test fails by panicking"
)]

pub mod bluebubbles;
pub mod discord;
pub mod feishu;
mod hostile;
pub mod imsg;
mod logs;
mod proxy;
mod running;
mod serve;
pub mod signal;
pub mod slack;
mod soak;
pub mod whatsapp;

pub use hostile::{HOSTILE_NAMES, values_of};
pub use logs::Logs;
pub use proxy::Proxy;
pub use running::{Counting, RunningAdapter};
pub use soak::{Soaked, soak, soak_seconds};
