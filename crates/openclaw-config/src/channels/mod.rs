//! `channels`: the accounts of each chat system, and the senders that they let in.

mod account;
mod cloud;
mod daemon;
mod given;
mod groups;
mod messages;
mod server;
mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use pairing_core::{AccountId, ChannelId};

use crate::read::{Reader, Section};
use crate::{Fault, did_you_mean};

pub use account::{Account, PairingReply};
pub use cloud::Cloud;
pub use daemon::Daemon;
pub(crate) use groups::Groups;
pub use messages::Messages;
pub use server::Server;
pub use web::Web;

use account::{Of, Written};

/// Members of `channels` that are no channels: OpenClaw keeps defaults and models there.
const NO_CHANNELS: [&str; 2] = ["defaults", "modelByChannel"];

/// All channels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Channels {
    by_id: BTreeMap<ChannelId, Channel>,
    groups: Groups,
    /// Why there is no telling which channels are configured.
    broken: Option<Arc<Fault>>,
}

/// A channel: what goes for all of its accounts, and what some have of their own.
#[derive(Debug, Clone, Default)]
struct Channel {
    all: Written,
    accounts: BTreeMap<AccountId, Written>,
    /// Why there is no telling which settings an account has.
    broken: Option<Arc<Fault>>,
}

impl Channels {
    /// Reads all channels, whatever they are called.
    pub(crate) fn read(at: &Section<'_>, groups: Groups, reader: &mut Reader<'_>) -> Self {
        let known = pairing_core::Channels::builtin();
        let names: Vec<_> = known.iter().map(|rules| rules.id().as_str()).collect();
        let mut channels: BTreeMap<ChannelId, Channel> = BTreeMap::new();
        for member in at.members() {
            if NO_CHANNELS.contains(&member.key.as_str()) {
                continue;
            }
            let path = at.name(&member.key);
            let id = match ChannelId::parse(&member.key) {
                Ok(id) => id,
                Err(error) => {
                    reader.fault(&path, &member.place, error.to_string());
                    continue;
                }
            };
            if known.get(&id).is_none()
                && let Some(meant) = did_you_mean(id.as_str(), &names)
            {
                let detail = format!("is no channel that is known; did you mean `{meant}`?");
                reader.slip(&path, &member.place, detail);
            }
            let section = Section::new(path.clone(), Some(&member.node), reader);
            let section = section.broken_by(at.broken());
            let of = Of {
                channel: &id,
                rules: known.get(&id).map(AsRef::as_ref),
                groups: &groups,
            };
            let mut channel = Channel::read(section, of, reader);
            if channels.contains_key(&id) {
                let detail = "this channel is there already: there is no telling which one counts";
                channel.all.unclear = Some(reader.fault(&path, &member.place, detail));
            }
            channels.insert(id, channel);
        }
        Self {
            by_id: channels,
            groups,
            broken: at.broken().cloned(),
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &ChannelId> {
        self.by_id.keys()
    }

    pub(crate) fn accounts(&self, channel: &ChannelId) -> impl Iterator<Item = &AccountId> {
        let channel = self.by_id.get(channel);
        channel
            .into_iter()
            .flat_map(|channel| channel.accounts.keys())
    }

    /// An account's own settings, and the channel's where it has none.
    pub(crate) fn account(&self, id: &ChannelId, account: &AccountId) -> Account {
        let mut merged = self.of(id, account, Written::merged);
        for list in [&mut merged.allow_from, &mut merged.block_from] {
            *list = list.take().map(|list| self.groups.expanded(list, id));
        }
        merged
    }

    /// The fault that closes an account.
    pub(crate) fn closing(&self, id: &ChannelId, account: &AccountId) -> Option<Arc<Fault>> {
        self.of(id, account, Written::closing)
    }

    fn of<T>(&self, id: &ChannelId, account: &AccountId, merge: Merge<T>) -> T {
        let none = Written::default();
        let channel = self.by_id.get(id);
        let own = channel.and_then(|channel| channel.accounts.get(account));
        let all = channel.map_or(&none, |channel| &channel.all);
        let broken = match channel {
            Some(channel) => channel.broken.as_ref(),
            None => self.broken.as_ref(),
        };
        merge(own.unwrap_or(&none), all, account, broken)
    }
}

/// Puts an account's own settings over its channel's.
type Merge<T> = fn(&Written, &Written, &AccountId, Option<&Arc<Fault>>) -> T;

impl Channel {
    fn read(mut section: Section<'_>, of: Of<'_>, reader: &mut Reader<'_>) -> Self {
        let all = Written::read(&mut section, of, reader);
        let at = section.child("accounts", reader);
        let broken = at.broken().cloned();
        let mut accounts = BTreeMap::new();
        for member in at.members() {
            let path = at.name(&member.key);
            let id = match AccountId::parse(&member.key) {
                Ok(id) => id,
                Err(error) => {
                    reader.fault(&path, &member.place, error.to_string());
                    continue;
                }
            };
            let own = Section::new(path.clone(), Some(&member.node), reader);
            let mut own = own.broken_by(at.broken());
            let mut written = Written::read(&mut own, of, reader);
            own.finish(reader);
            if accounts.contains_key(&id) {
                let detail = "this account is there already: there is no telling which one counts";
                written.unclear = Some(reader.fault(&path, &member.place, detail));
            }
            accounts.insert(id, written);
        }
        section.finish(reader);
        Self {
            all,
            accounts,
            broken,
        }
    }
}
