//! Tests of the client against scripted gateways, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod calls;
mod credentials;
mod gateway;
mod handshake;
mod join;
mod link;
mod node;
mod recorded;
mod tls;
