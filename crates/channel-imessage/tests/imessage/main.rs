//! The adapter against a stand-in for `imsg rpc`, a child process with real pipes; and OpenClaw's own adapter, by hand and in CI.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod listening;
mod proof;
mod rig;
mod sending;
mod soak;
mod weather;
