//! The connection: opened, listened to, kept alive, and opened again.
//!
//! An event is acknowledged as soon as it is read, whatever is in it. There is room for it by then, so that nothing is
//! acknowledged and then lost for want of a place.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::ws::{Frame as Raw, WebSocket};
use channel_kit::{Backoff, Connection, Stop};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Feishu;
use crate::api;
use crate::event::{self, Event};
use crate::frame::{self, Frame, Kind};
use crate::parts::{Joined, Parts};
use crate::trouble::{SocketError, Troubles};

/// The longest wait for what the server asks for.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The longest time between two pings, in seconds.
const LONGEST_PING: u64 = 600;

pub(super) struct Line {
    bot: Arc<Feishu>,
    events: mpsc::Sender<Event>,
    stop: Stop,
    troubles: Troubles,
    backoff: Backoff,
}

/// What the server wishes of a connection. It names a delay before connecting again, too; ours grows with each failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Settings {
    /// The time between two pings, in seconds.
    ping_interval: u64,
}

impl Settings {
    /// The time between two pings.
    pub(crate) fn ping(self) -> Option<Duration> {
        (1..=LONGEST_PING)
            .contains(&self.ping_interval)
            .then(|| Duration::from_secs(self.ping_interval))
    }
}

/// A connection that may be opened.
pub(crate) struct Endpoint {
    url: String,
    service: i32,
    settings: Settings,
}

/// Asks for the address of a connection.
pub(crate) async fn endpoint(bot: &Feishu) -> Result<Endpoint, SocketError> {
    #[derive(Deserialize)]
    struct Given {
        #[serde(rename = "URL")]
        url: String,
        #[serde(rename = "ClientConfig", default)]
        settings: Option<Settings>,
    }
    let answer = bot.api.endpoint(bot.pace.call).await;
    let given = answer.and_then(|answer| api::data::<Given>(&answer, "connection"));
    let Given { url, settings } = given.map_err(SocketError::App)?;
    if !bot.api.root.names(&url, ["wss", "ws"]) {
        return Err(SocketError::Address);
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let service = pairs.find(|(name, _)| *name == "service_id");
    let service = service.and_then(|(_, number)| number.parse().ok());
    Ok(Endpoint {
        service: service.unwrap_or_default(),
        settings: settings.unwrap_or_default(),
        url,
    })
}

/// Why a connection is left without an error.
struct Over;

impl Line {
    pub(super) fn new(bot: Arc<Feishu>, events: mpsc::Sender<Event>, stop: Stop) -> Self {
        Self {
            troubles: Troubles::new(&bot.account),
            backoff: Backoff::new(Arc::clone(&bot.entropy), bot.pace.backoff),
            bot,
            events,
            stop,
        }
    }

    /// Connects again and again, until it is time to stop or the app is not accepted.
    pub(super) async fn run(mut self) {
        let mut stop = self.stop.clone();
        loop {
            let opened = tokio::select! {
                biased;
                () = stop.wait() => return,
                opened = self.open() => opened,
            };
            let since = Instant::now();
            let is_open = opened.is_ok();
            let error = match opened {
                Ok((socket, endpoint)) => match self.serve(socket, &endpoint).await {
                    Ok(Over) => return,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let now = self.bot.clock.now();
            self.bot.status.failed(error.to_string(), now);
            if let Some(advice) = error.is_final() {
                self.troubles.final_error(&error, advice);
                return;
            }
            // One that has held for a while is replaced at once.
            let has_held = is_open && since.elapsed() >= self.bot.pace.steady;
            let mut wait = Duration::ZERO;
            if has_held {
                self.backoff.reset();
                self.troubles.held();
            } else {
                wait = self.backoff.failed(None);
            }
            let asked = error.retry_after().unwrap_or_default();
            wait = wait.max(asked.min(DAY));
            self.troubles.met(&error, wait);
            tokio::select! {
                biased;
                () = stop.wait() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn open(&self) -> Result<(WebSocket, Endpoint), SocketError> {
        let bot = &self.bot;
        let endpoint = endpoint(bot).await?;
        let socket = bot
            .sockets
            .connect(&endpoint.url, frame::LONGEST, bot.pace.call)
            .await?;
        Ok((socket, endpoint))
    }

    async fn serve(
        &mut self,
        mut socket: WebSocket,
        endpoint: &Endpoint,
    ) -> Result<Over, SocketError> {
        tracing::info!(account = self.bot.account.as_str(), "feishu: connected");
        self.troubles.over();
        self.bot
            .status
            .set(Connection::Connected, self.bot.clock.now());
        let pace = self.bot.pace.clone();
        let events = self.events.clone();
        let mut stop = self.stop.clone();
        let mut parts = Parts::default();
        let mut place = None;
        // The server's wish, within ours.
        let every = |settings: Settings| {
            settings
                .ping()
                .map_or(pace.ping, |wish| wish.min(pace.ping))
        };
        let mut interval = every(endpoint.settings);
        let mut ping_at = Instant::now();
        // Something is to be heard until then.
        let mut silent_at: Option<Instant> = None;
        loop {
            let has_place = place.is_some();
            tokio::select! {
                biased;
                () = stop.wait() => {
                    socket.close(1000).await;
                    return Ok(Over);
                }
                got = events.reserve(), if !has_place => {
                    let Ok(got) = got else {
                        socket.close(1000).await;
                        return Ok(Over);
                    };
                    place = Some(got);
                    // What came meanwhile has not been looked at.
                    silent_at = silent_at.map(|_| Instant::now() + pace.silence);
                }
                raw = socket.next(), if has_place => {
                    let raw = raw?;
                    silent_at = None;
                    let Raw::Binary(bytes) = raw else { continue };
                    let Some(frame) = Frame::parse(&bytes) else {
                        self.passes_over("a frame");
                        continue;
                    };
                    match frame.kind() {
                        Kind::Event => {
                            if let Some(event) = self.event(frame, &mut parts, &mut socket).await?
                                && let Some(place) = place.take()
                            {
                                place.send(event);
                            }
                        }
                        Kind::Pong => {
                            if let Some(settings) = settings(frame) {
                                interval = every(settings);
                            }
                        }
                        Kind::Other => {}
                    }
                }
                () = sleep_until(ping_at) => {
                    socket.send_binary(Frame::ping(endpoint.service).bytes()).await?;
                    ping_at = Instant::now() + interval;
                    silent_at = silent_at.or_else(|| Some(Instant::now() + pace.silence));
                }
                () = sleep_until(silent_at.unwrap_or(ping_at)), if has_place && silent_at.is_some() => {
                    return Err(SocketError::Silent);
                }
            }
        }
    }

    /// Acknowledges an event, if it is complete; gives what is to be handed on of it.
    async fn event(
        &self,
        mut frame: Frame,
        parts: &mut Parts,
        socket: &mut WebSocket,
    ) -> Result<Option<Event>, SocketError> {
        let whole = match parts.join(&mut frame, Instant::now()) {
            Joined::Whole(whole) => whole,
            Joined::Waiting => return Ok(None),
            Joined::Malformed => {
                self.passes_over("a part of an event");
                return Ok(None);
            }
        };
        socket.send_binary(frame.acknowledged().bytes()).await?;
        Ok(event::parse(&whole))
    }

    fn passes_over(&self, what: &str) {
        tracing::debug!(
            account = self.bot.account.as_str(),
            what,
            "feishu: this cannot be read, and is passed over"
        );
    }
}

/// The settings in the answer to a ping, if there are any.
fn settings(mut pong: Frame) -> Option<Settings> {
    serde_json::from_slice(&pong.take_payload()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_names_the_time_between_pings_within_reason() {
        let ping = |text: &str| {
            let settings: Option<Settings> = serde_json::from_str(text).ok();
            settings.and_then(Settings::ping)
        };
        let usual = r#"{"ReconnectCount":-1,"ReconnectInterval":120,"ReconnectNonce":30,"PingInterval":120}"#;
        assert_eq!(ping(usual), Some(Duration::from_secs(120)));
        for wrong in [
            "{}",
            r#"{"PingInterval":0}"#,
            r#"{"PingInterval":1e9}"#,
            r#"{"PingInterval":100000}"#,
            r#"{"PingInterval":-1}"#,
            r#"{"PingInterval":"1"}"#,
        ] {
            assert_eq!(ping(wrong), None, "{wrong}");
        }
    }
}
