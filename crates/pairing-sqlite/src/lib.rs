//! OpenClaw pairing state in SQLite.
//!
//! - [`OpenClawStore`] is a [`PairingStore`](pairing_core::PairingStore) on OpenClaw's own database, where an
//!   install has one ([`find`] tells). Both programs read and write the same rows.
//! - [`OwnStore`] is one on a database of this project's own, for installs that have outgrown files: an
//!   approval, a new device and a revocation cost the same at ten records and at a million, and memory holds
//!   a bounded cache of what is in use.
//!
//! Both run the whole conformance suite. What OpenClaw's tables have no place for is kept in a database
//! beside, so that no case of the suite is left out; if that is lost, so are who granted what, wrong codes,
//! senders turned away, legacy nodes and setup codes, and no grant. Two accounts of a channel whose names
//! differ only in characters that OpenClaw's tables do not hold cannot both be stored there: the second is
//! refused.

mod cache;
mod database;
mod digest;
mod error;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod holder;
mod install;
mod json;
mod openclaw;
mod own;
mod paths;
mod signal;
mod stored;

pub use install::{Description, Paths, find, leftovers};
pub use openclaw::{OpenClawStore, Settings};
pub use own::OwnStore;

/// Turns the examples of the README into doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
