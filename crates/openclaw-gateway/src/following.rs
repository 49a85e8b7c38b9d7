//! Threads that follow the store, or other gateways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pairing_core::Chain;

/// A thread that follows something. It ends soon after this is dropped.
pub(crate) struct Following(Arc<AtomicBool>);

impl Following {
    /// Starts the thread. `follow` has to return soon after its argument becomes `true`.
    pub(crate) fn start(name: &str, follow: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name(name.to_owned());
        if let Err(error) = thread.spawn(move || follow(&stopped)) {
            tracing::error!(thread = name, error = %Chain(&error), "thread not started: changes are not seen");
        }
        Self(stop)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
