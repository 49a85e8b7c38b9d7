//! The core as its users see it, over `MemoryStore`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod conformance;
mod model;
mod secrets;
mod signatures;
mod threats;
