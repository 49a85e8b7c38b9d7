//! The adapter against a stand-in for a BlueBubbles server, over real sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod catching_up;
mod delivery;
mod registering;
mod rig;
mod sending;
mod weather;
