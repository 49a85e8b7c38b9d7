//! A connection that reconnects.

use std::sync::Arc;
use std::time::Duration;

use pairing_core::Entropy;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::backoff::{Backoff, LASTED};
use crate::{Client, ClientEvent, Closed, Connect, ConnectError, Events};

/// A connection that is re-established whenever it ends. Dropping the link ends it for every [`Client`] that
/// the link has handed out.
///
/// - Each backoff wait is random, between zero and a bound that grows from 1 s to 30 s. While the owner's
///   approval is pending, it is 5 s to 15 s, so that the request stays alive; after a wrong secret, 15 s to
///   30 s. A longer delay that the gateway asks for is observed, up to an hour.
/// - Gives up only if a retry is certain to fail: [`LinkEvent::GaveUp`] is then the last event.
/// - If its events are not read, the link waits for that before it reconnects; an open connection stays
///   alive.
pub struct Link {
    events: mpsc::Receiver<LinkEvent>,
    task: AbortHandle,
}

/// An event of a [`Link`].
#[derive(Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is matched on"
)]
pub enum LinkEvent {
    /// The link is connected.
    Connected(Client),
    /// The owner has to approve first. Sent once per request; texts are as the gateway wrote them.
    PairingRequired {
        /// Id of the pending request.
        request_id: String,
        /// Recommended next step for the owner.
        hint: Option<String>,
        /// Kind of approval that is missing: `not-paired`, `role-upgrade`, `scope-upgrade` or
        /// `metadata-upgrade`.
        reason: Option<String>,
        /// Time until the next attempt.
        retry_in: Duration,
    },
    /// An event from the gateway.
    Event(ClientEvent),
    /// The connection ended, or an attempt to connect failed.
    Disconnected {
        /// Reason for the disconnection.
        why: Disconnect,
        /// Time until the next attempt.
        retry_in: Duration,
    },
    /// The link has given up. No event follows.
    GaveUp(ConnectError),
}

/// Reason why a link is not connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnect {
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Closed(Closed),
    /// The connection could not be made.
    #[error(transparent)]
    Failed(ConnectError),
}

impl Link {
    pub(crate) fn new(connect: Connect, jitter: Arc<dyn Entropy>) -> Self {
        let (sender, events) = mpsc::channel(1);
        let keeping = Keeping {
            connect,
            backoff: Backoff::new(jitter),
            announced: None,
            events: sender,
        };
        let task = tokio::spawn(keeping.run()).abort_handle();
        Self { events, task }
    }

    /// Returns the next event; `None` once the link has given up. Cancel-safe: no event is lost if the future
    /// is dropped.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        self.events.recv().await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeping {
    connect: Connect,
    backoff: Backoff,
    /// Id of the request that was last reported to the reader.
    announced: Option<String>,
    events: mpsc::Sender<LinkEvent>,
}

/// Ends the connection when the link stops using it, because others may hold clones of the client.
struct EndsWithTheLink<'c>(&'c Client);

impl Drop for EndsWithTheLink<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Error for a reader that has been dropped.
struct Gone;

impl Keeping {
    async fn run(mut self) {
        // Ends when the link gives up or is dropped.
        while let Ok(true) = self.once().await {}
    }

    /// Makes one attempt and handles its outcome. Returns `false` when the link gives up.
    async fn once(&mut self) -> Result<bool, Gone> {
        match self.connect.open().await {
            Ok((client, events)) => {
                let since = Instant::now();
                self.spend().await;
                let closed = self.pass_on(client, events).await?;
                if since.elapsed() >= LASTED {
                    self.backoff.reset();
                }
                let retry_in = self.backoff.lost();
                let why = Disconnect::Closed(closed);
                self.tell(LinkEvent::Disconnected { why, retry_in }).await?;
                sleep(retry_in).await;
            }
            Err(error) if error.is_final() => {
                self.tell(LinkEvent::GaveUp(error)).await?;
                return Ok(false);
            }
            Err(error) => {
                let retry_in = self.backoff.failed(&error);
                tracing::debug!(%error, ?retry_in, "no connection");
                if let Some(event) = self.event(error, retry_in) {
                    self.tell(event).await?;
                }
                sleep(retry_in).await;
            }
        }
        Ok(true)
    }

    /// Discards the setup code once this device has a token of its own.
    async fn spend(&mut self) {
        if self.connect.secrets.pairing.is_some()
            && matches!(self.connect.held().await, Ok(Some(_)))
        {
            self.connect.secrets.pairing = None;
        }
    }

    async fn pass_on(&mut self, client: Client, mut events: Events) -> Result<Closed, Gone> {
        let _ending = EndsWithTheLink(&client);
        self.tell(LinkEvent::Connected(client.clone())).await?;
        while let Some(event) = events.next().await {
            self.tell(LinkEvent::Event(event)).await?;
        }
        Ok(client.closed().await)
    }

    /// Returns the event to report for a failure; a pending request is reported only once.
    fn event(&mut self, error: ConnectError, retry_in: Duration) -> Option<LinkEvent> {
        let Some(id) = error.request_id() else {
            let why = Disconnect::Failed(error);
            return Some(LinkEvent::Disconnected { why, retry_in });
        };
        if self.announced.as_deref() == Some(id) {
            return None;
        }
        let request_id = id.to_owned();
        self.announced = Some(request_id.clone());
        let details = error.refused().map(|refused| refused.details.clone());
        let details = details.unwrap_or_default();
        Some(LinkEvent::PairingRequired {
            request_id,
            hint: details.hint,
            reason: details.reason,
            retry_in,
        })
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }
}
