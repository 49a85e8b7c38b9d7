//! Futures of object-safe traits.

use std::future::Future;
use std::pin::Pin;

/// A boxed future, as an object-safe trait returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
