//! The gateway over real sockets: every check, limit and event.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod handshake;
mod support;
