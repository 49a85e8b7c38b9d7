//! What the service promises, over whatever store.

pub(crate) mod allowlist;
pub(crate) mod decisions;
pub(crate) mod expiry;
pub(crate) mod lockout;
pub(crate) mod requests;
pub(crate) mod surface;
pub(crate) mod together;
