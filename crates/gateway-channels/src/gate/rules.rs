//! What goes for an account, out of the configuration.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use openclaw_config::{Config, PairingReply};
use pairing_core::{Account, Channel, DmPolicy, PairingCode, SenderId};

use crate::Owners;

/// What goes for one account.
pub(super) struct Rules {
    /// The account under its policy and list.
    pub(super) account: Account,
    /// Whether it is enabled.
    pub(super) is_enabled: bool,
    pub(super) policy: DmPolicy,
    pub(super) owners: Owners,
    /// How long a stranger who asked is not listened to.
    pub(super) backoff: Duration,
    /// Whether a stranger's first message is kept.
    pub(super) hand_over_first: bool,
    blocked: HashSet<SenderId>,
    reply: PairingReply,
}

/// The rules under the present settings: read once for each configuration, not for each message.
#[derive(Default)]
pub(super) struct Present(Mutex<Option<(Weak<Config>, Arc<Rules>)>>);

impl Rules {
    pub(super) fn new(config: &Config, channel: &Channel, account: &Account) -> Self {
        let (rules, id) = (channel.rules(), account.id());
        let access = config.access(rules, id);
        let set = config.account(rules.id(), id);
        let mut blocked = HashSet::new();
        for entry in set.block_from.iter().flatten() {
            match rules.sender(entry) {
                Ok(sender) => drop(blocked.insert(sender)),
                Err(error) => tracing::warn!(
                    channel = %rules.id(), account = id.as_str(),
                    entry = %pairing_core::quoted(entry).limit(64), %error,
                    "entry of blockFrom blocks nobody"
                ),
            }
        }
        Self {
            is_enabled: set.is_enabled(),
            policy: access.policy(),
            account: account.clone().with_access(access),
            owners: Owners::of(config, rules),
            backoff: set.pairing_backoff(),
            hand_over_first: set.hand_over_first.unwrap_or(false),
            blocked,
            reply: set.pairing_reply.unwrap_or_default(),
        }
    }

    /// Whether this sender is never answered.
    pub(super) fn is_blocked(&self, sender: &SenderId) -> bool {
        self.blocked.contains(sender)
    }

    /// What a stranger is told who has just asked; `standard` is the channel's own text.
    pub(super) fn reply(
        &self,
        standard: String,
        sender: &SenderId,
        code: PairingCode,
    ) -> Option<String> {
        match &self.reply {
            PairingReply::Standard => Some(standard),
            PairingReply::Silent => None,
            PairingReply::Own(text) => {
                let channel = self.account.channel().id().as_str();
                let words = [
                    ("{code}", code.as_str()),
                    ("{channel}", channel),
                    ("{id}", sender.as_str()),
                ];
                Some(pairing_core::fill_places(text, &words))
            }
        }
    }
}

impl Present {
    pub(super) fn get(&self, config: &Arc<Config>, read: impl FnOnce() -> Rules) -> Arc<Rules> {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, rules)) = &*present
            && of.as_ptr() == Arc::as_ptr(config)
        {
            return rules.clone();
        }
        let rules = Arc::new(read());
        // Does not keep a secret of former settings alive.
        *present = Some((Arc::downgrade(config), rules.clone()));
        rules
    }
}

impl fmt::Debug for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Present").finish_non_exhaustive()
    }
}
