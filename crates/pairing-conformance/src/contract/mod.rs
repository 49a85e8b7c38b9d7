//! The store's four operations, one promise per case.

pub(crate) mod batches;
pub(crate) mod conditions;
pub(crate) mod feed;
pub(crate) mod ranges;
pub(crate) mod records;
pub(crate) mod registry;
pub(crate) mod threads;
