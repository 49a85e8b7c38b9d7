//! The gateway over real sockets: every check, limit and event.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "tests"
)]

mod devices;
mod dm;
mod elsewhere;
mod embedding;
mod events;
mod handshake;
mod invoke;
mod methods;
mod nodes;
mod reloading;
mod serving;
mod sessions;
mod shown;
mod stopping;
mod stores;
mod support;
mod talk;
mod tokens;
mod weather;
