//! Tests the types against recorded traffic, their own snapshots and arbitrary input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod any;
mod recorded;
mod snapshots;
