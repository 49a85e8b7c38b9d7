//! Tests of the public interface of the core, over `MemoryStore`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod audit;
mod channels;
mod clocks;
mod conformance;
mod devices;
mod model;
mod nodes;
mod secrets;
mod signatures;
mod threats;
mod transfer;
