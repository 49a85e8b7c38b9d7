//! The gateway over real sockets: every check, limit and event.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod access;
mod credentials;
mod frames;
mod guesses;
mod handshake;
mod hello;
mod http;
mod lockout;
mod proof;
mod recorded;
mod refusals;
mod setup_codes;
mod sockets;
mod support;
mod tls;
