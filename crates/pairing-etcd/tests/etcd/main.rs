//! The store on real members of etcd, which the tests start, stop and own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod asking;
mod conformance;
mod directory;
mod getting_in;
mod members;
mod model;
mod proxy;
mod support;
mod weather;
