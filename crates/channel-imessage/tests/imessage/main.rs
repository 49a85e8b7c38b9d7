//! The adapter against a stand-in for `imsg rpc`, a child process with real pipes.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod listening;
mod rig;
mod sending;
mod soak;
mod weather;
