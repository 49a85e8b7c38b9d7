//! The gateway as the channels see it.

use std::sync::Arc;
use std::time::Duration;

use gateway_channels::{By, Host, Message};
use gateway_protocol::event::MESSAGE_INBOUND;
use gateway_protocol::message::MessageInbound;
use openclaw_config::Config;
use pairing_core::Pairing;

use crate::clients::Clients;
use crate::frames::event;
use crate::metrics::Metrics;
use crate::sessions::Session;
use crate::settings::LiveSettings;

/// The parts of the gateway that the channels need.
pub(crate) struct ChannelHost {
    pub(crate) pairing: Pairing,
    pub(crate) settings: LiveSettings,
    pub(crate) clients: Arc<Clients>,
    pub(crate) metrics: Metrics,
}

impl Host for ChannelHost {
    fn pairing(&self) -> &Pairing {
        &self.pairing
    }

    fn config(&self) -> Arc<Config> {
        self.settings.load().config.clone()
    }

    fn drain(&self) -> Duration {
        self.settings.load().limits.drain
    }

    fn deliver(&self, message: &Message) {
        let frame = event(MESSAGE_INBOUND, &inbound(message));
        self.clients
            .sessions
            .broadcast(&frame, Session::may_read_messages);
    }

    fn count(&self, outcome: &'static str) {
        self.metrics.message(outcome);
    }
}

/// The event that delivers a message to operators.
fn inbound(message: &Message) -> MessageInbound {
    let meta = message.meta.iter();
    MessageInbound {
        channel: message.channel.clone(),
        account_id: message.account.clone(),
        id: message.id.clone(),
        sender: message.sender().clone(),
        chat: message.chat.chat.clone(),
        thread: message.chat.thread.clone(),
        is_direct: matches!(message.by, By::Direct(_)),
        text: message.text.clone(),
        truncated: message.is_cut,
        at_ms: message.at.as_millis(),
        meta: meta.map(|(k, v)| (k.to_owned(), v.clone())).collect(),
    }
}
