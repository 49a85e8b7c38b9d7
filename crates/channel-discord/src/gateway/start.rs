//! What comes before a session: where it can be begun, how many more may be, and the first payload of a connection.

use std::time::Duration;

use channel_kit::http::{Method, seconds};
use channel_kit::ws::{Frame, WebSocket, WsError};
use serde::Deserialize;

use super::DAY;
use crate::Discord;
use crate::event::{self, Payload};
use crate::rest::{Call, CallError, read};
use crate::trouble::GatewayError;

/// The first payload of a connection.
pub(super) async fn hello(socket: &mut WebSocket) -> Result<Duration, GatewayError> {
    loop {
        if let Frame::Text(text) = socket.next().await? {
            match event::parse(&text) {
                Some(Payload::Hello { interval }) => return Ok(interval),
                Some(Payload::Reconnect) => return Err(GatewayError::Replaced),
                Some(Payload::InvalidSession { .. }) => return Err(GatewayError::InvalidSession),
                // Nothing else comes first.
                _ => return Err(WsError::Protocol.into()),
            }
        }
    }
}

/// Where sessions are begun, and how many more may be.
#[derive(Deserialize)]
pub(super) struct Found {
    pub(super) url: String,
    #[serde(default)]
    session_start_limit: Option<StartLimit>,
}

#[derive(Deserialize)]
struct StartLimit {
    remaining: u64,
    /// Milliseconds.
    reset_after: f64,
}

impl Found {
    /// How long to wait, where no more sessions may be begun.
    pub(super) fn none_left(&self) -> Option<Duration> {
        let limit = self.session_start_limit.as_ref()?;
        let after = seconds(limit.reset_after / 1000.0);
        (limit.remaining == 0).then(|| after.unwrap_or(DAY).min(DAY))
    }
}

pub(super) async fn ask(bot: &Discord) -> Result<Found, CallError> {
    let call = Call::new(
        Method::Get,
        "/gateway/bot".to_owned(),
        "GET /gateway/bot",
        "",
    );
    let response = bot.rest.once(&call, None, bot.pace.call).await?;
    read(&response, "address of a gateway")
}
