//! The types against what was recorded, against their own snapshots, and against anything at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints know tests by their attribute, and helpers have none"
)]

mod any;
mod recorded;
mod snapshots;
