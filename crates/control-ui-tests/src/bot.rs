//! A bot that the gateway runs, and that connects to no chat service.

use std::sync::{Arc, Mutex, PoisonError};

use channel_kit::{
    Adapter, BoxFuture, Connection, Inbox, MessageId, Outgoing, SendError, Status, Stop, Target,
    TextLimit,
};
use pairing_core::{AccountId, ChannelId, SenderId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;

/// State of the bot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Bot {
    /// No bot runs.
    #[default]
    None,
    /// A bot runs, and its messages are accepted.
    Heard,
    /// A bot runs, and every user has blocked it.
    Blocked,
    /// The chat service does not accept the bot.
    Refused,
}

/// The bot of Telegram's default account.
#[derive(Debug)]
pub(crate) struct Played {
    channel: ChannelId,
    account: AccountId,
    is_blocked: bool,
    is_refused: bool,
    said: Mutex<Vec<Value>>,
}

impl Played {
    /// Returns the bot to run, or `None` if there is none.
    pub(crate) fn new(bot: Bot) -> Result<Option<Arc<Self>>, Failure> {
        if bot == Bot::None {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            channel: ChannelId::parse("telegram")?,
            account: AccountId::parse("default")?,
            is_blocked: bot == Bot::Blocked,
            is_refused: bot == Bot::Refused,
            said: Mutex::default(),
        })))
    }

    /// Returns the messages that the bot has sent, with their chats.
    pub(crate) fn said(&self) -> Vec<Value> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    fn say(&self, to: &Target, what: &Outgoing) -> Result<MessageId, SendError> {
        if self.is_blocked {
            let reason = "bot was blocked by the user".to_owned();
            return Err(SendError::Chat { reason });
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(json!({ "to": to.chat, "text": what.text }));
        Ok(MessageId(said.len().to_string()))
    }
}

impl Adapter for Played {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn longest_text(&self) -> TextLimit {
        TextLimit::utf16(4096)
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        let mut status = Status::default();
        status.connection = Connection::Connected;
        if self.is_refused {
            status.connection = Connection::Failing;
            status.last_error = Some("Unauthorized (401)".to_owned());
        }
        status
    }

    fn run(self: Arc<Self>, _: Inbox, mut stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move { stop.wait().await })
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        Box::pin(async { self.say(to, what) })
    }
}
