//! The adapter against a stand-in for signal-cli's daemon, over real sockets; and against the real one, by hand and in CI.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod child;
mod linking;
mod listening;
mod logging_out;
mod proof;
mod rig;
mod sending;
mod soak;
mod weather;
