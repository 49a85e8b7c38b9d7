//! A bot that the gateway runs, and that connects to no chat service.

use std::sync::{Arc, Mutex, PoisonError};

use channel_kit::{
    Adapter, BoxFuture, Connection, Inbox, Linked, LoggedOut, Login, LoginCode, LoginError,
    LoginStep, LogoutError, MessageId, Outgoing, SendError, Status, Stop, Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, SenderId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

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
    /// A bot runs whose account is linked by a code.
    Linked,
    /// The chat service does not accept the bot.
    Refused,
}

/// What happens while the bot's account is linked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LinkStep {
    /// There is a code to scan, with this text.
    Code,
    /// The code was scanned.
    Scanned,
    /// The account with this name is linked.
    Linked,
    /// It has failed for this reason.
    Failed,
}

/// The bot of Telegram's default account.
#[derive(Debug)]
pub(crate) struct Played {
    channel: ChannelId,
    account: AccountId,
    is_blocked: bool,
    is_refused: bool,
    said: Mutex<Vec<Value>>,
    /// What is to happen while its account is linked, if that is done by a code.
    linking: Option<Linking>,
}

#[derive(Debug)]
struct Linking {
    tell: mpsc::UnboundedSender<(LinkStep, String)>,
    told: tokio::sync::Mutex<mpsc::UnboundedReceiver<(LinkStep, String)>>,
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
            linking: (bot == Bot::Linked).then(|| {
                let (tell, told) = mpsc::unbounded_channel();
                Linking {
                    tell,
                    told: told.into(),
                }
            }),
        })))
    }

    /// Has something happen while its account is linked.
    pub(crate) fn link(&self, step: LinkStep, text: String) -> Result<(), Failure> {
        let linking = self
            .linking
            .as_ref()
            .ok_or("the bot is not linked by a code")?;
        Ok(linking.tell.send((step, text))?)
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

    fn login(&self) -> Option<&dyn Login> {
        self.linking.as_ref().map(|linking| linking as &dyn Login)
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

impl Login for Linking {
    fn how(&self) -> &'static str {
        "in the app on the phone: Settings, Linked devices"
    }

    fn link<'a>(
        &'a self,
        _: &'a str,
        tell: &'a (dyn Fn(LoginStep) + Send + Sync),
    ) -> BoxFuture<'a, Result<Linked, LoginError>> {
        Box::pin(async move {
            let mut told = self.told.lock().await;
            loop {
                match told.recv().await {
                    Some((LinkStep::Code, text)) => tell(LoginStep::Code(LoginCode::new(text))),
                    Some((LinkStep::Scanned, _)) => tell(LoginStep::Scanned),
                    Some((LinkStep::Linked, text)) => return Ok(Linked::to(text)),
                    Some((LinkStep::Failed, reason)) => {
                        let advice = "install signal-cli";
                        return Err(LoginError::Unavailable { reason, advice });
                    }
                    None => return Err(LoginError::TimedOut),
                }
            }
        })
    }

    fn log_out(&self) -> BoxFuture<'_, Result<LoggedOut, LogoutError>> {
        Box::pin(async { Ok(LoggedOut::of("+15550001111")) })
    }
}
