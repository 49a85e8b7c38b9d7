//! The service over a store that fails.

pub(crate) mod store;
