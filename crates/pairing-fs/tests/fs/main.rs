//! Tests of the store on files: the contract, real files, broken files, crashes, and other processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod audit;
mod bounds;
mod broken;
mod claims;
mod conformance;
mod crashes;
mod devices;
mod devices_broken;
mod half_done;
mod identity;
mod install;
mod locks;
mod older_writer;
mod processes;
mod real_files;
mod redeemers;
mod sharing;
mod state;
mod stray;
mod transfer;
