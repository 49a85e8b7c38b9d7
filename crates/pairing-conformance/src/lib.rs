//! The contract of [`PairingStore`](pairing_core::PairingStore) in executable form.
//!
//! With one call, a store runs every case as a test of its own, and cannot leave any out:
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
//! There are three groups of cases: `contract` tests the store's four operations, `service` the promises of
//! [`Pairing`](pairing_core::Pairing) over the store, and `faults` the promises that remain when the store
//! fails, which [`Faulty`] simulates. [`model`] adds random commands checked against a reference model.
//!
//! The cases require only what every store can hold, including one that keeps its records in OpenClaw's
//! files: a code is put and deleted together with its request, a batch stays within one channel, the devices
//! or the legacy nodes, times are whole milliseconds, and the approver of an allowlist entry may be
//! forgotten. The cases never sleep; if a case waits, it waits for the store's change feed.

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

/// Turns the examples of the README into doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
