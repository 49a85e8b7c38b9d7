//! OpenClaw pairing state in SQLite.
//!
//! [`OwnStore`] is a [`PairingStore`](pairing_core::PairingStore) on a database of this project's own, for
//! installs that have outgrown files: an approval, a new device and a revocation cost the same at ten
//! records and at a million, and memory holds a bounded cache of what is in use.

mod cache;
mod database;
mod error;
mod file;
mod holder;
mod own;
mod paths;
mod signal;
mod stored;

pub use own::OwnStore;

/// Turns the examples of the README into doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
