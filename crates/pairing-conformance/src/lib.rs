//! The contract of [`PairingStore`](pairing_core::PairingStore) in executable form.
//!
//! A store runs every case as a test of its own with one call, and cannot leave one out:
//!
//! ```
//! use pairing_conformance::{Fixture, conformance};
//! use pairing_core::MemoryStore;
//!
//! fn memory() -> Fixture {
//!     Fixture::shared(MemoryStore::new())
//! }
//!
//! conformance!(memory());
//! ```
//!
//! The cases come in three groups: `contract` puts the store's four operations to the test, `service`
//! what [`Pairing`](pairing_core::Pairing) promises over it, and `faults` what is left of these promises
//! when the store fails, which [`Faulty`] makes it do. [`model`] adds random commands
//! against a reference model.
//!
//! The cases keep to what every store can hold, also one that keeps its records in OpenClaw's files:
//! a code comes and goes with its request, one batch stays within one channel, the devices or the
//! legacy nodes, times are whole
//! milliseconds, and who granted an allowlist entry may be forgotten. They never sleep; where a case
//! waits, it waits for the store's change feed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a case fails by panicking; this crate is a dependency of tests only"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "`assert_conflict(commit(..))` reads better without a `&`"
)]

mod bot;
mod contract;
mod faults;
mod faulty;
mod fixture;
mod list;
pub mod model;
mod phone;
mod registry;
mod service;

pub use faulty::{Fault, Faulty};
pub use fixture::{Fixture, seeded};

#[doc(hidden)]
pub use list::cases;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
