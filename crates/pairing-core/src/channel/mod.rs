//! The differences between channels, as data.

mod added;
mod normalise;
mod replies;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{ChannelId, PairingCode, SenderError, SenderId};
use added::Added;
use normalise::Shape;

pub use added::AddChannelError;
pub use replies::{Replies, Texts, fill_places};

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
    prefixes: Vec<Cow<'static, str>>,
    shape: Shape,
    matches_usernames: bool,
}

impl ChannelRules {
    /// Makes rules for a channel whose ids are compared unchanged, apart from trimming.
    pub fn new(id: ChannelId) -> Self {
        let sender_line = Cow::from(format!("Your {id} user id: "));
        Self {
            id,
            id_label: "userId".into(),
            sender_line,
            prefixes: Vec::new(),
            shape: Shape::Any,
            matches_usernames: false,
        }
    }

    /// Sets the label of the id in lists (`telegramUserId`), and the words before the id in the reply to
    /// an unknown sender.
    pub fn label(self, id_label: impl Into<String>, sender_line: impl Into<String>) -> Self {
        Self {
            id_label: id_label.into().into(),
            sender_line: sender_line.into().into(),
            ..self
        }
    }

    /// Sets the prefixes that people put before an id (`tg` for `tg:123`). They are removed in any letter
    /// case, also when repeated.
    pub fn prefixes(self, prefixes: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let owned = |prefix: &str| Cow::from(prefix.to_owned());
        Self {
            prefixes: prefixes.into_iter().map(|p| owned(p.as_ref())).collect(),
            ..self
        }
    }

    /// Sets a normaliser of the adapter, which is applied after the prefixes are removed.
    ///
    /// It returns the normal form of an id, or `None` for a text that cannot be a sender of the channel;
    /// `expected` describes a valid id ("a numeric id"). It must leave its own results unchanged. It may be
    /// a closure that holds what it needs, such as a list from a configuration.
    pub fn normaliser(
        self,
        normalise: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            shape: Shape::Custom {
                normalise: Arc::new(normalise),
                expected: expected.into(),
            },
            ..self
        }
    }

    /// Lets configured lists name senders by their user name (`@ann`), too.
    ///
    /// Off unless it is called: in many chat systems a user name can be given up by one person and taken by
    /// another, who then gets in. Entries that begin with `@`, and entries that can be no id of the channel,
    /// are compared with the member `username` of the sender's [`Metadata`](crate::Metadata), without the `@`
    /// and in any letter case. Only configured lists go by it; approvals are always of ids.
    pub fn match_usernames(self) -> Self {
        Self {
            matches_usernames: true,
            ..self
        }
    }

    /// Whether configured lists may name senders by their user name.
    pub fn matches_usernames(&self) -> bool {
        self.matches_usernames
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

    /// Returns the words before the sender's id in the reply to an unknown sender.
    pub fn sender_line(&self) -> &str {
        &self.sender_line
    }

    /// Returns the text that an unknown sender receives when a request was created, by the default
    /// [`Replies`].
    pub fn pairing_reply(&self, sender: &SenderId, code: PairingCode) -> String {
        Replies::default().request(self, sender, code, None)
    }

    /// Returns the normal form of a user name in a configured list, if the channel goes by those and the
    /// entry is one.
    pub(crate) fn username(&self, entry: &str) -> Option<String> {
        if !self.matches_usernames {
            return None;
        }
        let bare = self.without_prefixes(entry.trim());
        let is_meant = bare.starts_with('@') || self.sender(bare).is_err();
        is_meant.then(|| username(bare)).flatten()
    }

    fn without_prefixes<'t>(&self, mut text: &'t str) -> &'t str {
        // All prefixes are removed, so that an id that is written and read again cannot lose another one.
        while let Some((prefix, rest)) = text.split_once(':') {
            let known = |known: &Cow<'_, str>| known.eq_ignore_ascii_case(prefix.trim_end());
            if !self.prefixes.iter().any(known) {
                break;
            }
            text = rest.trim_start();
        }
        text
    }
}

/// Returns the normal form of a user name: without `@`, in lower case. `None` if nothing is left.
pub(crate) fn username(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.strip_prefix('@').unwrap_or(text);
    let is_name = !bare.is_empty()
        && bare != "*"
        && bare.len() <= SenderId::MAX_BYTES
        && !bare.contains(normalise::is_lookalike);
    is_name.then(|| bare.to_lowercase())
}

/// The channels that a program supports.
///
/// Cheap to clone; made once and shared by the service and the store, which must use the same rules. Clones
/// see the channels that are [added](Self::add) to one of them.
#[derive(Debug, Clone)]
pub struct Channels {
    known: Arc<BTreeMap<ChannelId, Arc<ChannelRules>>>,
    added: Arc<Added>,
}

impl Channels {
    /// Maximum number of channels that can be [added](Self::add) to a running program.
    pub const MAX_ADDED: usize = 256;

    /// Returns the built-in channels: telegram, whatsapp, signal, imessage, discord, slack,
    /// feishu and bluebubbles.
    pub fn builtin() -> Self {
        let rows = BUILTIN
            .iter()
            .map(|&(name, id_label, sender_line, prefixes, ref shape)| {
                let id = ChannelId::builtin(name);
                let rules = ChannelRules {
                    id: id.clone(),
                    id_label: id_label.into(),
                    sender_line: sender_line.into(),
                    prefixes: prefixes.iter().copied().map(Cow::from).collect(),
                    shape: shape.clone(),
                    matches_usernames: false,
                };
                (id, Arc::new(rules))
            });
        Self {
            known: Arc::new(rows.collect()),
            added: Arc::default(),
        }
    }

    /// Returns these channels and one more, or with other rules for one of them. These stay as they are: the
    /// result is a list of its own.
    pub fn with(self, rules: ChannelRules) -> Self {
        let mut known = Arc::unwrap_or_clone(self.known);
        let added = self.added.iter();
        known.extend(added.map(|rules| (rules.id.clone(), rules.clone())));
        known.insert(rules.id.clone(), Arc::new(rules));
        Self {
            known: Arc::new(known),
            added: Arc::default(),
        }
    }

    /// Adds a channel to these and to all clones: to the service and the store that run with them, which keep
    /// what they have cached and whom they notify.
    ///
    /// What is there is neither replaced nor removed, so ids keep the spelling that they were stored in.
    ///
    /// ```
    /// use pairing_core::{ChannelId, ChannelRules, Channels};
    ///
    /// let channels = Channels::builtin();
    /// let shared = channels.clone();
    /// let (name, prefix) = (String::from("irc"), String::from("nick"));
    /// channels.add(
    ///     ChannelRules::new(ChannelId::parse(&name)?)
    ///         .prefixes([prefix])
    ///         .normaliser(|nick| Some(nick.to_lowercase()), "a nick"),
    /// )?;
    /// let rules = shared.get(&ChannelId::parse("irc")?).ok_or("added")?;
    /// assert_eq!(rules.sender("nick:Ann")?.as_str(), "ann");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add(&self, rules: ChannelRules) -> Result<(), AddChannelError> {
        if self.known.contains_key(&rules.id) {
            return Err(AddChannelError::Known { channel: rules.id });
        }
        self.added.add(rules)
    }

    /// Returns the rules of a channel.
    pub fn get(&self, id: &ChannelId) -> Option<&Arc<ChannelRules>> {
        let known = self.known.get(id);
        known.or_else(|| self.added.iter().find(|rules| rules.id == *id))
    }

    /// Returns the rules of all channels, sorted by channel name.
    pub fn iter(&self) -> impl Iterator<Item = &ChannelRules> {
        let all = self.known.values().chain(self.added.iter());
        let mut all: Vec<&ChannelRules> = all.map(Arc::as_ref).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.into_iter()
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
const BUILTIN: [Row; 8] = [
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
    (
        "bluebubbles",
        "bluebubblesSenderId",
        "Your BlueBubbles sender id: ",
        &["bluebubbles", "imessage", "sms", "auto"],
        Shape::IMessage,
    ),
];

#[cfg(test)]
mod tests;
