//! Tests of the stores in SQLite: the contract, real databases, broken ones, crashes, and other processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod conformance;
mod crashes;
mod feed;
mod foreign;
mod install;
mod processes;
mod real;
mod surfaces;
mod the_other_program;
mod tokens;
