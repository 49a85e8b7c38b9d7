//! Sending and deleting messages.

use std::future::Future;

use channel_kit::{MessageId, Outgoing, PhoneNumber, SendError, Target, TextLimit};
use pairing_core::escape;
use tokio::time::timeout;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid, RevokeType};

use super::WhatsAppWeb;
use crate::address::Address;

/// The longest text. WhatsApp's own limit is longer, and its apps fold long texts.
pub(crate) const TEXT: TextLimit = TextLimit::chars(4096);

/// The longest reason that is passed on, in characters.
const REASON: usize = 200;

/// Sends it all; the id names every message that it took. Where one of several fails, those before it are there.
pub(crate) async fn send(
    web: &WhatsAppWeb,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let jid = recipient(to)?;
    let texts = TEXT.split(&what.text);
    if what.picture.is_some() || !what.buttons.is_empty() || texts.is_empty() {
        return Err(SendError::Unable);
    }
    let client = client(web)?;
    let mut sent = Vec::new();
    for text in texts {
        // No formatting, links or mentions beside the text.
        let message = wa::Message {
            conversation: Some(text.to_owned()),
            ..wa::Message::default()
        };
        let done = within(web, client.send_message(jid.clone(), message)).await?;
        sent.push(done.message_id);
    }
    Ok(MessageId(sent.join(",")))
}

/// Deletes it for everybody.
pub(crate) async fn delete(
    web: &WhatsAppWeb,
    from: &Target,
    message: &MessageId,
) -> Result<(), SendError> {
    let jid = recipient(from)?;
    let client = client(web)?;
    let mut failed = None;
    for id in message.0.split(',') {
        let deleted = within(
            web,
            client.revoke_message(jid.clone(), id, RevokeType::Sender),
        )
        .await;
        failed = deleted.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

fn client(web: &WhatsAppWeb) -> Result<std::sync::Arc<Client>, SendError> {
    web.live().ok_or_else(|| {
        let reason = web.status.get().last_error;
        let reason = reason.unwrap_or_else(|| "there is no connection".to_owned());
        SendError::Unavailable { reason }
    })
}

async fn within<T, E: std::fmt::Display>(
    web: &WhatsAppWeb,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, SendError> {
    let done = timeout(web.pace.call, work).await;
    let reason = match done {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => escape(&error.to_string()).limit(REASON).to_string(),
        Err(_) => "it does not answer in time: it may have been sent".to_owned(),
    };
    Err(SendError::Unavailable { reason })
}

/// The person at a target, which is a number or the JID of a person.
fn recipient(target: &Target) -> Result<Jid, SendError> {
    let text = target.chat.as_str();
    let address = PhoneNumber::parse(text).map_or_else(|_| Address::parse(text), Address::Number);
    match address {
        Address::Number(number) => Ok(Jid::pn(number.as_str().trim_start_matches('+'))),
        Address::Lid(lid) => Ok(Jid::lid(lid)),
        Address::Other => Err(SendError::Chat {
            reason: format!(
                "{} is no person on WhatsApp: it is a number such as +15550001111",
                escape(text).limit(64)
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_a_person() {
        let jid = |chat: &str| recipient(&Target::chat(chat)).map(|jid| jid.to_string());
        for (chat, expected) in [
            ("+15550001111", "15550001111@s.whatsapp.net"),
            ("15550001111:3@s.whatsapp.net", "15550001111@s.whatsapp.net"),
            ("111111111111111@lid", "111111111111111@lid"),
        ] {
            assert_eq!(jid(chat).unwrap(), expected);
        }
        for none in [
            "",
            "ann",
            "15550001111",
            "120@g.us",
            "status@broadcast",
            "@lid",
        ] {
            assert!(matches!(jid(none), Err(SendError::Chat { .. })), "{none}");
        }
    }
}
