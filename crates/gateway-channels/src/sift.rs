//! What of a message may be looked at at all, before anybody asks who sent it.

use std::fmt;

use channel_kit::{Inbound, Target, first_bytes};
use pairing_core::{ChannelRules, Metadata, SenderId, Timestamp};

/// A message that is fit to be looked at: by somebody else, said now, to us.
///
/// - The sender is spelled as the channel spells senders.
/// - No id holds a control character or is longer than [`MAX_ID`]; the text is at most [`MAX_TEXT`] long.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) sender: SenderId,
    /// Other ids of the same person.
    pub(crate) also: Vec<SenderId>,
    pub(crate) chat: Target,
    pub(crate) is_direct: bool,
    pub(crate) text: String,
    /// Whether the text was longer and has been cut.
    pub(crate) is_cut: bool,
    /// Whether another bot made the text.
    pub(crate) via_bot: bool,
    pub(crate) at: Timestamp,
    pub(crate) meta: Metadata,
}

/// Why nothing is done about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    FromMe,
    FromBot,
    Historical,
    Unauthenticated,
    Sender,
    Malformed,
}

/// The longest text that goes anywhere, in bytes: more than any chat system carries. The rest is cut off.
pub const MAX_TEXT: usize = 64 << 10;

/// The longest id of a message, chat or thread, in bytes.
pub const MAX_ID: usize = 256;

/// Maximum number of other ids of a person that are looked at.
const MAX_ALSO: usize = 4;

impl Letter {
    /// Looks at what is known of a message, and at nothing that was said.
    pub(crate) fn new(rules: &ChannelRules, inbound: Inbound) -> Result<Self, Dropped> {
        let Inbound {
            id,
            sender,
            also,
            chat,
            is_direct,
            text,
            at,
            from_me,
            from_bot,
            via_bot,
            historical,
            authenticated,
            meta,
            ..
        } = inbound;
        let reasons = [
            (!authenticated, Dropped::Unauthenticated),
            (from_me, Dropped::FromMe),
            (from_bot, Dropped::FromBot),
            (historical, Dropped::Historical),
        ];
        if let Some((_, dropped)) = reasons.into_iter().find(|(applies, _)| *applies) {
            return Err(dropped);
        }
        let sender = rules.sender(&sender).map_err(|_| Dropped::Sender)?;
        let also = also.iter().take(MAX_ALSO);
        // One that cannot be an id of this channel names nobody who could be allowed.
        let also = also.filter_map(|other| rules.sender(other).ok()).collect();
        if !(is_id(&id) && is_target(&chat)) {
            return Err(Dropped::Malformed);
        }
        let is_cut = text.len() > MAX_TEXT;
        Ok(Self {
            id,
            sender,
            also,
            chat,
            is_direct,
            text: first_bytes(text, MAX_TEXT),
            is_cut,
            via_bot,
            at,
            meta: Metadata::from(meta),
        })
    }
}

impl Dropped {
    /// What metrics call it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::FromMe => "from-me",
            Self::FromBot => "from-bot",
            Self::Historical => "historical",
            Self::Unauthenticated => "unauthenticated",
            Self::Sender => "no-sender",
            Self::Malformed => "malformed",
        }
    }
}

/// Whether this can be the id of a chat.
pub fn is_target(target: &Target) -> bool {
    is_id(&target.chat) && target.thread.as_deref().is_none_or(is_id)
}

/// What would be shown otherwise than it is, or cannot have come from a chat system, is no id.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID && !text.contains(char::is_control)
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").finish_non_exhaustive()
    }
}
