//! Why a file cannot be used.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairing_core::StoreError;

/// A state file is there but cannot be used. Its bytes are left as they are.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Not a single byte: what a full disk or a crash of another program leaves.
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
    /// Not JSON, or not the JSON that belongs there.
    #[error("line {line}, column {column}: {reason}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A directory, a device or a pipe in place of a file.
    #[error("not a regular file")]
    NotAFile,
    /// A symbolic link that leads nowhere.
    #[error("a symbolic link to {}, which does not exist", to.display())]
    DanglingLink {
        /// Where the link points.
        to: PathBuf,
    },
    /// More than 64 MiB.
    #[error(
        "the file has {found} bytes, at most {} are read",
        crate::MAX_FILE_BYTES
    )]
    TooLarge {
        /// Its size.
        found: u64,
    },
    /// The operating system's word.
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
