//! How a personal account is linked to WhatsApp Web.

use std::sync::Arc;

use super::given::{counting, fault, or, value};
use crate::Fault;
use crate::read::{Given, Reader, Section};

/// How a personal account is linked. `None` is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Web {
    /// The directory of its keys, if not at its usual place.
    pub auth_dir: Option<String>,
    /// Whether messages that the owner writes to themselves are heard as theirs.
    pub self_chat_mode: Option<bool>,
    /// The account's number, if it is linked by a pairing code.
    pub link_number: Option<String>,
}

/// What is written of it, each key with its fault.
#[derive(Debug, Clone)]
pub(super) struct WrittenWeb {
    auth_dir: Given<String>,
    self_chat_mode: Given<bool>,
    link_number: Given<String>,
}

impl Default for WrittenWeb {
    fn default() -> Self {
        Self {
            auth_dir: Ok(None),
            self_chat_mode: Ok(None),
            link_number: Ok(None),
        }
    }
}

impl WrittenWeb {
    pub(super) fn read(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Self {
        Self {
            auth_dir: at.text("authDir", reader),
            self_chat_mode: at.flag("selfChatMode", reader),
            link_number: at.text("linkNumber", reader),
        }
    }

    /// The first fault of what counts for an account. Wrong keys may be another person's.
    pub(super) fn fault<'a>(
        own: &'a Self,
        all: &'a Self,
        is_default: bool,
    ) -> Option<&'a Arc<Fault>> {
        let faults = [
            fault(&own.auth_dir),
            fault(&own.link_number),
            fault(&all.auth_dir).filter(|_| is_default),
            fault(&all.link_number).filter(|_| is_default),
            counting(&own.self_chat_mode, &all.self_chat_mode),
        ];
        faults.into_iter().flatten().next()
    }

    /// An account's own settings over its channel's. Keys and number are an account's own: what stands beside the accounts is
    /// the default account's.
    pub(super) fn merged(own: &Self, all: &Self, is_default: bool) -> Web {
        Web {
            auth_dir: value(&own.auth_dir).or_else(|| value(&all.auth_dir).filter(|_| is_default)),
            self_chat_mode: or(&own.self_chat_mode, &all.self_chat_mode).unwrap_or(Some(false)),
            link_number: value(&own.link_number)
                .or_else(|| value(&all.link_number).filter(|_| is_default)),
        }
    }
}
