//! One connection: opened, greeted, listened to, and closed.
//!
//! Whatever is in an envelope, it is acknowledged as soon as it is read. There is room for it by then, so that nothing is
//! acknowledged and then lost for want of a place.

use std::sync::Arc;

use channel_kit::ws::{Frame as Raw, WebSocket};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::Slack;
use crate::api::{self, Call};
use crate::envelope::{self, Envelope, Frame, Reason};
use crate::trouble::SocketError;

/// The number of a connection.
pub(super) type Number = u64;

/// What a connection says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is ready.
    Up,
    /// Another one is wanted in its place.
    Leaving,
}

/// When to close a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Not yet.
    No,
    /// Soon, unless the server does before: there is another one.
    Soon,
    /// At once.
    Now,
}

pub(super) struct Line {
    pub(super) bot: Arc<Slack>,
    pub(super) number: Number,
    pub(super) signs: mpsc::UnboundedSender<(Number, Sign)>,
    pub(super) envelopes: mpsc::Sender<Envelope>,
    pub(super) closing: watch::Receiver<Closing>,
}

impl Line {
    /// Runs until the connection has ended; `Ok` where that was wanted.
    pub(super) async fn run(mut self) -> Result<(), SocketError> {
        let mut closing = self.closing.clone();
        let socket = tokio::select! {
            biased;
            // While it is opened, there is nothing to close.
            () = told(&mut closing, Closing::Now) => return Ok(()),
            opened = self.open() => opened?,
        };
        self.serve(socket).await
    }

    async fn open(&self) -> Result<WebSocket, SocketError> {
        let bot = &self.bot;
        bot.learn_me().await.map_err(SocketError::Bot)?;
        let url = open(bot).await?;
        let mut socket = bot
            .sockets
            .connect(&url, envelope::LONGEST, bot.pace.call)
            .await?;
        match timeout(bot.pace.call, hello(&mut socket)).await {
            Ok(Ok(())) => Ok(socket),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SocketError::NoHello),
        }
    }

    async fn serve(&mut self, mut socket: WebSocket) -> Result<(), SocketError> {
        let pace = self.bot.pace.clone();
        self.sign(Sign::Up);
        let envelopes = self.envelopes.clone();
        let mut heard_at = Instant::now();
        let (mut pinged, mut place) = (false, None);
        let mut close_at = None;
        loop {
            let closing = self.closing();
            if closing == Closing::Now {
                socket.close(1000).await;
                return Ok(());
            }
            if closing == Closing::Soon && close_at.is_none() {
                close_at = Some(Instant::now() + pace.linger);
            }
            let has_place = place.is_some();
            let late = heard_at + if pinged { pace.silence } else { pace.ping };
            tokio::select! {
                biased;
                changed = self.closing.changed() => {
                    // An error means that the adapter has ended.
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                got = envelopes.reserve(), if !has_place => match got {
                    Ok(got) => {
                        place = Some(got);
                        // What came meanwhile has not been looked at.
                        heard_at = Instant::now();
                    }
                    Err(_) => return Ok(()),
                },
                frame = socket.next(), if has_place => {
                    (heard_at, pinged) = (Instant::now(), false);
                    match (frame, close_at) {
                        (Ok(Raw::Text(text)), _) => {
                            if let Some(envelope) = self.frame(&text, &mut socket).await?
                                && let Some(place) = place.take()
                            {
                                place.send(envelope);
                            }
                        }
                        (Ok(_), _) => {}
                        (Err(_), Some(_)) => return Ok(()),
                        (Err(error), None) => return Err(error.into()),
                    }
                }
                () = sleep_until(late), if has_place => {
                    if pinged {
                        return Err(SocketError::Silent);
                    }
                    pinged = true;
                    socket.ping().await?;
                }
                () = sleep_until(close_at.unwrap_or(late)), if close_at.is_some() => {
                    socket.close(1000).await;
                    return Ok(());
                }
            }
        }
    }

    fn closing(&mut self) -> Closing {
        *self.closing.borrow_and_update()
    }

    /// Does what there is to do about a frame; gives an envelope that is acknowledged.
    async fn frame(
        &self,
        text: &str,
        socket: &mut WebSocket,
    ) -> Result<Option<Envelope>, SocketError> {
        match envelope::parse(text) {
            Some(Frame::Envelope(envelope)) => {
                let answer = json!({ "envelope_id": envelope.id }).to_string();
                socket.send_text(answer).await?;
                return Ok(Some(envelope));
            }
            Some(Frame::Disconnect(Reason::LinkDisabled)) => return Err(SocketError::LinkDisabled),
            Some(Frame::Disconnect(Reason::Replaced)) => self.sign(Sign::Leaving),
            Some(Frame::Hello | Frame::Other) => {}
            None => tracing::debug!(
                account = self.bot.account.as_str(),
                "slack: a frame cannot be read, and is passed over"
            ),
        }
        Ok(None)
    }

    fn sign(&self, sign: Sign) {
        // Nobody listens any more at the end.
        let _ = self.signs.send((self.number, sign));
    }
}

/// The address of a connection, good for one.
async fn open(bot: &Slack) -> Result<String, SocketError> {
    #[derive(Deserialize)]
    struct Opened {
        url: String,
    }
    const METHOD: &str = "apps.connections.open";
    const OPEN: Call = Call::new(METHOD).of_app();
    let response = bot
        .api
        .once(OPEN, api::json(&json!({})), bot.pace.call)
        .await;
    let opened = response.and_then(|response| api::read::<Opened>(&response, METHOD));
    let url = opened.map_err(SocketError::App)?.url;
    let is_allowed = bot.api.root.names(&url, ["wss", "ws"]);
    is_allowed.then_some(url).ok_or(SocketError::Address)
}

/// Waits for the greeting. What comes before it is passed over.
async fn hello(socket: &mut WebSocket) -> Result<(), SocketError> {
    loop {
        let Raw::Text(text) = socket.next().await? else {
            continue;
        };
        match envelope::parse(&text) {
            Some(Frame::Hello) => return Ok(()),
            Some(Frame::Disconnect(Reason::LinkDisabled)) => return Err(SocketError::LinkDisabled),
            // It is not acknowledged, and comes again on another connection.
            _ => {}
        }
    }
}

/// Waits until a connection is to be closed, or the adapter has ended.
async fn told(closing: &mut watch::Receiver<Closing>, how: Closing) {
    let _ = closing.wait_for(|closing| *closing == how).await;
}
