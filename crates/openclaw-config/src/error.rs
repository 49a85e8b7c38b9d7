//! Faults of a configuration: what is wrong, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

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

/// A position, and the included file that it is in; `None` for `openclaw.json` itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: Option<Arc<str>>,
    pub(crate) at: Position,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)?;
        match &self.file {
            Some(file) => write!(f, " of {file}"),
            None => Ok(()),
        }
    }
}

/// One thing that is wrong: `gateway.port: 70000 is not a port, line 4, column 11`.
///
/// Holds no secret. What it quotes is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The key (`gateway.port`, `channels.telegram.allowFrom[2]`) or variable; `None` where the text is
    /// not JSON5 at all.
    pub key: Option<String>,
    /// What is wrong with it.
    pub detail: String,
    /// Where it is written; `None` for a variable.
    pub at: Option<Position>,
    /// The included file that it is written in, as `$include` names it; `None` for `openclaw.json`.
    pub file: Option<String>,
}

impl Fault {
    /// A fault of a key or a variable that is not written in the file.
    pub fn new(key: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            detail: detail.into(),
            at: None,
            file: None,
        }
    }

    /// A fault of the text as a whole.
    pub(crate) fn of_text(detail: impl Into<String>, at: Option<Position>) -> Self {
        Self {
            key: None,
            detail: detail.into(),
            at,
            file: None,
        }
    }

    pub(crate) fn at(self, place: Option<&Place>) -> Self {
        Self {
            at: place.map(|place| place.at),
            file: place.and_then(|place| place.file.as_deref().map(str::to_owned)),
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.detail)?;
        if let Some(at) = self.at {
            write!(f, ", {at}")?;
        }
        match &self.file {
            Some(file) => write!(f, " of {file}"),
            None => Ok(()),
        }
    }
}

/// The text cannot be read at all: it is not JSON5, too large, or nested too deep.
///
/// A fault of a single key is no error: see [`Config::faults`](crate::Config::faults).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(Fault);

impl ConfigError {
    pub(crate) fn new(detail: impl Into<String>, at: Option<Position>) -> Self {
        Self(Fault::of_text(detail, at))
    }

    /// What is wrong with the text, and where.
    pub fn fault(&self) -> &Fault {
        &self.0
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file exists and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file was read, and is not a configuration.
    #[error("cannot use {}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
}
