//! Senders at a gateway of the other program, by its `channels.pairing.*` methods.
//!
//! They list no codes. A request is named by its public id or by its sender.

use gateway_protocol::channels_pairing::{Approved, Dismissed, Notification, PairingRequest};
use gateway_protocol::dm::DmRequests;
use pairing_core::{AccountId, ChannelId, Metadata, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{Handle, Request};
use super::told::{grouped, none_pending, problems, rules_of, with};
use super::{InChannel, Waiting};
use crate::Failure;
use crate::failure::TheirsError;
use crate::remote::Remote;

/// The part of the answer that is shown. A request that cannot be read does not hide the others.
#[derive(Deserialize)]
struct Listed {
    requests: Vec<Value>,
}

pub(super) fn waiting(
    remote: &Remote,
    channel: Option<&ChannelId>,
    account: Option<&AccountId>,
) -> Result<Vec<InChannel>, Failure> {
    let mut params = json!({});
    if let Some(channel) = channel {
        params["channel"] = json!(channel);
    }
    let listed: Listed = remote.call("channels.pairing.list", &with(params, account))?;
    let mut channels = grouped(DmRequests::default(), channel);
    let mut unread = Vec::new();
    for request in listed.requests {
        match serde_json::from_value(request) {
            Ok(request) => place(waiting_of(request), &mut channels),
            Err(_) => unread.push("a request of the gateway cannot be read".to_owned()),
        }
    }
    if let Some(first) = channels.first_mut() {
        let id = first.id().clone();
        first.problems = problems(unread, &id);
    }
    Ok(channels)
}

fn place(waiting: Waiting, channels: &mut Vec<InChannel>) {
    let id = &waiting.request.channel;
    let found = channels.iter().position(|channel| channel.id() == id);
    let at = found.unwrap_or_else(|| {
        channels.push(InChannel::empty(rules_of(id)));
        channels.len() - 1
    });
    if let Some(channel) = channels.get_mut(at) {
        channel.requests.push(waiting);
    }
}

fn waiting_of(request: PairingRequest) -> Waiting {
    let time = |text: &str| Timestamp::parse(text).ok();
    let meta: Metadata = request.metadata.into_iter().flatten().collect();
    Waiting {
        expires_at: time(&request.expires_at),
        request: Request {
            channel: request.channel,
            account: request.account_id,
            sender: request.sender_id,
            handle: Handle::Id(request.request_id),
            created_at: time(&request.created_at),
            last_seen_at: time(&request.last_seen_at),
            meta,
        },
    }
}

/// The one request of a channel that was named by its public id, its beginning, or its sender.
fn find(
    remote: &Remote,
    channel: &ChannelId,
    account: Option<&AccountId>,
    typed: &str,
) -> Result<Request, Failure> {
    let rules = rules_of(channel);
    let sender = rules.sender(typed).ok();
    let listed = waiting(remote, Some(channel), account)?;
    let of_channel = listed.into_iter().filter(|listed| listed.id() == channel);
    let requests = of_channel.flat_map(|listed| listed.requests);
    let mut found = requests
        .map(|waiting| waiting.request)
        .filter(|request| request.handle.is(typed) || sender.as_ref() == Some(&request.sender));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(TheirsError::NotNamed {
            channel: channel.clone(),
        }
        .into()),
        (Some(_), Some(_)) => Err(TheirsError::Ambiguous {
            channel: channel.clone(),
        }
        .into()),
    }
}

/// Lets a sender in, and tells them where that is asked for: whether that worked, or why not.
pub(super) fn approve(
    remote: &Remote,
    channel: &ChannelId,
    account: Option<&AccountId>,
    typed: &str,
    notify: bool,
) -> Result<(Request, Option<Result<(), String>>), Failure> {
    let request = find(remote, channel, account, typed)?;
    let mut params = params_of(&request);
    params["notify"] = json!(notify);
    let approved = remote.call("channels.pairing.approve", &params);
    let approved: Approved = approved.map_err(|failure| none_pending(failure, channel))?;
    let told = match approved.notification {
        Notification::Sent => Ok(()),
        Notification::Unsupported => Err("the gateway cannot write to this account's senders"),
        Notification::Failed => Err("the chat system refused the message, or did not answer"),
        Notification::NotRequested => Err("the gateway has not said that it did"),
    };
    let told = notify.then(|| told.map_err(str::to_owned));
    Ok((request, told))
}

pub(super) fn dismiss(
    remote: &Remote,
    channel: &ChannelId,
    account: Option<&AccountId>,
    typed: &str,
) -> Result<Request, Failure> {
    let request = find(remote, channel, account, typed)?;
    let dismissed = remote.call("channels.pairing.dismiss", &params_of(&request));
    let _: Dismissed = dismissed.map_err(|failure| none_pending(failure, channel))?;
    Ok(request)
}

fn params_of(request: &Request) -> Value {
    json!({
        "channel": request.channel,
        "accountId": request.account,
        "requestId": request.handle.as_str(),
    })
}
