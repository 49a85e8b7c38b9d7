//! Threads that follow something outside: the store, other gateways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::shared::Shared;
use pairing_core::Chain;

/// A thread that follows something. It ends soon after this is dropped.
pub(crate) struct Following(Arc<AtomicBool>);

impl Following {
    /// Starts it. `follow` returns once what it is handed says so.
    pub(crate) fn start(
        name: &str,
        shared: &Arc<Shared>,
        follow: impl FnOnce(&Arc<Shared>, &AtomicBool) + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (shared.clone(), stop.clone());
        let thread = std::thread::Builder::new().name(name.to_owned());
        if let Err(error) = thread.spawn(move || follow(&shared, &stopped)) {
            tracing::error!(error = %Chain(&error), "there is no thread for {name}: changes are not seen");
        }
        Self(stop)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
