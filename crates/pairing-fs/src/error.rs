//! The reasons why a file cannot be used.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::StoreError;

/// A state file exists but cannot be used. Its bytes are left unchanged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Zero bytes, as a full disk or the crash of another program leaves it.
    #[error("the file is empty")]
    Empty,
    /// Not UTF-8.
    #[error("line {line}, column {column}: not UTF-8")]
    NotUtf8 {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// Not JSON, or JSON of the wrong shape for this file.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// Description of the error at that position.
        reason: String,
    },
    /// A directory, a device or a pipe instead of a regular file.
    #[error("not a regular file")]
    NotAFile,
    /// A symbolic link whose target does not exist.
    #[error("a symbolic link to {}, which does not exist", to.display())]
    DanglingLink {
        /// Target of the link.
        to: PathBuf,
    },
    /// Larger than 64 MiB.
    #[error(
        "the file has {found} bytes, at most {} are read",
        crate::MAX_FILE_BYTES
    )]
    TooLarge {
        /// Size of the file, in bytes.
        found: u64,
    },
    /// An error of the operating system.
    #[error(transparent)]
    Io(Arc<io::Error>),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

pub(crate) fn unreadable(path: &Path, source: FileError) -> StoreError {
    StoreError::Unreadable {
        resource: path.display().to_string(),
        source: Box::new(source),
    }
}

pub(crate) fn unwritable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unwritable {
        resource: path.display().to_string(),
        source: Box::new(source),
    }
}
