//! Envelopes: what the daemon receives for an account.

use channel_kit::{Inbound, Target, first_bytes};
use pairing_core::Timestamp;
use serde::Deserialize;

use crate::Number;
use crate::people::Identity;
use crate::uuid::Uuid;

/// The longest text that is handed on, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// What a person wrote.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The sender's number, while they show it.
    pub(crate) number: Option<Number>,
    /// The sender's id.
    pub(crate) uuid: Option<Uuid>,
    name: Option<String>,
    /// The sender's time, which names the message, too.
    pub(crate) at: i64,
    /// The group in which it was said.
    group: Option<String>,
    text: String,
    /// The account that received it, where the daemon says so.
    account: Option<Number>,
}

/// Reads an event. `None` for everything but a new message.
pub(crate) fn parse(event: &str) -> Option<Envelope> {
    #[derive(Deserialize)]
    struct Event {
        envelope: Content,
        #[serde(default)]
        account: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Content {
        #[serde(default)]
        source_number: Option<String>,
        #[serde(default)]
        source_uuid: Option<String>,
        #[serde(default)]
        source_name: Option<String>,
        timestamp: i64,
        #[serde(default)]
        data_message: Option<Said>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Said {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        attachments: Vec<serde::de::IgnoredAny>,
        #[serde(default)]
        sticker: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        reaction: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        remote_delete: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        group_info: Option<Group>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Group {
        group_id: String,
    }
    let Event { envelope, account } = serde_json::from_str(event).ok()?;
    let said = envelope.data_message?;
    let has_content = said.message.as_ref().is_some_and(|text| !text.is_empty())
        || !said.attachments.is_empty()
        || said.sticker.is_some();
    // A change of the timer, a call in a group and the like have none.
    if !has_content || said.reaction.is_some() || said.remote_delete.is_some() {
        return None;
    }
    let number = envelope
        .source_number
        .and_then(|text| Number::parse(&text).ok());
    Some(Envelope {
        account: account.and_then(|text| Number::parse(&text).ok()),
        uuid: envelope.source_uuid.and_then(|text| Uuid::parse(&text)),
        number,
        name: envelope.source_name,
        at: envelope.timestamp,
        group: said.group_info.map(|group| group.group_id),
        text: first_bytes(said.message.unwrap_or_default(), LONGEST_TEXT),
    })
}

impl Envelope {
    /// The name of this message: its sender and their time. No two messages of a person share a time.
    pub(crate) fn id(&self) -> String {
        let sender = match (&self.uuid, &self.number) {
            (Some(uuid), _) => uuid.as_str(),
            (None, Some(number)) => number.as_str(),
            (None, None) => "",
        };
        format!("{sender}/{}", self.at)
    }

    /// Whether it was received for another account than this one. A daemon may have several.
    pub(crate) fn is_for_another(&self, own: Option<&Number>) -> bool {
        self.account
            .as_ref()
            .zip(own)
            .is_some_and(|(account, own)| account != own)
    }

    /// What is handed on. `own` is the account's number.
    pub(crate) fn inbound(self, who: Identity, own: Option<&Number>) -> Inbound {
        let is_own = |account: &Number| self.number.as_ref() == Some(account);
        let from_me = own.is_some_and(is_own) || self.account.as_ref().is_some_and(is_own);
        let chat = Target::chat(match &self.group {
            Some(group) => format!("group:{group}"),
            None => who.sender.clone(),
        });
        let at = Timestamp::from_millis(self.at);
        let mut message = Inbound::new(self.at.to_string(), who.sender, chat, at);
        message.also = who.also.into_iter().collect();
        message.is_direct = self.group.is_none();
        message.text = self.text;
        message.from_me = from_me;
        // `historical` stays false: Signal keeps messages while the gateway is away, and those are still new.
        message.authenticated = true;
        message.meta = self
            .name
            .map(|name| ("name".to_owned(), name))
            .into_iter()
            .collect();
        message
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::people::People;

    const ANN: &str = "7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f";

    fn event(content: &Value) -> String {
        let mut envelope = json!({
            "source": "+15550001111", "sourceNumber": "+15550001111", "sourceUuid": ANN, "sourceName": "Ann",
            "sourceDevice": 1, "timestamp": 1_795_000_000_123_i64,
        });
        for (key, value) in content.as_object().unwrap() {
            envelope[key] = value.clone();
        }
        json!({ "envelope": envelope, "account": "+15550000001" }).to_string()
    }

    fn inbound(content: &Value) -> Option<Inbound> {
        let mut envelope = parse(&event(content))?;
        let who = People::default().identify(envelope.number.clone(), envelope.uuid.take())?;
        Some(envelope.inbound(who, Number::parse("+15550000001").ok().as_ref()))
    }

    #[test]
    fn a_direct_message_and_one_in_a_group() {
        let said =
            json!({ "timestamp": 1, "message": "hello", "expiresInSeconds": 0, "viewOnce": false });
        let message = inbound(&json!({ "dataMessage": said })).unwrap();
        assert_eq!(
            (message.sender.as_str(), message.text.as_str()),
            ("+15550001111", "hello")
        );
        assert_eq!(message.also, [format!("uuid:{ANN}")]);
        assert_eq!(message.chat, Target::chat("+15550001111"));
        assert_eq!(message.at, Timestamp::from_millis(1_795_000_000_123));
        assert_eq!(message.meta, [("name".to_owned(), "Ann".to_owned())]);
        assert!(message.is_direct && message.authenticated && !message.from_me);
        let group =
            json!({ "groupId": "YWJj", "groupName": "us", "revision": 3, "type": "DELIVER" });
        let said = json!({ "message": "hello", "groupInfo": group });
        let message = inbound(&json!({ "dataMessage": said })).unwrap();
        assert!(!message.is_direct && message.chat == Target::chat("group:YWJj"));
        let picture =
            json!({ "message": null, "attachments": [{ "contentType": "image/png", "id": "x" }] });
        assert_eq!(
            inbound(&json!({ "dataMessage": picture })).unwrap().text,
            ""
        );
        let own = json!({ "sourceNumber": "+15550000001", "dataMessage": { "message": "x" } });
        assert!(inbound(&own).unwrap().from_me);
    }

    #[test]
    fn everything_else_is_no_message() {
        let said = |what: Value| json!({ "dataMessage": what });
        for content in [
            json!({}),
            said(json!(null)),
            said(json!({ "message": null })),
            said(json!({ "message": "", "isExpirationUpdate": true, "expiresInSeconds": 60 })),
            said(json!({ "message": null, "reaction": { "emoji": "👍" } })),
            said(json!({ "message": null, "remoteDelete": { "timestamp": 1 } })),
            json!({ "editMessage": { "targetSentTimestamp": 1, "dataMessage": { "message": "x" } } }),
            json!({ "syncMessage": { "sentMessage": { "message": "x", "destinationNumber": "+15550002222" } } }),
            json!({ "receiptMessage": { "isRead": true, "timestamps": [1] } }),
            json!({ "typingMessage": { "action": "STARTED" } }),
            json!({ "callMessage": {} }),
            json!({ "storyMessage": { "textAttachment": { "text": "x" } } }),
            json!({ "timestamp": "soon", "dataMessage": { "message": "x" } }),
            json!({ "sourceUuid": null, "sourceNumber": "Signal", "dataMessage": { "message": "x" } }),
        ] {
            assert!(inbound(&content).is_none(), "{content}");
        }
        for broken in ["", "{", "[]", "{}", "null", "{\"envelope\":7}"] {
            assert!(parse(broken).is_none(), "{broken}");
        }
        let long = said(json!({ "message": "ä".repeat(100_000) }));
        assert_eq!(inbound(&long).unwrap().text.len(), LONGEST_TEXT);
    }
}
