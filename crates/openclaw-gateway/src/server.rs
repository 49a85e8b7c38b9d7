//! What sockets are served with.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;

use crate::methods::Methods;
use crate::parts::Parts;

/// What sockets are served with: the gateway's parts, its methods, and the signal to stop. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) parts: Arc<Parts>,
    pub(crate) methods: Arc<Methods>,
    /// The names of methods and events, as every `hello-ok` lists them.
    pub(crate) features: Arc<RawValue>,
    stop: watch::Receiver<bool>,
}

impl Server {
    /// A server, and what tells it to stop: `true` does.
    pub(crate) fn new(parts: Arc<Parts>, methods: Arc<Methods>) -> (watch::Sender<bool>, Self) {
        let (sender, stop) = watch::channel(false);
        // Names can always be written as JSON.
        let features = to_raw_value(&methods.features()).unwrap_or_default();
        let server = Self {
            parts,
            methods,
            features: features.into(),
            stop,
        };
        (sender, server)
    }

    /// Whether the gateway stops.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the gateway stops.
    pub(crate) async fn stopped(&self) {
        // A sender that is gone means the same.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }
}
