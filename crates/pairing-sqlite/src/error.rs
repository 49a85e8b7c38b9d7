//! SQLite's errors as those of a store.

use std::path::Path;
use std::time::Instant;

use pairing_core::StoreError;
use pairing_core::store::BoxError;
use rusqlite::ErrorCode;

use crate::holder;

/// What was attempted when an error occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Read,
    Write,
}

/// An operation on a database file, for the errors about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'p> {
    pub(crate) path: &'p Path,
    pub(crate) attempt: Attempt,
    pub(crate) began: Instant,
}

impl<'p> Operation<'p> {
    pub(crate) fn read(path: &'p Path) -> Self {
        Self {
            path,
            attempt: Attempt::Read,
            began: Instant::now(),
        }
    }

    pub(crate) fn write(path: &'p Path) -> Self {
        Self {
            attempt: Attempt::Write,
            ..Self::read(path)
        }
    }

    /// Returns the store's error for one of SQLite's.
    pub(crate) fn failed(&self, error: rusqlite::Error) -> StoreError {
        if is_busy(&error) {
            return StoreError::Busy {
                resource: self.path.display().to_string(),
                holder: holder::of(self.path),
                waited: self.began.elapsed(),
            };
        }
        self.because(Sqlite(error))
    }

    /// Returns the store's error for any other cause.
    pub(crate) fn because(&self, source: impl Into<BoxError>) -> StoreError {
        let (resource, source) = (self.path.display().to_string(), source.into());
        match self.attempt {
            Attempt::Read => StoreError::Unreadable { resource, source },
            Attempt::Write => StoreError::Unwritable { resource, source },
        }
    }
}

/// An error of SQLite's without its source, which repeats what it says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Sqlite(rusqlite::Error);

/// Whether another connection holds a lock that the operation needs.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// The database is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Unfit {
    #[error("it is a database of another program")]
    Foreign,
    #[error(
        "its schema has version {found}, and this release knows {known}: a newer release made it"
    )]
    Newer { found: i64, known: i64 },
    #[error("it was removed or replaced while it was open: start again to use what is there now")]
    Replaced,
    #[error("it is no regular file")]
    NoFile,
}
