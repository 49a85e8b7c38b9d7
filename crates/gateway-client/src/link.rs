//! A connection that comes back.

use std::sync::Arc;
use std::time::Duration;

use pairing_core::Entropy;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::backoff::{Backoff, LASTED};
use crate::{Client, ClientEvent, Closed, Connect, ConnectError, Events};

/// A connection that is made again whenever it ends, until this is dropped: then it ends for every
/// [`Client`] that it gave out.
///
/// - Waits between attempts grow from 1 s to 30 s and are spread at random over their whole length; while
///   the owner is asked, 5 s to 15 s, so that the request stays alive; after a wrong secret, 15 s to 30 s.
///   What the gateway asks for is waited for.
/// - Gives up only on what no retry mends: [`LinkEvent::GaveUp`] is then the last event.
/// - Where nobody reads its events, it waits for that before it connects again; an open connection stays
///   alive.
pub struct Link {
    events: mpsc::Receiver<LinkEvent>,
    task: AbortHandle,
}

/// What happens on a [`Link`].
#[derive(Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is matched on"
)]
pub enum LinkEvent {
    /// There is a connection.
    Connected(Client),
    /// The owner has to approve first. Comes once for each request; texts are as the gateway wrote them.
    PairingRequired {
        /// The request that waits.
        request_id: String,
        /// What the owner can do.
        hint: Option<String>,
        /// What is lacking: `not-paired`, `role-upgrade`, `scope-upgrade` or `metadata-upgrade`.
        reason: Option<String>,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// Something happened at the gateway.
    Event(ClientEvent),
    /// There is no connection any more, or still none.
    Disconnected {
        /// Why.
        why: Disconnect,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// There will be none. Nothing comes after this.
    GaveUp(ConnectError),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnect {
    /// It ended.
    #[error("the connection ended: {0}")]
    Closed(Closed),
    /// It could not be made.
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

    /// The next event; `None` once it has given up. May be dropped while it waits, and nothing is lost.
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
    /// The request that whoever reads knows of.
    announced: Option<String>,
    events: mpsc::Sender<LinkEvent>,
}

/// Others may hold the connection too.
struct EndsWithTheLink<'c>(&'c Client);

impl Drop for EndsWithTheLink<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Nobody reads any more.
struct Gone;

impl Keeping {
    async fn run(mut self) {
        // It ends when it gives up, or when the link is dropped.
        while let Ok(true) = self.once().await {}
    }

    /// One attempt, and what comes of it. `false` when it gives up.
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

    /// A setup code has done its work once there is a token of this device's own.
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

    /// What is told of a failure: of a request that waits, only what is new.
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
