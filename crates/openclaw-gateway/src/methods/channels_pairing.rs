//! `channels.pairing.*`: DM pairing in the form of releases from 2026.7 on. The decisions are the same as
//! those of `pairing.*`.

use gateway_protocol::channels_pairing::{
    ApproveParams, Approved, DismissParams, Dismissed, ListParams, Notification, OwnerBootstrap,
    PairingAccount, PairingLimits, PairingList, PairingRequest, channel_label, request_id,
};
use gateway_protocol::other_program::DM_REQUEST_GONE;
use gateway_protocol::{DetailCode, ErrorShape, Text};
use openclaw_config::Config;
use pairing_core::store::PendingRequest;
use pairing_core::{AccountId, Channel, ChannelId};

use super::dm::{Notified, account_id, channel, of_channel, tell};
use super::{Call, Reply, of_decision, of_list, shown};

/// Lists requests, oldest first, without their codes.
pub(super) fn list(call: &Call) -> Reply {
    let params: ListParams = call.params()?;
    let account = params.account_id.as_ref().map(account_id).transpose()?;
    let is_meant = |of: &AccountId| account.as_ref().is_none_or(|account| account == of);
    let channels = match &params.channel {
        Some(name) => vec![channel(call, name)?],
        None => call
            .pairing()
            .channels()
            .iter()
            .map(|rules| call.pairing().channel_of(rules.id()))
            .collect::<Result<_, _>>()
            .map_err(of_channel)?,
    };
    let settings = call.parts.settings.load();
    let limits = call.pairing().limits();
    let (mut accounts, mut requests) = (Vec::new(), Vec::new());
    for channel in &channels {
        for account_id in configured(&settings.config, channel.id()) {
            if is_meant(&account_id) {
                accounts.push(PairingAccount {
                    channel: channel.id().clone(),
                    channel_label: channel_label(channel.id()),
                    notify_supported: runs(call, channel.id(), &account_id),
                    account_id,
                });
            }
        }
        let pending = channel.pending().map_err(of_list)?;
        for problem in &pending.problems {
            tracing::warn!(channel = %channel.id(), problem = %shown(problem), "stored request cannot be read");
        }
        let label = channel.rules().id_label();
        let meant = pending.requests.iter().filter(|r| is_meant(&r.account));
        requests.extend(meant.filter_map(|request| {
            let told = runs(call, channel.id(), &request.account);
            PairingRequest::new(request, label, limits, told)
        }));
    }
    requests.sort_by(|a, b| a.created_at.cmp(&b.created_at));
    call.reply(&PairingList {
        accounts,
        requests,
        command_owner_configured: !settings.config.owner_allow_from.is_empty(),
        limits: PairingLimits {
            pending_per_account: limits.max_pending as u64,
            ttl_ms: u64::try_from(limits.code_lifetime.as_millis()).unwrap_or(u64::MAX),
        },
    })
}

/// Approves a request by its public id.
pub(super) async fn approve(call: Call) -> Reply {
    let params: ApproveParams = call.params()?;
    if params.bootstrap_command_owner && !call.session.scopes().allows("operator.admin") {
        return Err(ErrorShape::invalid(
            DetailCode::MissingScope,
            "missing scope: operator.admin",
        ));
    }
    let (request_id, notify, bootstrap) = (
        params.request_id.clone(),
        params.notify,
        params.bootstrap_command_owner,
    );
    let request = call
        .at_store(move |call| {
            let found = find(
                call,
                &params.channel,
                &params.account_id,
                &params.request_id,
            )?;
            let (channel, request) = found;
            let account = channel.account_of(request.account.clone());
            let approved = account.approve_code(request.code, &call.approver());
            let approved = approved.map_err(of_decision)?;
            Ok(approved.request)
        })
        .await?;
    let notification = if notify {
        notified(&call, &request).await
    } else {
        Notification::NotRequested
    };
    call.reply(&Approved {
        request_id: request_id.to_string(),
        sender_id: request.sender,
        notification,
        // Owners are named at the terminal or in the configuration, never over the wire.
        command_owner_bootstrap: if bootstrap {
            OwnerBootstrap::Unavailable
        } else {
            OwnerBootstrap::NotRequested
        },
    })
}

/// Rejects a request by its public id.
pub(super) fn dismiss(call: &Call) -> Reply {
    let params: DismissParams = call.params()?;
    let (channel, request) = find(
        call,
        &params.channel,
        &params.account_id,
        &params.request_id,
    )?;
    let account = channel.account_of(request.account.clone());
    let rejected = account.reject(request.code.as_str(), &call.approver());
    let rejected = rejected.map_err(of_decision)?;
    call.reply(&Dismissed {
        request_id: params.request_id.to_string(),
        sender_id: rejected.sender,
    })
}

/// The pending request with this public id.
fn find(
    call: &Call,
    name: &Text,
    account: &Text,
    id: &str,
) -> Result<(Channel, PendingRequest), ErrorShape> {
    let (channel, account) = (channel(call, name)?, account_id(account)?);
    let pending = channel.pending().map_err(of_list)?;
    let found = pending.requests.into_iter().find(|request| {
        request.account == account && request_id(request).is_some_and(|found| found == id)
    });
    let gone = || ErrorShape::invalid(DetailCode::NoPendingRequest, DM_REQUEST_GONE);
    Ok((channel, found.ok_or_else(gone)?))
}

/// The accounts of a channel that the configuration has turned on.
fn configured(config: &Config, channel: &ChannelId) -> Vec<AccountId> {
    if !config.channels().any(|known| known == channel) {
        return Vec::new();
    }
    let mut accounts: Vec<_> = config.accounts(channel).cloned().collect();
    if accounts.is_empty() {
        accounts.push(AccountId::default());
    }
    accounts.retain(|account| config.account(channel, account).is_enabled());
    accounts
}

fn runs(call: &Call, channel: &ChannelId, account: &AccountId) -> bool {
    let config = &call.parts.settings.load().config;
    let adapter = call.parts.channels.adapter(config, channel, account);
    adapter.is_some()
}

async fn notified(call: &Call, request: &PendingRequest) -> Notification {
    match tell(call, request).await {
        Notified::Sent => Notification::Sent,
        Notified::NotRun => Notification::Unsupported,
        Notified::Failed(_) => Notification::Failed,
    }
}
