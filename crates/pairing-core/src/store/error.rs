//! The errors of a store.

use std::time::Duration;

use crate::Chain;

/// The underlying error of a store error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An operation of the store failed.
///
/// One concrete type for all stores, so that the trait stays object-safe; `source()` returns the error of
/// the particular backend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A record or range that the decision read has changed since. The service reads and decides again.
    #[error("what the decision rests on has changed meanwhile")]
    Conflict,
    /// Another holder has kept the lock for longer than the configured wait.
    #[error("{resource} is locked by {holder}, waited {} ms", .waited.as_millis())]
    Busy {
        /// The file or key that is locked.
        resource: String,
        /// The holder, as far as it is known.
        holder: String,
        /// How long the operation waited.
        waited: Duration,
    },
    /// The state exists but cannot be read or understood; it was left unchanged.
    #[error("cannot read {resource}")]
    Unreadable {
        /// The file or key.
        resource: String,
        /// The cause.
        source: BoxError,
    },
    /// A write did not happen, or it is unknown whether it did.
    #[error("cannot write {resource}")]
    Unwritable {
        /// The file or key.
        resource: String,
        /// The cause.
        source: BoxError,
    },
    /// The storage does not answer, or too few of its members do.
    #[error("cannot reach {resource}")]
    Unreachable {
        /// The storage that was contacted.
        resource: String,
        /// The cause.
        source: BoxError,
    },
    /// This store cannot store the batch, regardless of its state.
    #[error("the store refuses the change: {reason}")]
    Refused {
        /// The reason, in words for a person.
        reason: String,
    },
}

impl StoreError {
    /// Whether others changed what the decision rests on.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    /// Whether the store cannot be used at present: it is locked, or cannot be reached, read or written.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Unreachable { .. } => true,
            Self::Conflict | Self::Refused { .. } => false,
        }
    }
}

/// Stored data that was skipped: it is reported, and kept unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or key.
    pub resource: String,
    /// The problem with it, in words for a person.
    pub detail: String,
}

impl Problem {
    /// Returns what an error says about the record that could not be read.
    pub fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Unreadable { resource, source } => Self {
                resource: resource.clone(),
                detail: Chain(&**source).unescaped(),
            },
            other => Self {
                resource: "a record".to_owned(),
                detail: Chain(other).unescaped(),
            },
        }
    }
}
