//! The command line, as people and programs meet it.
//!
//! Most tests run it in process on a directory of their own, with a clock that stands still and seeded
//! randomness, and compare whole transcripts with the snapshots beside them. `process` runs the binary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod allowed;
mod args;
mod cases;
mod channels;
mod config;
mod database;
mod decide;
mod devices;
mod doctor;
#[cfg(feature = "etcd")]
mod etcd;
mod faults;
mod first_run;
mod gateway;
mod invites;
mod invoke;
mod list;
mod live;
mod nodes;
mod process;
mod qr;
mod request;
mod run;
mod same;
mod service;
mod session;
mod setup;
mod state;
mod theirs;
mod transfer;
mod widths;
