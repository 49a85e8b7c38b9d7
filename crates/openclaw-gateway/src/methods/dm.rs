//! `pairing.*`: who may talk to the bot.

use std::cmp::Reverse;
use std::time::Duration;

use gateway_protocol::dm::{
    AllowedParams, ApproveParams, DmAllowed, DmDecided, DmInvitation, DmInvitationEnded,
    DmInvitations, DmInvited, DmListed, DmRequest, DmRequests, EndInvitationParams, EntryParams,
    InvitationsParams, InviteParams, ListParams, Listed, RejectParams,
};
use gateway_protocol::{DetailCode, ErrorShape, Text};
use pairing_core::{
    Account, AccountId, AllowlistError, Channel, ChannelError, InviteError, PendingRequest,
    Principal, Replies,
};

use tokio::time::timeout;

use super::{Call, Reply, of_decision, of_list, shown, store_failed};
use channel_kit::Outgoing;
use pairing_core::Chain;

pub(super) fn list(call: &Call) -> Reply {
    let params: ListParams = call.params()?;
    let account = params.account_id.as_ref().map(account_id).transpose()?;
    let channels = if let Some(name) = &params.channel {
        vec![channel(call, name)?]
    } else {
        let known = call.pairing().channels().iter();
        let channels = known.map(|rules| call.pairing().channel_of(rules.id()));
        channels.collect::<Result<_, _>>().map_err(of_channel)?
    };
    let mut all = DmRequests::default();
    for channel in &channels {
        // A channel that cannot be read does not hide the others.
        if let Err(error) = read(channel, account.as_ref(), &mut all) {
            if params.channel.is_some() {
                return Err(store_failed(&error));
            }
            tracing::error!(channel = %channel.id(), error = %Chain(&error), "requests of a channel cannot be read");
            all.problems
                .push(format!("{}: cannot be read", channel.id()));
            all.unreadable.push(channel.id().clone());
        }
    }
    all.requests
        .sort_by_key(|request| Reverse(request.created_at_ms));
    call.reply(&all)
}

fn read(
    channel: &Channel,
    account: Option<&AccountId>,
    all: &mut DmRequests,
) -> Result<(), pairing_core::StoreError> {
    let is_meant = |of: &AccountId| account.is_none_or(|account| account == of);
    let pending = channel.pending().map_err(|error| error.0)?;
    let limits = channel.pairing().limits();
    let requests = pending
        .requests
        .iter()
        .filter(|request| is_meant(&request.account));
    all.requests
        .extend(requests.map(|request| DmRequest::new(request, limits)));
    let turned = channel.turned_away().map_err(|error| error.0)?;
    let turned = turned.iter().filter(|turned| is_meant(&turned.account));
    all.turned_away.extend(turned.map(Into::into));
    let problems = pending.problems.iter();
    all.problems.extend(problems.map(shown));
    Ok(())
}

/// Approves a request and, if asked to, tells the sender through the account that they wrote to. If that
/// fails, the answer says so; the approval stands.
pub(super) async fn approve(call: Call) -> Reply {
    let params: ApproveParams = call.params()?;
    let notify = params.notify;
    let request = call
        .at_store(move |call| approve_now(call, &params))
        .await?;
    let mut decided = DmDecided::from(&request);
    if notify {
        let told = tell(&call, &request).await;
        decided.notified = Some(matches!(told, Notified::Sent));
        decided.not_notified = told.failure();
    }
    call.reply(&decided)
}

fn approve_now(call: &Call, params: &ApproveParams) -> Result<PendingRequest, ErrorShape> {
    let (channel, approver) = (channel(call, &params.channel)?, call.approver());
    let approved = match &params.account_id {
        Some(name) => account(&channel, Some(name))?.approve(&params.code, &approver),
        None => channel.approve(&params.code, &approver),
    };
    Ok(approved.map_err(of_decision)?.request)
}

/// Time that a chat system has to take the message, while the caller waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a sender was told that it was approved.
pub(super) enum Notified {
    Sent,
    /// The gateway does not run this account.
    NotRun,
    /// The chat system refused the message or did not answer in time, in these words.
    Failed(String),
}

impl Notified {
    fn failure(self) -> Option<String> {
        match self {
            Self::Sent => None,
            Self::NotRun => Some("the gateway does not run this account".to_owned()),
            Self::Failed(why) => Some(why),
        }
    }
}

/// Tells the sender of a request that it was approved, through the account that it wrote to.
pub(super) async fn tell(call: &Call, request: &PendingRequest) -> Notified {
    let parts = &call.parts;
    let config = &parts.settings.load().config;
    let adapter = parts
        .channels
        .adapter(config, &request.channel, &request.account);
    let Some(adapter) = adapter else {
        return Notified::NotRun;
    };
    let language = Replies::language_of(&request.meta);
    let what = Outgoing::text(call.pairing().replies().approved(language));
    let telling = async {
        let chat = adapter.direct(&request.sender).await?;
        adapter.send(&chat, &what).await
    };
    match timeout(PATIENCE, telling).await {
        Ok(Ok(_)) => Notified::Sent,
        Ok(Err(error)) => Notified::Failed(Chain(&error).to_string()),
        Err(_) => Notified::Failed("the chat system takes too long".to_owned()),
    }
}

pub(super) fn reject(call: &Call) -> Reply {
    let params: RejectParams = call.params()?;
    let (channel, approver) = (channel(call, &params.channel)?, call.approver());
    let rejected = match &params.account_id {
        Some(name) => account(&channel, Some(name))?.reject(&params.request, &approver),
        None => channel.reject(&params.request, &approver),
    };
    let rejected = rejected.map_err(of_decision)?;
    call.reply(&DmDecided::from(&rejected))
}

pub(super) fn allowed(call: &Call) -> Reply {
    let params: AllowedParams = call.params()?;
    let channel = channel(call, &params.channel)?;
    let account = account(&channel, params.account_id.as_ref())?;
    let allowed = account.allowed().map_err(of_list)?;
    let problems = allowed.problems.iter();
    call.reply(&DmAllowed {
        channel: channel.id().clone(),
        account_id: account.id().clone(),
        entries: allowed.entries.iter().map(Into::into).collect(),
        problems: problems.map(shown).collect(),
    })
}

pub(super) fn allow(call: &Call) -> Reply {
    change(call, |account, entry, call| {
        let added = account.allow(entry, &call.approver())?;
        Ok(if added {
            Listed::Added
        } else {
            Listed::Present
        })
    })
}

pub(super) fn revoke(call: &Call) -> Reply {
    change(call, |account, entry, call| {
        let removed = account.revoke(entry, &call.approver())?;
        Ok(if removed.is_none() {
            Listed::Absent
        } else {
            Listed::Removed
        })
    })
}

fn change(
    call: &Call,
    change: impl Fn(&Account, &str, &Call) -> Result<Listed, AllowlistError>,
) -> Reply {
    let params: EntryParams = call.params()?;
    let channel = channel(call, &params.channel)?;
    let account = account(&channel, params.account_id.as_ref())?;
    let status = change(&account, &params.entry, call).map_err(|error| match error {
        AllowlistError::Store(error) => store_failed(&error),
        AllowlistError::Scope(_) => {
            ErrorShape::invalid(DetailCode::MissingScope, error.to_string())
        }
        error => ErrorShape::invalid(DetailCode::InvalidSender, error.to_string()),
    })?;
    call.reply(&DmListed {
        channel: channel.id().clone(),
        account_id: account.id().clone(),
        entry: params.entry.into(),
        status,
    })
}

/// Issues a claim code under the account's present configuration.
pub(super) fn invite(call: &Call) -> Reply {
    let params: InviteParams = call.params()?;
    let channel = channel(call, &params.channel)?;
    let account = account(&channel, params.account_id.as_ref())?;
    let config = &call.parts.settings.load().config;
    let access = config.access(channel.rules(), account.id());
    let mut approver = call.approver();
    if let Some(principal) = &params.principal {
        let principal = Principal::parse(principal)
            .map_err(|error| ErrorShape::invalid(DetailCode::InvalidName, error.to_string()))?;
        approver = approver.for_principal(principal);
    }
    let invited = account.with_access(access).invite(&approver);
    let invited = invited.map_err(of_invite)?;
    call.reply(&DmInvited {
        id: Some(invited.claim.id()),
        channel: invited.claim.channel,
        account_id: invited.claim.account,
        code: invited.code.expose().to_owned(),
        expires_at_ms: invited.claim.expires_at.as_millis(),
    })
}

pub(super) fn invitations(call: &Call) -> Reply {
    let params: InvitationsParams = call.params()?;
    let channel = channel(call, &params.channel)?;
    let account = params.account_id.as_ref().map(account_id).transpose()?;
    let claims = channel.claims().map_err(of_list)?;
    let meant = claims
        .iter()
        .filter(|claim| account.as_ref().is_none_or(|of| *of == claim.account));
    let mut invitations: Vec<DmInvitation> = meant.map(Into::into).collect();
    invitations.sort_by_key(|invitation| Reverse(invitation.issued_at_ms));
    call.reply(&DmInvitations {
        channel: channel.id().clone(),
        invitations,
    })
}

pub(super) fn end_invitation(call: &Call) -> Reply {
    let params: EndInvitationParams = call.params()?;
    let channel = channel(call, &params.channel)?;
    let ended = channel.end_claim(&params.id, &call.approver());
    let ended = ended.map_err(of_invite)?;
    call.reply(&DmInvitationEnded {
        channel: channel.id().clone(),
        id: params.id.into(),
        ended: ended.is_some(),
    })
}

fn of_invite(error: InviteError) -> ErrorShape {
    match error {
        InviteError::Store(error) => store_failed(&error),
        InviteError::Entropy(error) => {
            tracing::error!(error = %Chain(&error), "no randomness for a token");
            ErrorShape::unavailable(DetailCode::Internal, "the gateway has no randomness")
        }
        InviteError::NotOffered(_) => ErrorShape::invalid(DetailCode::Disabled, error.to_string()),
        InviteError::TooMany { .. } => {
            ErrorShape::unavailable(DetailCode::RateLimited, error.to_string())
        }
        InviteError::Scope(_) => ErrorShape::invalid(DetailCode::MissingScope, error.to_string()),
        error => ErrorShape::invalid(DetailCode::Internal, error.to_string()),
    }
}

pub(super) fn channel(call: &Call, name: &str) -> Result<Channel, ErrorShape> {
    call.pairing().channel(name).map_err(of_channel)
}

#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
pub(super) fn of_channel(error: ChannelError) -> ErrorShape {
    let code = match error {
        ChannelError::Unknown { .. } => DetailCode::UnknownChannel,
        _ => DetailCode::InvalidName,
    };
    ErrorShape::invalid(code, error.to_string())
}

fn account(channel: &Channel, name: Option<&Text>) -> Result<Account, ErrorShape> {
    let name = name.map_or("default", |name| name.as_str());
    channel
        .account(name)
        .map_err(|error| ErrorShape::invalid(DetailCode::InvalidName, error.to_string()))
}

pub(super) fn account_id(name: &Text) -> Result<AccountId, ErrorShape> {
    AccountId::parse(name)
        .map_err(|error| ErrorShape::invalid(DetailCode::InvalidName, error.to_string()))
}
