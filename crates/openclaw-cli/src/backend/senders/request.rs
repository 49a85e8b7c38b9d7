//! A sender's pending request, as a store or a gateway reports it.

use std::fmt;

use pairing_core::store::PendingRequest;
use pairing_core::{AccountId, ChannelId, Metadata, PairingCode, SenderId, Timestamp};

/// A sender's pending request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
    pub(crate) sender: SenderId,
    pub(crate) handle: Handle,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) last_seen_at: Option<Timestamp>,
    pub(crate) meta: Metadata,
}

impl Request {
    /// Oldest first, in one order for requests of the same time.
    pub(super) fn order(&self) -> impl Ord {
        (self.created_at, &self.account, &self.sender)
    }
}

/// The name by which a request is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handle {
    /// The code that the sender received.
    Code(PairingCode),
    /// A public id. Gateways of the other program do not tell codes.
    Id(String),
}

/// Number of characters of a public id that tables show. A request can be named by such a beginning.
const SHOWN: usize = 8;

impl Handle {
    pub(crate) fn code(&self) -> Option<PairingCode> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Id(_) => None,
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Code(_) => None,
            Self::Id(id) => Some(id),
        }
    }

    /// The whole handle.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Code(code) => code.as_str(),
            Self::Id(id) => id,
        }
    }

    /// Whether a person meant this request. Ids may be shortened to the part that tables show.
    pub(crate) fn is(&self, typed: &str) -> bool {
        match self {
            Self::Code(code) => PairingCode::parse(typed) == Ok(*code),
            Self::Id(id) => typed.len() >= SHOWN && id.starts_with(typed),
        }
    }
}

/// As tables show it.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self {
            Self::Code(code) => code.as_str(),
            Self::Id(id) => id.get(..SHOWN).unwrap_or(id),
        };
        f.write_str(shown)
    }
}

impl Request {
    /// The same in the core's terms; `None` without a code.
    pub(crate) fn pending(&self) -> Option<PendingRequest> {
        Some(PendingRequest {
            channel: self.channel.clone(),
            account: self.account.clone(),
            sender: self.sender.clone(),
            code: self.handle.code()?,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            meta: self.meta.clone(),
        })
    }
}

impl From<PendingRequest> for Request {
    fn from(request: PendingRequest) -> Self {
        Self {
            channel: request.channel,
            account: request.account,
            sender: request.sender,
            handle: Handle::Code(request.code),
            created_at: request.created_at,
            last_seen_at: request.last_seen_at,
            meta: request.meta,
        }
    }
}
