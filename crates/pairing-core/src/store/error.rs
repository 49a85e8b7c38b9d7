//! What can go wrong in a store.

use std::time::Duration;

/// What went wrong behind a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A store could not do what it was asked to.
///
/// One concrete type for every store, so that the trait stays object-safe; what a backend has to say
/// of its own is in `source()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A record or range that the decision read has changed since. The service reads and decides anew.
    #[error("what the decision rests on has changed meanwhile")]
    Conflict,
    /// Somebody else holds the lock for longer than the configured wait.
    #[error("{resource} is locked by {holder}, waited {} ms", .waited.as_millis())]
    Busy {
        /// What is locked.
        resource: String,
        /// The holder, as far as can be told.
        holder: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// State is there but cannot be understood or read; it was left as it is.
    #[error("cannot read {resource}")]
    Unreadable {
        /// The file or key.
        resource: String,
        /// Why.
        source: BoxError,
    },
    /// A write did not happen, or nobody can tell whether it did.
    #[error("cannot write {resource}")]
    Unwritable {
        /// The file or key.
        resource: String,
        /// Why.
        source: BoxError,
    },
    /// Whoever keeps the state does not answer, or has too few of its machines to.
    #[error("cannot reach {resource}")]
    Unreachable {
        /// What was asked.
        resource: String,
        /// Why.
        source: BoxError,
    },
    /// The batch cannot be stored by this store, whatever the state.
    #[error("the store refuses the change: {reason}")]
    Refused {
        /// Why, for a person.
        reason: String,
    },
}

impl StoreError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Conflict => Some("try again: others were changing the same state".to_owned()),
            Self::Busy { .. } => {
                Some("wait for that process, or end it if it hangs, and try again".to_owned())
            }
            Self::Unreadable { .. } => Some(
                "run `openclaw doctor` to see what is wrong with it; nothing was changed"
                    .to_owned(),
            ),
            Self::Unwritable { .. } => {
                Some("check free space and permissions, then try again".to_owned())
            }
            Self::Unreachable { .. } => Some(
                "check that most of its members run and can be reached from here, then try again"
                    .to_owned(),
            ),
            Self::Refused { .. } => None,
        }
    }
}

/// Something stored that was passed over: reported, and carried along unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or key.
    pub resource: String,
    /// What is wrong with it, for a person.
    pub detail: String,
}
