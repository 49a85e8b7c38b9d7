//! Messages, as they come: each is handed on before WhatsApp is told that it has arrived.

use std::sync::Arc;

use channel_kit::{Inbox, Incoming, Seen};
use tokio::sync::Mutex;
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::types::durability_hook::InboundMessage;
use whatsapp_rust::wacore::types::message::{EditAttribute, MessageInfo};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, InboundDurabilityHook, Jid, anyhow, async_trait};

use super::WhatsAppWeb;
use super::trouble::Troubles;
use crate::said::{Me, Said, Verdict};

/// Hands messages on.
pub(crate) struct Hook {
    web: Arc<WhatsAppWeb>,
    inbox: Inbox,
    seen: Mutex<Seen>,
    troubles: Arc<Troubles>,
}

impl Hook {
    pub(crate) fn new(
        web: Arc<WhatsAppWeb>,
        inbox: Inbox,
        seen: Seen,
        troubles: Arc<Troubles>,
    ) -> Self {
        Self {
            web,
            inbox,
            seen: Mutex::new(seen),
            troubles,
        }
    }

    /// Hands a message on, unless it was before. It is noted first: better a message that has to be repeated than a command
    /// that is carried out twice. Returns `false` when the reader is gone.
    pub(crate) async fn hand_on(&self, said: Said, me: &Me) -> bool {
        let id = format!("{}/{}/{}", said.chat, said.sender, said.id);
        let inbound = match said.judge(me, self.web.self_chat) {
            Verdict::HandOn(inbound) => inbound,
            Verdict::Ignore => return true,
            Verdict::Nameless => {
                self.troubles
                    .nameless(&self.web.status, self.web.clock.now());
                return true;
            }
        };
        let mut seen = self.seen.lock().await;
        if seen.has(&id) {
            return true;
        }
        let Some(slot) = self.inbox.reserve().await else {
            return false;
        };
        let now = self.web.clock.now();
        seen.add(&id, now);
        let text = seen.text(&self.web.mark());
        let web = Arc::clone(&self.web);
        // Saving blocks on a disk.
        let saved = tokio::task::spawn_blocking(move || web.seen.save(&text)).await;
        if let Ok(saved) = saved {
            self.troubles.noted(saved);
        }
        slot.put(Incoming::Message(*inbound));
        self.web.status.received(now);
        true
    }
}

#[async_trait]
impl InboundDurabilityHook for Hook {
    async fn on_messages(
        &self,
        client: Arc<Client>,
        batch: &[InboundMessage],
    ) -> anyhow::Result<()> {
        let me = Me {
            number: client.pn().map(|jid| jid.to_string()),
            lid: client.lid().map(|jid| jid.to_string()),
        };
        for message in batch {
            let known_number = number_of(&client, &message.info.source.sender).await;
            let said = said(&message.message, &message.info, known_number);
            if !self.hand_on(said, &me).await {
                // It stays with WhatsApp.
                return Err(anyhow::Error::msg("nobody listens"));
            }
        }
        Ok(())
    }
}

/// The number that the protocol has told of a sender who is named by a lid.
async fn number_of(client: &Client, sender: &Jid) -> Option<String> {
    if !sender.is_lid() {
        return None;
    }
    let known = client.get_lid_pn_entry(sender).await.ok().flatten();
    known.map(|entry| entry.phone_number.to_string())
}

pub(crate) fn said(
    message: &wa::Message,
    info: &MessageInfo,
    known_number: Option<String>,
) -> Said {
    let source = &info.source;
    Said {
        id: info.id.clone(),
        chat: source.chat.to_string(),
        sender: source.sender.to_string(),
        sender_alt: source.sender_alt.as_ref().map(Jid::to_string),
        known_number,
        from_me: source.is_from_me,
        text: (!source.is_group && info.edit == EditAttribute::Empty)
            .then(|| text(message))
            .flatten(),
        name: info.push_name.clone(),
        at_ms: info.timestamp.timestamp_millis(),
    }
}

/// What a person has written; `None` for what is no new message.
fn text(message: &wa::Message) -> Option<String> {
    if is_edit(message) {
        return None;
    }
    let base = message.get_base_message();
    if let Some(text) = message.text_content().or_else(|| message.get_caption()) {
        return Some(text.to_owned());
    }
    let is_media = base.image_message.is_set()
        || base.video_message.is_set()
        || base.audio_message.is_set()
        || base.document_message.is_set()
        || base.sticker_message.is_set()
        || base.location_message.is_set()
        || base.contact_message.is_set();
    is_media.then(String::new)
}

/// Whether a message edits an earlier one. `get_base_message` would return the new text, as if it were a message of its own.
fn is_edit(message: &wa::Message) -> bool {
    let mut message = message;
    loop {
        if message.edited_message.is_set() || message.protocol_message.is_set() {
            return true;
        }
        let sent = message.device_sent_message.as_option();
        let inner = sent.and_then(|sent| sent.message.as_option()).or_else(|| {
            [
                &message.ephemeral_message,
                &message.view_once_message,
                &message.view_once_message_v2,
                &message.view_once_message_v2_extension,
                &message.document_with_caption_message,
            ]
            .into_iter()
            .find_map(|wrapper| wrapper.as_option()?.message.as_option())
        });
        match inner {
            Some(inner) => message = inner,
            None => return false,
        }
    }
}
