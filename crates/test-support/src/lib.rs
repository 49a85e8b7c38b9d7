//! Helpers of this workspace's tests. Never published.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a helper of a test fails by panicking"
)]

mod logs;

pub use logs::Logs;
