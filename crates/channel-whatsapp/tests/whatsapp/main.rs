//! The adapter against a stand-in for the Cloud API, over real sockets; and `pywa` against the same one, by hand and in CI.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod delivery;
mod proof;
mod rig;
mod sending;
mod soak;
mod weather;
