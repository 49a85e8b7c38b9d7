//! A short text that an adapter saves across restarts.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A short text that survives a restart, such as the number of the last update that was received.
///
/// The program that runs the adapter decides where it is kept; an adapter knows no directory.
///
/// What must hold:
/// - After [`save`](Self::save) returned `Ok`, [`load`](Self::load) returns that text, also after a crash.
/// - A reader never sees half of a text.
///
/// Both may block on a disk: call them on the blocking pool.
pub trait SavedText: Send + Sync + fmt::Debug + 'static {
    /// The saved text; `None` if there is none, or if it cannot be read.
    fn load(&self) -> Option<String>;

    /// Saves a text in place of the one before.
    fn save(&self, text: &str) -> Result<(), SaveError>;
}

/// The mark of an account in what it saves: the beginning of its fingerprint, so that another account does not go on with
/// it. It tells nothing of the secret that the fingerprint is made of.
pub fn mark(fingerprint: &[u8; 32]) -> String {
    let head = fingerprint.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(head))
}

/// The text was not saved.
#[derive(Debug, thiserror::Error)]
#[error("the adapter's state cannot be saved")]
pub struct SaveError {
    /// The cause.
    source: Box<dyn Error + Send + Sync>,
    advice: Option<String>,
}

impl SaveError {
    /// An error with its cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
            advice: None,
        }
    }

    /// The same, with what the owner can do about it, if that is known.
    pub fn with_advice(self, advice: Option<String>) -> Self {
        Self { advice, ..self }
    }

    /// What the owner can do about it, where that is known.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

/// A [`SavedText`] in memory, for tests and for programs in which a repeated message does no harm: a restart
/// forgets it.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<Option<String>>);

impl SavedText for InMemory {
    fn load(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn save(&self, text: &str) -> Result<(), SaveError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
        Ok(())
    }
}
