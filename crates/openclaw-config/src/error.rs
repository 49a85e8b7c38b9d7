//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A place in the file; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Default for Position {
    /// The beginning.
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing that is wrong: `gateway.port: 70000 is not a port, line 4, column 11`.
///
/// Holds no secret. What it quotes is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key (`gateway.port`, `channels.telegram.allowFrom[2]`) or variable; none where the text is no
    /// JSON5 at all.
    pub key: Option<String>,
    /// What is wrong with it.
    pub detail: String,
    /// Where it is written; nowhere for a variable.
    pub at: Option<Position>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.detail)?;
        match self.at {
            Some(at) => write!(f, ", {at}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a configuration, in the order of its sections; never nothing.
///
/// Shown as its first fault and the number of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    first: Fault,
    more: Vec<Fault>,
}

impl ConfigError {
    /// `Err` as soon as there is a fault.
    pub(crate) fn check(faults: Vec<Fault>) -> Result<(), Self> {
        let mut faults = faults.into_iter();
        faults.next().map_or(Ok(()), |first| {
            let more = faults.collect();
            Err(Self { first, more })
        })
    }

    /// The faults; after twenty, others are not looked for.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

impl From<Fault> for ConfigError {
    fn from(first: Fault) -> Self {
        let more = Vec::new();
        Self { first, more }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, more } = self;
        first.fmt(f)?;
        match more.len() {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more fault)"),
            more => write!(f, " (and {more} more faults)"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is there, and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read, and cannot be used.
    #[error("cannot use {}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// A variable of the environment cannot be used.
    #[error(transparent)]
    Environment(ConfigError),
}
