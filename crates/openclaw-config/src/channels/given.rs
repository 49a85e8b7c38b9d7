//! What an account has of its own, over what its channel has.

use std::sync::Arc;

use crate::Fault;
use crate::read::Given;

/// The account's, or the channel's where that is not set. A fault is no reason to fall back.
pub(super) fn or<T: Clone>(own: &Given<T>, all: &Given<T>) -> Given<T> {
    match own {
        Ok(None) => all.clone(),
        given => given.clone(),
    }
}

pub(super) fn value<T: Clone>(given: &Given<T>) -> Option<T> {
    given.as_ref().ok().cloned().flatten()
}

pub(super) fn fault<T>(given: &Given<T>) -> Option<&Arc<Fault>> {
    given.as_ref().err()
}

/// The fault of whichever of the two counts.
pub(super) fn counting<'g, T>(own: &'g Given<T>, all: &'g Given<T>) -> Option<&'g Arc<Fault>> {
    match own {
        Ok(None) => fault(all),
        given => fault(given),
    }
}
