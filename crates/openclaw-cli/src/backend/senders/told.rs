//! What a gateway tells of senders, in the core's terms.

use std::sync::Arc;

use gateway_protocol::DetailCode;
use gateway_protocol::dm::{DmDecided, DmEntry, DmRequest, DmRequests, DmTurnedAway};
use pairing_core::store::{AllowEntry, Grant, SeenSender, TurnedAway};
use pairing_core::{
    AccountId, ChannelId, ChannelRules, Channels, DecisionError, Metadata, Problem, SenderId,
    StoreError, Timestamp, Via,
};
use serde_json::{Value, json};

use super::request::{Handle, Request};
use super::{InChannel, Waiting};
use crate::Failure;

/// A request as an event brings it.
fn waiting_of(request: DmRequest) -> Waiting {
    Waiting {
        expires_at: request.expires_at_ms.map(Timestamp::from_millis),
        request: Request {
            channel: request.channel,
            account: request.account_id,
            sender: request.id,
            handle: Handle::Code(request.code),
            created_at: request.created_at_ms.map(Timestamp::from_millis),
            last_seen_at: request.last_seen_at_ms.map(Timestamp::from_millis),
            meta: request.meta.into_iter().collect(),
        },
    }
}

pub(super) fn rules_of(channel: &ChannelId) -> Arc<ChannelRules> {
    let known = Channels::builtin().get(channel).cloned();
    known.unwrap_or_else(|| Arc::new(ChannelRules::new(channel.clone())))
}

pub(super) fn with(mut params: Value, account: Option<&AccountId>) -> Value {
    if let Some(account) = account {
        params["accountId"] = json!(account);
    }
    params
}

/// The channels of a list. Problems go with the first of them, because their texts name the channel that they are about. A
/// channel that the gateway could not read is an error, because an empty list would say that
/// nobody waits there.
pub(super) fn by_channel(
    mut list: DmRequests,
    named: Option<&ChannelId>,
) -> Vec<Result<InChannel, Failure>> {
    let unreadable = std::mem::take(&mut list.unreadable);
    // The error says what the line about such a channel does.
    let is_told = |text: &String| {
        let of = text.split_once(": ").map(|(channel, _)| channel);
        unreadable.iter().any(|id| of == Some(id.as_str()))
    };
    let mut others = std::mem::take(&mut list.problems);
    others.retain(|text| !is_told(text));
    let mut channels = grouped(list, named);
    let missing = unreadable
        .iter()
        .filter(|id| named.is_none_or(|named| named == *id));
    for id in missing {
        if !channels.iter().any(|channel| channel.id() == id) {
            channels.push(InChannel::empty(rules_of(id)));
        }
    }
    let is_readable = |channel: &&mut InChannel| !unreadable.contains(channel.id());
    if let Some(first) = channels.iter_mut().find(is_readable) {
        let id = first.id().clone();
        first.problems = problems(others, &id);
    }
    let channels = channels.into_iter().map(|channel| {
        if unreadable.contains(channel.id()) {
            Err(unreadable_channel(channel.id()))
        } else {
            Ok(channel)
        }
    });
    channels.collect()
}

/// What a list holds, in the order of the built-in channels and then by name, but its problems.
pub(super) fn grouped(list: DmRequests, named: Option<&ChannelId>) -> Vec<InChannel> {
    let builtin = Channels::builtin();
    let mut ids: Vec<ChannelId> = match named {
        Some(id) => vec![id.clone()],
        None => builtin.iter().map(|rules| rules.id().clone()).collect(),
    };
    let mut others: Vec<_> = list
        .requests
        .iter()
        .map(|request| &request.channel)
        .collect();
    others.extend(list.turned_away.iter().map(|turned| &turned.channel));
    others.retain(|id| !ids.contains(id));
    others.sort_unstable();
    others.dedup();
    let others: Vec<_> = others.into_iter().cloned().collect();
    if named.is_none() {
        ids.extend(others);
    }
    let mut channels: Vec<_> = ids
        .iter()
        .map(|id| InChannel::empty(rules_of(id)))
        .collect();
    for request in list.requests {
        if let Some(channel) = channels.iter_mut().find(|c| *c.id() == request.channel) {
            channel.requests.push(waiting_of(request));
        }
    }
    for turned in list.turned_away {
        if let Some(channel) = channels.iter_mut().find(|c| *c.id() == turned.channel) {
            let turned_away = channel.turned_away.get_or_insert_default();
            turned_away.push(turned_away_of(turned));
        }
    }
    channels
}

fn unreadable_channel(channel: &ChannelId) -> Failure {
    Failure::from(StoreError::Unreadable {
        resource: format!("the requests of {channel}"),
        source: "the gateway's log says why".into(),
    })
}

/// What the gateway says where there is no such request, as the same on files.
pub(super) fn none_pending(failure: Failure, channel: &ChannelId) -> Failure {
    match failure {
        Failure::Answer { error, .. }
            if error.detail_code() == Some(DetailCode::NoPendingRequest) =>
        {
            DecisionError::NotFound {
                channel: channel.clone(),
            }
            .into()
        }
        failure => failure,
    }
}

pub(super) fn problems(texts: Vec<String>, channel: &ChannelId) -> Vec<Problem> {
    let problem = |text: String| match text.split_once(": ") {
        Some((resource, detail)) => Problem {
            resource: resource.to_owned(),
            detail: detail.to_owned(),
        },
        None => Problem {
            resource: channel.to_string(),
            detail: text,
        },
    };
    texts.into_iter().map(problem).collect()
}

fn turned_away_of(turned: DmTurnedAway) -> TurnedAway {
    TurnedAway {
        channel: turned.channel,
        account: turned.account_id,
        count: turned.count,
        since: Timestamp::from_millis(turned.since_ms),
        recent: turned
            .recent
            .into_iter()
            .map(|seen| SeenSender {
                sender: seen.id,
                at: Timestamp::from_millis(seen.at_ms),
            })
            .collect(),
    }
}

pub(super) fn decided_request(decided: DmDecided) -> Request {
    let sender: SenderId = decided.id;
    Request {
        channel: decided.channel,
        account: decided.account_id,
        sender,
        handle: Handle::Code(decided.code),
        created_at: None,
        last_seen_at: None,
        meta: Metadata::default(),
    }
}

pub(super) fn allow_entry(entry: DmEntry, channel: &ChannelId, account: &AccountId) -> AllowEntry {
    let grant = entry.granted_by.zip(entry.granted_at_ms);
    AllowEntry {
        channel: channel.clone(),
        account: account.clone(),
        entry: entry.id,
        written: entry.written,
        grant: grant.map(|(by, at)| {
            let via = entry.granted_via.unwrap_or(Via::Gateway);
            Grant::new(by, via, Timestamp::from_millis(at))
        }),
    }
}
