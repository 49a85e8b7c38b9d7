//! The source of changes: a gateway, or the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use gateway_client::ClientEvent;
use pairing_core::Pairing;
use pairing_core::store::{Changed, Position};

use super::{LOOK_AGAIN, Woken};
use crate::Failure;
use crate::backend::Backend;
use crate::remote::Remote;

/// Reports every change from the moment that it is created. It is created before the first read, so that no
/// change is missed.
pub(crate) struct Source {
    pub(super) sender: Sender<Woken>,
    pub(super) woken: Receiver<Woken>,
    pub(super) following: Following,
}

/// A thread that reports changes.
pub(super) struct Following {
    stop: Arc<AtomicBool>,
    close: Option<Box<dyn FnOnce()>>,
}

/// Time until the thread notices that nobody listens.
const TURN: Duration = Duration::from_secs(1);

impl Source {
    /// Reports every change from now on.
    pub(crate) fn follow(backend: &mut Backend) -> Result<Self, Failure> {
        let (sender, woken) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let close = match backend {
            Backend::Files(files) => {
                let service = files.service.clone();
                let now = service.changes(None, Duration::ZERO)?.position;
                let stop = Arc::clone(&stop);
                let sender = sender.clone();
                thread::spawn(move || of_files(&service, now, &stop, &sender));
                None
            }
            Backend::Gateway(remote) => Some(of_gateway(remote, sender.clone())),
        };
        Ok(Self {
            sender,
            woken,
            following: Following { stop, close },
        })
    }

    /// Waits for a change, or until it is time to look again.
    pub(crate) fn wait(&self) -> Result<(), Failure> {
        match self.woken.recv_timeout(LOOK_AGAIN) {
            Ok(Woken::Ended(failure)) => Err(failure),
            // The sender is held here as well, so that the channel stays open.
            Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
        }
    }

    /// Stops following.
    pub(crate) fn end(self) {
        self.following.end();
    }
}

impl Following {
    pub(super) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(close) = self.close {
            close();
        }
    }
}

fn of_files(service: &Pairing, mut at: Position, stop: &AtomicBool, sender: &Sender<Woken>) {
    while !stop.load(Ordering::Relaxed) {
        let woken = match service.changes(Some(at), TURN) {
            Ok(changes) => {
                at = changes.position;
                if matches!(&changes.changed, Changed::Keys(keys) if keys.is_empty()) {
                    continue;
                }
                Woken::Changed
            }
            Err(error) => Woken::Ended(error.into()),
        };
        let ends = matches!(woken, Woken::Ended(_));
        if sender.send(woken).is_err() || ends {
            return;
        }
    }
}

fn of_gateway(remote: &mut Remote, sender: Sender<Woken>) -> Box<dyn FnOnce()> {
    let (runtime, client) = (remote.runtime(), remote.client());
    let url = remote.target.url.as_str().to_owned();
    if let Some(mut events) = remote.events.take() {
        let (runtime, client) = (Arc::clone(&runtime), client.clone());
        thread::spawn(move || {
            while let Some(event) = runtime.block_on(events.next()) {
                if is_news(&event) && sender.send(Woken::Changed).is_err() {
                    return;
                }
            }
            let closed = runtime.block_on(client.closed());
            // Nobody listens if this is the end that was asked for.
            let _ = sender.send(Woken::Ended(Failure::Ended { url, closed }));
        });
    }
    Box::new(move || {
        runtime.block_on(client.close());
    })
}

fn is_news(event: &ClientEvent) -> bool {
    matches!(
        event,
        ClientEvent::DeviceRequested(_)
            | ClientEvent::DeviceResolved(_)
            | ClientEvent::DmRequested(_)
            | ClientEvent::DmResolved(_)
            | ClientEvent::Missed(_)
    )
}
