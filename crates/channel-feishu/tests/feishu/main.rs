//! The adapter against a stand-in for Feishu, over real sockets.
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
mod proof;
mod rig;
mod secrecy;
mod sending;
mod soak;
mod tokens;
mod weather;
