//! What the gateway sends: payloads, events, and the session that begins or goes on.

use channel_kit::ws::{Frame, WebSocket};
use channel_kit::{Connection, Incoming};
use tokio::time::Instant;

use super::{Beats, ERRANDS, Keeper};
use crate::errands;
use crate::event::{self, Event, Kind, Payload, Ready};
use crate::saved::Session;
use crate::trouble::GatewayError;

impl Keeper {
    /// Does what there is to do about a frame.
    pub(super) async fn frame(
        &mut self,
        frame: Frame,
        socket: &mut WebSocket,
        beats: &mut Beats,
        session_by: &mut Option<Instant>,
    ) -> Result<(), GatewayError> {
        let Frame::Text(text) = frame else {
            return Ok(());
        };
        match event::parse(&text) {
            Some(Payload::Acknowledged) => beats.is_acknowledged = true,
            Some(Payload::HeartbeatWanted) => {
                // It is no sign of trouble if the last one is not acknowledged yet.
                beats.is_acknowledged = true;
                return self.beat(socket, beats).await;
            }
            Some(Payload::Reconnect) => return Err(GatewayError::Replaced),
            Some(Payload::InvalidSession { may_resume }) => {
                return Err(if may_resume && self.session.is_some() {
                    GatewayError::Replaced
                } else {
                    GatewayError::InvalidSession
                });
            }
            Some(Payload::Event { seq, event }) => {
                let is_begun = matches!(event, Event::Ready(_) | Event::Resumed);
                self.event(seq, event).await;
                if is_begun {
                    *session_by = None;
                }
            }
            Some(Payload::Hello { .. } | Payload::Other) => {}
            None => tracing::debug!(
                account = self.bot.account.as_str(),
                "discord: a payload cannot be read, and is passed over"
            ),
        }
        Ok(())
    }

    async fn event(&mut self, seq: u64, event: Event) {
        if let Some(session) = &mut self.session {
            session.seq = seq;
        }
        match event {
            Event::Ready(ready) => self.begun(ready, seq).await,
            Event::Resumed => self.connected(),
            Event::Message(message) => {
                let Some(session) = &self.session else { return };
                let now = self.bot.clock.now();
                let id = message.id().clone();
                let inbound = message.inbound(&session.ready.me, self.bot.allows_bots, now);
                if let Some(inbound) = inbound
                    && self.recent.is_new(id.as_str(), now)
                {
                    self.bot.interactions.said(&inbound.chat.chat);
                    self.enqueue(seq, Incoming::Message(inbound));
                }
            }
            Event::Interaction(interaction) => self.interaction(seq, &interaction),
            Event::Other => {}
        }
    }

    fn interaction(&mut self, seq: u64, interaction: &event::Interaction) {
        let now = self.bot.clock.now();
        let session = self.session.as_ref();
        let is_ours = session.is_some_and(|session| interaction.is_for(&session.ready.application));
        if !is_ours || !self.recent.is_new(interaction.id.as_str(), now) {
            return;
        }
        let what = match &interaction.kind {
            Kind::Button { message, data, .. } => {
                interaction.pressed(message, data).map(Incoming::Pressed)
            }
            Kind::Command { text } => interaction.inbound(text, now).map(Incoming::Message),
        };
        let Some(what) = what else { return };
        // Anybody may give commands: they do not keep buttons waiting.
        let errands = match interaction.kind {
            Kind::Button { .. } => &mut self.errands,
            Kind::Command { .. } => &mut self.commands,
        };
        while errands.try_join_next().is_some() {}
        if errands.len() >= ERRANDS {
            tracing::warn!(
                account = self.bot.account.as_str(),
                "discord: too many interactions at a time, one is not answered"
            );
            return;
        }
        errands::acknowledge(&self.bot, errands, interaction);
        self.enqueue(seq, what);
    }

    async fn begun(&mut self, ready: Ready, seq: u64) {
        self.epoch += 1;
        self.bot.set_application(&ready.application);
        tracing::info!(
            account = self.bot.account.as_str(), bot = %ready.me,
            "discord: the session has begun"
        );
        self.session = Some(Session { ready, seq });
        self.note().await;
        self.connected();
    }

    fn connected(&mut self) {
        self.backoff.reset();
        self.troubles.over();
        self.bot
            .status
            .set(Connection::Connected, self.bot.clock.now());
        if !std::mem::replace(&mut self.has_registered, true) {
            errands::register(&self.bot, &mut self.errands);
        }
    }
}
