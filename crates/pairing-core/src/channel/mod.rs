//! The differences between channels, as data.

mod normalise;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{ChannelId, PairingCode, SenderError, SenderId};
use normalise::Shape;

/// The rules of one channel: the format of its sender ids, and the labels for them.
///
/// The seven channels of OpenClaw come with [`Channels::builtin`]; an adapter author adds another with
/// [`ChannelRules::new`]:
///
/// ```
/// use pairing_core::{ChannelId, ChannelRules};
///
/// let rules = ChannelRules::new(ChannelId::parse("matrix")?)
///     .label("matrixUserId", "Your Matrix user id: ")
///     .prefixes(&["matrix", "user"]);
/// assert_eq!(rules.sender(" matrix:@ann:example.org ")?.as_str(), "@ann:example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ChannelRules {
    id: ChannelId,
    id_label: Cow<'static, str>,
    sender_line: Cow<'static, str>,
    prefixes: &'static [&'static str],
    shape: Shape,
}

impl ChannelRules {
    /// Makes rules for a channel whose ids are compared unchanged, apart from trimming.
    pub fn new(id: ChannelId) -> Self {
        let sender_line = Cow::from(format!("Your {id} user id: "));
        Self {
            id,
            id_label: "userId".into(),
            sender_line,
            prefixes: &[],
            shape: Shape::Any,
        }
    }

    /// Sets the label of the id in lists (`telegramUserId`), and the words before the id in the reply to
    /// an unknown sender.
    pub fn label(self, id_label: &'static str, sender_line: &'static str) -> Self {
        Self {
            id_label: id_label.into(),
            sender_line: sender_line.into(),
            ..self
        }
    }

    /// Sets the prefixes that people put before an id (`tg` for `tg:123`). They are removed in any letter
    /// case, also when repeated.
    pub fn prefixes(self, prefixes: &'static [&'static str]) -> Self {
        Self { prefixes, ..self }
    }

    /// Sets a normaliser of the adapter, which is applied after the prefixes are removed.
    ///
    /// It returns the normal form of an id, or `None` for a text that cannot be a sender of the channel;
    /// `expected` describes a valid id ("a numeric id"). It must leave its own results unchanged.
    pub fn normaliser(self, normalise: fn(&str) -> Option<String>, expected: &'static str) -> Self {
        Self {
            shape: Shape::Custom {
                normalise,
                expected,
            },
            ..self
        }
    }

    /// Returns the channel that these rules are for.
    pub fn id(&self) -> &ChannelId {
        &self.id
    }

    /// Returns the label of the sender's id in lists, such as `telegramUserId`.
    pub fn id_label(&self) -> &str {
        &self.id_label
    }

    /// Returns the normal form of a sender's id, which is the same for writing, reading and matching.
    ///
    /// Removes white space and prefixes, then applies the rule of the channel. Costs one or two small
    /// allocations.
    pub fn sender(&self, text: &str) -> Result<SenderId, SenderError> {
        let bare = self.without_prefixes(text.trim());
        match bare {
            "" => return Err(SenderError::Empty),
            "*" => return Err(SenderError::Wildcard),
            long if long.len() > 2 * SenderId::MAX_BYTES => {
                return Err(SenderError::Long { found: long.len() });
            }
            _ => {}
        }
        let spelled = self
            .shape
            .normalise(bare)
            .map_err(|expected| SenderError::Shape {
                channel: self.id.clone(),
                expected,
            })?;
        SenderId::checked(&spelled)
    }

    /// Returns the text that an unknown sender receives when a request was created.
    pub fn pairing_reply(&self, sender: &SenderId, code: PairingCode) -> String {
        let Self {
            id, sender_line, ..
        } = self;
        let code = code.as_str();
        format!(
            "OpenClaw: access not configured.\n\n\
             {sender_line}{sender}\n\n\
             Pairing code: {code}\n\n\
             Ask the bot owner to approve with:\n\
             openclaw pairing approve {id} {code}"
        )
    }

    fn without_prefixes<'t>(&self, mut text: &'t str) -> &'t str {
        // All prefixes are removed, so that an id that is written and read again cannot lose another one.
        while let Some((prefix, rest)) = text.split_once(':') {
            let known = |known: &&str| known.eq_ignore_ascii_case(prefix.trim_end());
            if !self.prefixes.iter().any(known) {
                break;
            }
            text = rest.trim_start();
        }
        text
    }
}

/// The text for a sender who was approved, if the owner asked to notify them.
pub const APPROVED_NOTICE: &str = "OpenClaw: access approved. Send a message to start.";

/// The channels that a program supports.
///
/// Cheap to clone; made once and shared by the service and the store, which must use the same rules.
#[derive(Debug, Clone)]
pub struct Channels(Arc<BTreeMap<ChannelId, Arc<ChannelRules>>>);

impl Channels {
    /// Returns the built-in channels: telegram, whatsapp, signal, imessage, discord, slack and feishu.
    pub fn builtin() -> Self {
        Self(Arc::new(
            BUILTIN
                .iter()
                .map(|&(name, id_label, sender_line, prefixes, shape)| {
                    let id = ChannelId::builtin(name);
                    let rules = ChannelRules {
                        id: id.clone(),
                        id_label: id_label.into(),
                        sender_line: sender_line.into(),
                        prefixes,
                        shape,
                    };
                    (id, Arc::new(rules))
                })
                .collect(),
        ))
    }

    /// Adds a channel, or replaces its rules.
    pub fn with(mut self, rules: ChannelRules) -> Self {
        Arc::make_mut(&mut self.0).insert(rules.id.clone(), Arc::new(rules));
        self
    }

    /// Returns the rules of a channel.
    pub fn get(&self, id: &ChannelId) -> Option<&Arc<ChannelRules>> {
        self.0.get(id)
    }

    /// Returns the rules of all channels, sorted by channel name.
    pub fn iter(&self) -> impl Iterator<Item = &ChannelRules> {
        self.0.values().map(Arc::as_ref)
    }
}

type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    Shape,
);

/// Name, id label, sender line, prefixes and shape of the channels that OpenClaw itself has.
const BUILTIN: [Row; 7] = [
    (
        "telegram",
        "telegramUserId",
        "Your Telegram user id: ",
        &["telegram", "tg"],
        Shape::Digits,
    ),
    (
        "whatsapp",
        "whatsappSenderId",
        "Your WhatsApp phone number: ",
        &["whatsapp"],
        Shape::WhatsApp,
    ),
    (
        "signal",
        "signalNumber",
        "Your Signal number: ",
        &["signal"],
        Shape::Signal,
    ),
    (
        "imessage",
        "imessageSenderId",
        "Your iMessage sender id: ",
        &["imessage", "sms", "auto"],
        Shape::IMessage,
    ),
    (
        "discord",
        "discordUserId",
        "Your Discord user id: ",
        &["discord", "user"],
        Shape::Any,
    ),
    (
        "slack",
        "slackUserId",
        "Your Slack user id: ",
        &["slack", "user"],
        Shape::Any,
    ),
    (
        "feishu",
        "feishuUserId",
        "Your Feishu user id: ",
        &["feishu", "user", "open_id"],
        Shape::Any,
    ),
];

#[cfg(test)]
mod tests;
