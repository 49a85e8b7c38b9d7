//! The adapter against a stand-in for a BlueBubbles server, over real sockets; and OpenClaw's own adapter
//! against the same one, by hand and in CI.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod catching_up;
mod delivery;
mod proof;
mod registering;
mod rig;
mod sending;
mod soak;
mod weather;
