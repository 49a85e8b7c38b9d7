//! Calls and events on an open connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_protocol::hello::HelloOk;
use gateway_protocol::{ErrorShape, RequestFrame};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::error::Cause;
use crate::queue::Queue;
use crate::{CallError, ClientEvent, Closed};

/// Default timeout of a call.
pub const CALL: Duration = Duration::from_secs(30);

/// Maximum number of calls in flight; further calls wait for their turn.
const CALLS: usize = 256;

/// An open connection, for making calls. Clones share the connection, which ends when all of them and its
/// [`Events`] have been dropped.
#[derive(Clone)]
pub struct Client(Arc<Handle>);

struct Handle {
    hello: HelloOk,
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Utf8Bytes>,
    next: AtomicU64,
    turns: Semaphore,
}

/// The events of a connection, in order.
///
/// At most 256 events and 25 MiB are queued; if they are not read, the oldest are dropped and
/// [`ClientEvent::Missed`] reports how many. Answers to calls never wait for events.
pub struct Events {
    shared: Arc<Shared>,
    /// Keeps the connection open.
    _outgoing: mpsc::Sender<Utf8Bytes>,
}

/// State shared by the connection's task and its users.
pub(crate) struct Shared {
    pending: Mutex<Pending>,
    pub(crate) events: Queue,
    /// Notified when a user asks for the connection to end.
    pub(crate) ending: Notify,
    closed: watch::Sender<Option<Closed>>,
}

#[derive(Default)]
struct Pending {
    calls: HashMap<String, oneshot::Sender<Answer>>,
    closed: Option<Closed>,
}

pub(crate) type Answer = Result<Option<Box<RawValue>>, ErrorShape>;

impl Client {
    /// Returns both ends, their shared state, and the queue of messages for the task to send.
    pub(crate) fn new(hello: HelloOk) -> (Self, Events, Arc<Shared>, mpsc::Receiver<Utf8Bytes>) {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            events: Queue::default(),
            ending: Notify::new(),
            closed: watch::Sender::new(None),
        });
        let (outgoing, received) = mpsc::channel(16);
        let events = Events {
            shared: Arc::clone(&shared),
            _outgoing: outgoing.clone(),
        };
        let client = Self(Arc::new(Handle {
            hello,
            shared: Arc::clone(&shared),
            outgoing,
            next: AtomicU64::new(1),
            turns: Semaphore::new(CALLS),
        }));
        (client, events, shared, received)
    }

    /// Returns the `hello-ok` of this connection.
    pub fn hello(&self) -> &HelloOk {
        &self.0.hello
    }

    /// Calls a method, and waits for the answer at most [`CALL`].
    pub async fn call<P: Serialize, T: DeserializeOwned>(
        &self,
        method: &str,
        params: P,
    ) -> Result<T, CallError> {
        self.call_with_timeout(method, params, CALL).await
    }

    /// Calls a method, and waits for the answer at most `timeout`.
    pub async fn call_with_timeout<P: Serialize, T: DeserializeOwned>(
        &self,
        method: &str,
        params: P,
        timeout: Duration,
    ) -> Result<T, CallError> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed).to_string();
        let frame = RequestFrame {
            id: &id,
            method,
            params: Some(params),
        };
        let text = serde_json::to_string(&frame).map_err(CallError::Params)?;
        let at_most = usize::try_from(self.hello().policy.max_payload).unwrap_or(usize::MAX);
        if text.len() > at_most {
            let found = text.len();
            return Err(CallError::TooLarge { found, at_most });
        }
        let answer = tokio::time::timeout(timeout, self.answer(&id, text));
        let answer = answer.await.map_err(|_| CallError::Timeout(timeout))??;
        let answer = answer.as_deref().map_or("null", RawValue::get);
        // The parser's own message repeats values, and answers may hold secrets.
        serde_json::from_str(answer).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            CallError::Answer(Cause::new(&place))
        })
    }

    async fn answer(&self, id: &str, text: String) -> Result<Option<Box<RawValue>>, CallError> {
        // The semaphore is never closed.
        let _turn = self.0.turns.acquire().await;
        let waiting = Waiting::register(&self.0.shared, id).map_err(CallError::Closed)?;
        let sent = self.0.outgoing.send(text.into()).await;
        let answer = match sent {
            Ok(()) => waiting.answer().await,
            Err(_) => None,
        };
        match answer {
            Some(answer) => answer.map_err(CallError::Refused),
            None => Err(CallError::Closed(self.closed().await)),
        }
    }

    /// Ends the connection for every clone, and waits until it has ended.
    pub async fn close(&self) -> Closed {
        self.end();
        self.closed().await
    }

    /// Ends the connection without waiting.
    pub(crate) fn end(&self) {
        self.0.shared.ending.notify_one();
    }

    /// Waits until the connection has ended, and returns the reason.
    pub async fn closed(&self) -> Closed {
        let mut closed = self.0.shared.closed.subscribe();
        match closed.wait_for(Option::is_some).await {
            Ok(closed) => closed.clone().unwrap_or_else(Closed::broke_off),
            Err(_) => Closed::broke_off(),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.0.hello.server)
            .finish_non_exhaustive()
    }
}

impl Events {
    /// Returns the next event; `None` once the connection has ended and all events have been read.
    /// Cancel-safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        self.shared.events.next().await
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Shared {
    /// Passes an answer to the call that waits for it, if the call has not been dropped.
    pub(crate) fn answered(&self, id: &str, answer: Answer) {
        let waiting = self.pending().calls.remove(id);
        if let Some(waiting) = waiting {
            // The call may have been dropped since the line above.
            let _ = waiting.send(answer);
        }
    }

    /// Marks the connection as ended, and notifies all waiting calls and readers.
    pub(crate) fn end(&self, closed: Closed) {
        self.closed.send_replace(Some(closed.clone()));
        let mut pending = self.pending();
        pending.closed = Some(closed);
        pending.calls.clear();
        drop(pending);
        self.events.end();
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in flight. Unregistered when dropped, so that abandoned calls leave nothing behind.
struct Waiting<'s> {
    shared: &'s Shared,
    id: &'s str,
    answer: oneshot::Receiver<Answer>,
}

impl<'s> Waiting<'s> {
    fn register(shared: &'s Shared, id: &'s str) -> Result<Self, Closed> {
        let (sender, answer) = oneshot::channel();
        let mut pending = shared.pending();
        if let Some(closed) = &pending.closed {
            return Err(closed.clone());
        }
        pending.calls.insert(id.to_owned(), sender);
        drop(pending);
        Ok(Self { shared, id, answer })
    }

    /// Waits for the answer; `None` if the connection ends first.
    async fn answer(mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.pending().calls.remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> HelloOk {
        let hello = serde_json::json!({
            "type": "hello-ok", "protocol": 4,
            "server": { "version": "1", "connId": "c" },
            "features": { "methods": [], "events": [] },
            "snapshot": { "presence": [], "health": {}, "uptimeMs": 1,
                "stateVersion": { "presence": 1, "health": 1 } },
            "auth": { "role": "operator", "scopes": [] },
            "policy": { "maxPayload": 1000, "maxBufferedBytes": 1000, "tickIntervalMs": 1000 },
        });
        serde_json::from_value(hello).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_given_up_leave_nothing_behind() {
        let (client, _events, shared, mut outgoing) = Client::new(hello());
        let called = client.call::<_, ()>("x", ()).await;
        assert!(matches!(called, Err(CallError::Timeout(_))), "{called:?}");
        assert!(outgoing.recv().await.is_some());
        assert!(shared.pending().calls.is_empty());
    }
}
