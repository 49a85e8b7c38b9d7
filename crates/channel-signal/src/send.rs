//! Sending and deleting messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use channel_kit::http::HttpError;
use channel_kit::{MessageId, Outgoing, SendError, Target, TextLimit};
use pairing_core::escape;
use serde_json::{Value, json};

use crate::rpc::{About, CallError};
use crate::uuid::Uuid;
use crate::{Number, Signal};

/// The longest text. A longer one becomes an attachment, which apps fold.
pub(crate) const TEXT: TextLimit = TextLimit::bytes(2000);

/// Where a message goes.
enum Recipient {
    Person(String),
    Group(String),
}

/// Sends a message, in as many parts as its text needs; the id names all of them. If a part fails, those before it were sent.
pub(crate) async fn send(
    signal: &Signal,
    to: &Target,
    what: &Outgoing,
) -> Result<MessageId, SendError> {
    let recipient = recipient(to)?;
    let mut texts = TEXT.split(&what.text);
    if !what.buttons.is_empty() || (texts.is_empty() && what.picture.is_none()) {
        return Err(SendError::Unable);
    }
    let mut sent = Vec::new();
    if let Some(png) = &what.picture {
        let words = if texts.is_empty() {
            ""
        } else {
            texts.remove(0)
        };
        let picture = format!(
            "data:image/png;filename=picture.png;base64,{}",
            STANDARD.encode(png)
        );
        let params = json!({ "message": words, "attachments": [picture] });
        sent.push(post(signal, &recipient, params).await?);
    }
    for text in texts {
        sent.push(post(signal, &recipient, json!({ "message": text })).await?);
    }
    Ok(MessageId(sent.join(",")))
}

/// Sends one message; returns the time that names it.
async fn post(signal: &Signal, to: &Recipient, params: Value) -> Result<String, SendError> {
    const METHOD: &str = "send";
    let params = to.put(params);
    let sent = signal.rpc.call(METHOD, params, signal.pace.call).await;
    let sent = sent.map_err(|error| of_call(&error))?;
    let at = sent["timestamp"].as_i64();
    at.map(|at| at.to_string())
        .ok_or_else(|| of_call(&CallError::Malformed { method: METHOD }))
}

/// Deletes it for everybody.
pub(crate) async fn delete(
    signal: &Signal,
    from: &Target,
    message: &MessageId,
) -> Result<(), SendError> {
    let recipient = recipient(from)?;
    let times = message.0.split(',').map(str::parse::<i64>);
    let times: Vec<_> = times
        .collect::<Result<_, _>>()
        .map_err(|_| SendError::Unable)?;
    let mut failed = None;
    for at in times {
        let params = recipient.put(json!({ "targetTimestamp": at }));
        let deleted = signal
            .rpc
            .call("remoteDelete", params, signal.pace.call)
            .await;
        if let Err(error) = deleted {
            failed = Some(of_call(&error));
        }
    }
    failed.map_or(Ok(()), Err)
}

impl Recipient {
    fn put(&self, mut params: Value) -> Value {
        match self {
            Self::Person(person) => params["recipient"] = json!([person]),
            Self::Group(group) => params["groupId"] = group.as_str().into(),
        }
        params
    }
}

/// The person or group that a target names: a number, `uuid:<id>` or `group:<id>`. Nothing else is passed on, since a text
/// may mean something else to signal-cli.
fn recipient(target: &Target) -> Result<Recipient, SendError> {
    let text = target.chat.as_str();
    let found = if let Some(group) = text.strip_prefix("group:") {
        let is_id = !group.is_empty() && STANDARD.decode(group).is_ok();
        is_id.then(|| Recipient::Group(group.to_owned()))
    } else if let Some(uuid) = text.strip_prefix("uuid:") {
        Uuid::parse(uuid).map(|uuid| Recipient::Person(uuid.as_str().to_owned()))
    } else {
        let number = Number::parse(text).ok();
        number.map(|number| Recipient::Person(number.to_string()))
    };
    found.ok_or_else(|| SendError::Chat {
        reason: format!(
            "{} is no chat of Signal: it is a number such as +15550001111, uuid:… or group:…",
            escape(text).limit(64)
        ),
    })
}

fn of_call(error: &CallError) -> SendError {
    let reason = match error.about() {
        About::Identity => {
            let reason = format!(
                "{error}: the person's safety number has changed; compare it, then stop the daemon, and run `signal-cli -a \
                 <account> trust -v <safety number> <number>`"
            );
            return SendError::Chat { reason };
        }
        About::Recipient => {
            let reason = format!("{error}: the person cannot be reached on Signal");
            return SendError::Chat { reason };
        }
        About::Account => {
            format!("{error}: link the account with `openclaw channels login signal`")
        }
        About::Challenge => {
            format!(
                "{error}: Signal wants a challenge solved: stop the daemon, and run `signal-cli -a <account> \
                 submitRateLimitChallenge`"
            )
        }
        _ => error.to_string(),
    };
    let reason = match error {
        CallError::Http {
            error: HttpError::Connect,
            ..
        } => format!("{reason}: signal-cli does not run at that address"),
        _ if error.may_be_done() => format!("{reason}: it may have been sent"),
        _ => reason,
    };
    SendError::Unavailable { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_are_numbers_ids_and_groups() {
        let put = |chat: &str| recipient(&Target::chat(chat)).map(|to| to.put(json!({})));
        for (chat, params) in [
            ("+15550001111", json!({ "recipient": ["+15550001111"] })),
            (
                "uuid:7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f",
                json!({ "recipient": ["7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f"] }),
            ),
            ("group:YWJj", json!({ "groupId": "YWJj" })),
        ] {
            assert_eq!(put(chat).unwrap(), params);
        }
        for none in [
            "", "ann", "u:ann.01", "uuid:ann", "group:", "group:?", "-a", "+1555\n",
        ] {
            assert!(matches!(put(none), Err(SendError::Chat { .. })), "{none}");
        }
    }
}
