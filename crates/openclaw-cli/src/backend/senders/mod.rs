//! Senders of direct messages, on files or through a gateway.

mod request;
mod theirs;
mod told;

use std::sync::Arc;

use gateway_protocol::dm::{DmAllowed, DmDecided, DmListed, DmRequests, Listed};
use pairing_core::store::{AllowEntry, PendingRequest, TurnedAway};
use pairing_core::{
    AccountId, Allowed, Channel, ChannelId, ChannelRules, Channels, PairingCode, Problem, Timestamp,
};
use serde_json::json;

use super::{Backend, Files};
use crate::Failure;
use crate::failure::UsageError;
pub(crate) use request::Request;
use told::{allow_entry, by_channel, decided_request, none_pending, problems, rules_of, with};

/// A sender who waits, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) expires_at: Option<Timestamp>,
}

/// What waits in a channel.
#[derive(Debug)]
pub(crate) struct InChannel {
    pub(crate) rules: Arc<ChannelRules>,
    pub(crate) requests: Vec<Waiting>,
    pub(crate) problems: Vec<Problem>,
    /// `None` where it is still to be read.
    turned_away: Option<Vec<TurnedAway>>,
}

impl InChannel {
    pub(crate) fn id(&self) -> &ChannelId {
        self.rules.id()
    }

    /// Nothing of a channel, as a gateway tells it.
    fn empty(rules: Arc<ChannelRules>) -> Self {
        Self {
            rules,
            requests: Vec::new(),
            problems: Vec::new(),
            turned_away: Some(Vec::new()),
        }
    }
}

impl Backend {
    /// Whether requests have public ids instead of codes, as at gateways of the other program.
    pub(crate) fn hides_codes(&self) -> bool {
        match self {
            Self::Files(_) => false,
            Self::Gateway(remote) => {
                let theirs = crate::purpose::equivalent("pairing.list");
                remote.lacks(&["pairing.list"]).is_some()
                    && theirs.is_some_and(|method| remote.lacks(&[method]).is_none())
            }
        }
    }

    /// The pending requests of the named channel, or of each known channel, oldest first. A channel that cannot be
    /// read hides no other.
    pub(crate) fn waiting(
        &self,
        channel: Option<&ChannelId>,
        account: Option<&AccountId>,
    ) -> Result<Vec<Result<InChannel, Failure>>, Failure> {
        let mut channels = match self {
            Self::Files(files) => files.waiting(channel, account)?,
            Self::Gateway(remote) if self.hides_codes() => {
                let channels = theirs::waiting(remote, channel, account)?;
                channels.into_iter().map(Ok).collect()
            }
            Self::Gateway(remote) => {
                let mut params = json!({});
                if let Some(channel) = channel {
                    params["channel"] = json!(channel);
                }
                let list: DmRequests = remote.call("pairing.list", &with(params, account))?;
                by_channel(list, channel)
            }
        };
        // Stores and gateways have orders of their own.
        for channel in channels.iter_mut().flatten() {
            channel
                .requests
                .sort_by(|a, b| a.request.order().cmp(&b.request.order()));
        }
        Ok(channels)
    }

    /// Senders turned away because too many requests were pending.
    pub(crate) fn turned_away(&self, channel: &InChannel) -> Result<Vec<TurnedAway>, Failure> {
        match (self, &channel.turned_away) {
            (Self::Files(files), None) => Ok(files.channel(channel.id())?.turned_away()?),
            (_, known) => Ok(known.clone().unwrap_or_default()),
        }
    }

    /// The rules of a channel.
    pub(crate) fn rules(&self, channel: &ChannelId) -> Result<Arc<ChannelRules>, Failure> {
        match self {
            Self::Files(files) => {
                let known = files.service.channel_of(channel)?;
                let rules = files.service.channels().get(known.id());
                Ok(rules.cloned().unwrap_or_else(|| rules_of(channel)))
            }
            Self::Gateway(_) => Ok(rules_of(channel)),
        }
    }

    /// Whether this could be a sender of any channel.
    pub(crate) fn may_be_sender(&self, text: &str) -> bool {
        let could = |channels: &Channels| channels.iter().any(|rules| rules.sender(text).is_ok());
        match self {
            Self::Files(files) => could(files.service.channels()),
            Self::Gateway(_) => could(&Channels::builtin()),
        }
    }

    /// The channel of this name, if it is one that is known.
    pub(crate) fn known_channel(&self, name: &str) -> Option<ChannelId> {
        let id = ChannelId::parse(name).ok()?;
        let known = match self {
            Self::Files(files) => files.service.channels().get(&id).is_some(),
            Self::Gateway(_) => Channels::builtin().get(&id).is_some(),
        };
        known.then_some(id)
    }

    /// Lets a sender in, and tells them where that is asked for: whether that worked, or why not.
    pub(crate) fn approve_sender(
        &self,
        channel: &ChannelId,
        account: Option<&AccountId>,
        subject: &str,
        notify: bool,
    ) -> Result<(Request, Option<Result<(), String>>), Failure> {
        if let (true, Self::Gateway(remote)) = (self.hides_codes(), self) {
            return theirs::approve(remote, channel, account, subject, notify);
        }
        let code = PairingCode::parse(subject).map_err(UsageError::from)?;
        match self {
            Self::Files(files) => {
                let (channel, by) = (files.channel(channel)?, &files.approver);
                let approved = match account {
                    Some(id) => channel.account_of(id.clone()).approve_code(code, by)?,
                    None => channel.approve_code(code, by)?,
                };
                let nobody = "no gateway runs that could";
                let told = notify.then(|| Err(nobody.to_owned()));
                Ok((approved.request.into(), told))
            }
            Self::Gateway(remote) => {
                let mut params = json!({ "channel": channel, "code": code });
                if notify {
                    params["notify"] = json!(true);
                }
                let decided = remote.call("pairing.approve", &with(params, account));
                let decided: DmDecided =
                    decided.map_err(|failure| none_pending(failure, channel))?;
                let told = notify.then(|| match (decided.notified, &decided.not_notified) {
                    (Some(true), _) => Ok(()),
                    (_, Some(why)) => Err(why.clone()),
                    (_, None) => Err("the gateway has not said that it did".to_owned()),
                });
                Ok((decided_request(decided), told))
            }
        }
    }

    pub(crate) fn reject_sender(
        &self,
        channel: &ChannelId,
        account: Option<&AccountId>,
        subject: &str,
    ) -> Result<Request, Failure> {
        match self {
            Self::Files(files) => {
                let (channel, by) = (files.channel(channel)?, &files.approver);
                let rejected = match account {
                    Some(id) => channel.account_of(id.clone()).reject(subject, by)?,
                    None => channel.reject(subject, by)?,
                };
                Ok(rejected.into())
            }
            Self::Gateway(remote) if self.hides_codes() => {
                theirs::dismiss(remote, channel, account, subject)
            }
            Self::Gateway(remote) => {
                let params = json!({ "channel": channel, "request": subject });
                let decided = remote.call("pairing.reject", &with(params, account));
                let decided: DmDecided =
                    decided.map_err(|failure| none_pending(failure, channel))?;
                Ok(decided_request(decided))
            }
        }
    }

    pub(crate) fn allowed(
        &self,
        channel: &ChannelId,
        account: &AccountId,
    ) -> Result<Allowed, Failure> {
        match self {
            Self::Files(files) => {
                let account = files.channel(channel)?.account_of(account.clone());
                Ok(account.allowed()?)
            }
            Self::Gateway(remote) => {
                let params = with(json!({ "channel": channel }), Some(account));
                let allowed: DmAllowed = remote.call("pairing.allowed", &params)?;
                let entry = |entry| allow_entry(entry, channel, account);
                let mut all = Allowed::default();
                all.entries.extend(allowed.entries.into_iter().map(entry));
                all.problems = problems(allowed.problems, channel);
                Ok(all)
            }
        }
    }

    /// Lets a sender in who need not have asked. `false` where they were in already.
    pub(crate) fn allow(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        entry: &str,
    ) -> Result<bool, Failure> {
        match self {
            Self::Files(files) => {
                let account = files.channel(channel)?.account_of(account.clone());
                Ok(account.allow(entry, &files.approver)?)
            }
            Self::Gateway(remote) => {
                let params = json!({ "channel": channel, "entry": entry });
                let listed: DmListed =
                    remote.call("pairing.allow", &with(params, Some(account)))?;
                Ok(listed.status == Listed::Added)
            }
        }
    }

    /// Takes a sender off the list, and says how the entry was written. `None` where they were not on it.
    pub(crate) fn disallow(
        &self,
        channel: &ChannelId,
        account: &AccountId,
        entry: &str,
    ) -> Result<Option<String>, Failure> {
        match self {
            Self::Files(files) => {
                let account = files.channel(channel)?.account_of(account.clone());
                let removed = account.revoke(entry, &files.approver)?;
                Ok(removed.map(|entry| written(&entry).to_owned()))
            }
            Self::Gateway(remote) => {
                let params = json!({ "channel": channel, "entry": entry });
                let listed: DmListed =
                    remote.call("pairing.revoke", &with(params, Some(account)))?;
                Ok((listed.status == Listed::Removed).then_some(listed.entry))
            }
        }
    }
}

impl Files {
    pub(crate) fn channel(&self, id: &ChannelId) -> Result<Channel, Failure> {
        Ok(self.service.channel_of(id)?)
    }

    fn waiting(
        &self,
        named: Option<&ChannelId>,
        account: Option<&AccountId>,
    ) -> Result<Vec<Result<InChannel, Failure>>, Failure> {
        let channels = if let Some(id) = named {
            vec![self.channel(id)?]
        } else {
            let known = self.service.channels().iter();
            let known = known.map(|rules| self.channel(rules.id()));
            known.collect::<Result<_, _>>()?
        };
        let read = |channel: Channel| {
            let pending = match account {
                Some(account) => channel.account_of(account.clone()).pending()?,
                None => channel.pending()?,
            };
            let limits = self.service.limits();
            let waiting = |request: PendingRequest| Waiting {
                expires_at: request.expires_at(limits),
                request: request.into(),
            };
            let rules = self.service.channels().get(channel.id()).cloned();
            Ok(InChannel {
                rules: rules.unwrap_or_else(|| rules_of(channel.id())),
                requests: pending.requests.into_iter().map(waiting).collect(),
                problems: pending.problems,
                turned_away: None,
            })
        };
        Ok(channels.into_iter().map(read).collect())
    }
}

/// The entry as it is stored.
pub(crate) fn written(entry: &AllowEntry) -> &str {
    entry.written.as_deref().unwrap_or(entry.entry.as_str())
}
