//! The source of randomness, which the caller supplies.

use std::sync::{Mutex, PoisonError};

use rand_core::TryCryptoRng;

/// A source of unpredictable bytes, shared between threads.
///
/// Any cryptographic generator of the `rand_core` family implements it when wrapped in a [`Mutex`];
/// `pairing_fs::SystemEntropy` uses the generator of the operating system.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`, or fails.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of randomness failed; nothing was decided.
#[derive(Debug, thiserror::Error)]
#[error("no randomness to be had")]
pub struct EntropyError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl EntropyError {
    /// Wraps the generator's error.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl<R> Entropy for Mutex<R>
where
    R: TryCryptoRng + Send,
    R::Error: Send + Sync + 'static,
{
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        // The generator stays usable after a panic in another thread that held the lock.
        let mut rng = self.lock().unwrap_or_else(PoisonError::into_inner);
        rng.try_fill_bytes(bytes).map_err(EntropyError::new)
    }
}

impl<E: Entropy + ?Sized> Entropy for std::sync::Arc<E> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(bytes)
    }
}
