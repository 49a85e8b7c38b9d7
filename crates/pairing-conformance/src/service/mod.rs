//! The promises of the service, over any store.

pub(crate) mod allowlist;
pub(crate) mod at_once;
pub(crate) mod bearers;
pub(crate) mod claims;
pub(crate) mod decisions;
pub(crate) mod expiry;
pub(crate) mod lockout;
pub(crate) mod nodes;
pub(crate) mod requests;
pub(crate) mod surface;
pub(crate) mod together;
pub(crate) mod tokens;
