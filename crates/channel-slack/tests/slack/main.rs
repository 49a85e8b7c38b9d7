//! The adapter against a stand-in for Slack, over real sockets.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "tests"
)]

mod connecting;
mod interacting;
mod paused;
mod proof;
mod rig;
mod secrecy;
mod sending;
mod soak;
mod weather;
