//! `<channel>-pairing.json`: the pending requests.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pairing_core::store::{Holder, PendingRequest};
use pairing_core::{
    AccountId, ChannelRules, Metadata, MetadataValue, PairingCode, Problem, SenderId, Timestamp,
};

use super::{Document, Lists, digest, list};
use crate::error::FileError;
use crate::json::{self, Members};

const REQUESTS: &str = "requests";

/// The pending requests of a channel.
#[derive(Default)]
pub(crate) struct RequestsDoc {
    lists: Lists,
    items: Vec<Item>,
    by_account: HashMap<AccountId, HashMap<SenderId, usize>>,
    by_code: HashMap<PairingCode, Vec<usize>>,
}

/// One element as written, and the request in it, if it can be parsed.
struct Item {
    raw: String,
    said: Result<PendingRequest, String>,
}

/// A request, and the digest of its text in the file.
pub(crate) struct Stored<'d> {
    pub(crate) request: &'d PendingRequest,
    pub(crate) digest: u64,
}

impl Document for RequestsDoc {
    type Rules = ChannelRules;

    fn parse(text: &str, rules: &ChannelRules) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse(text)?;
        let items = list(text, &members, REQUESTS)?;
        let items = items.into_iter().map(|raw| Item {
            said: understand(raw, rules),
            raw: raw.to_owned(),
        });
        Ok(Self::index(lists, items.collect()))
    }

    fn problems(&self, resource: &str) -> Vec<Problem> {
        let numbered = self.items.iter().zip(1..);
        let bad = numbered.filter_map(|(item, number)| {
            let reason = item.said.as_ref().err()?;
            Some(Problem {
                resource: resource.to_owned(),
                detail: format!("request {number} is passed over: {reason}"),
            })
        });
        bad.collect()
    }
}

impl RequestsDoc {
    fn index(lists: Lists, items: Vec<Item>) -> Self {
        let mut doc = Self {
            lists,
            items,
            ..Self::default()
        };
        for (at, item) in doc.items.iter().enumerate() {
            let Ok(request) = &item.said else { continue };
            let account = doc.by_account.entry(request.account.clone()).or_default();
            // Of two requests by one sender the first counts; both end together.
            if let Entry::Vacant(free) = account.entry(request.sender.clone()) {
                free.insert(at);
                doc.by_code.entry(request.code).or_default().push(at);
            }
        }
        doc
    }

    fn stored(&self, at: usize) -> Option<Stored<'_>> {
        let item = self.items.get(at)?;
        Some(Stored {
            request: item.said.as_ref().ok()?,
            digest: digest(&item.raw),
        })
    }

    /// Returns the accounts that have requests.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.by_account.keys()
    }

    /// Returns the request of a sender.
    pub(crate) fn get(&self, account: &AccountId, sender: &SenderId) -> Option<Stored<'_>> {
        self.stored(*self.by_account.get(account)?.get(sender)?)
    }

    /// Returns the senders and accounts of the requests with a code.
    pub(crate) fn holders(&self, code: PairingCode) -> impl Iterator<Item = Holder> {
        let holders = self.by_code.get(&code).into_iter().flatten();
        holders
            .filter_map(|at| self.stored(*at))
            .map(|stored| Holder {
                account: stored.request.account.clone(),
                sender: stored.request.sender.clone(),
            })
    }

    /// Returns the requests of an account, or of all accounts, in the order of the file.
    pub(crate) fn iter(&self, account: Option<&AccountId>) -> impl Iterator<Item = Stored<'_>> {
        let accounts: Vec<_> = match account {
            Some(account) => self.by_account.get(account).into_iter().collect(),
            None => self.by_account.values().collect(),
        };
        let mut places: Vec<usize> = accounts
            .into_iter()
            .flat_map(|senders| senders.values().copied())
            .collect();
        places.sort_unstable();
        places.into_iter().filter_map(|at| self.stored(at))
    }

    /// Returns the text without the `deleted` requests and with the `put` ones; `None` if unchanged.
    pub(crate) fn edited(
        &self,
        deleted: &[(&AccountId, &SenderId)],
        put: &[&PendingRequest],
    ) -> Result<Option<String>, serde_json::Error> {
        let mut put: Vec<Option<&PendingRequest>> = put.iter().map(|r| Some(*r)).collect();
        let mut lines: Vec<Cow<'_, str>> = Vec::with_capacity(self.items.len() + put.len());
        let mut changed = false;
        for item in &self.items {
            let Ok(old) = &item.said else {
                lines.push(item.raw.as_str().into());
                continue;
            };
            let is_old = |account: &AccountId, sender: &SenderId| {
                old.account == *account && old.sender == *sender
            };
            let replacement = put
                .iter_mut()
                .find(|new| new.is_some_and(|new| is_old(&new.account, &new.sender)));
            match replacement {
                Some(new) if new.is_some_and(|new| new.created_at == old.created_at) => {
                    let line = new
                        .take()
                        .map_or(Ok(item.raw.clone()), |new| rewritten(&item.raw, old, new))?;
                    changed |= line != item.raw;
                    lines.push(line.into());
                }
                // Another request by the same sender: it moves to the end, like a new one.
                Some(_) => changed = true,
                None if deleted
                    .iter()
                    .any(|(account, sender)| is_old(account, sender)) =>
                {
                    changed = true;
                }
                None => lines.push(item.raw.as_str().into()),
            }
        }
        for new in put.into_iter().flatten() {
            changed = true;
            lines.push(written(new).into());
        }
        Ok(changed.then(|| self.lists.render(&[(REQUESTS, lines)])))
    }
}

/// Parses an element.
fn understand(raw: &str, rules: &ChannelRules) -> Result<PendingRequest, String> {
    let members = Members::parse(raw).map_err(|_| "not an object".to_owned())?;
    let text = |key| members.get(key).and_then(json::text_of);
    let id = text("id").ok_or("no `id`")?;
    let code = text("code").ok_or("no `code`")?;
    let time = |key| text(key).and_then(|at| Timestamp::parse(&at).ok());
    let mut meta = Metadata::default();
    let mut account = AccountId::default();
    if let Some(pairs) = members
        .get("meta")
        .and_then(|meta| Members::parse(meta).ok())
    {
        for (key, value) in pairs.iter() {
            if key != Metadata::ACCOUNT_KEY {
                if let Some(value) = metadata_value(value) {
                    meta.insert(key, value);
                }
                continue;
            }
            let name = json::text_of(value);
            if let Some(name) = name.filter(|name| !name.trim().is_empty()) {
                account = AccountId::parse(&name).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(PendingRequest {
        channel: rules.id().clone(),
        account,
        sender: rules.sender(&id).map_err(|error| error.to_string())?,
        code: PairingCode::parse(&code).map_err(|error| error.to_string())?,
        created_at: time("createdAt"),
        last_seen_at: time("lastSeenAt"),
        meta,
    })
}

/// Returns the value of a pair; `None` for one that holds a broken text deep inside.
fn metadata_value(value: &str) -> Option<MetadataValue> {
    if value.starts_with('"') {
        return json::text_of(value).map(MetadataValue::from);
    }
    serde_json::from_str(value).ok()
}

/// Returns the text of a new element.
fn written(request: &PendingRequest) -> String {
    let quoted_time = |at: Timestamp| json::quoted(&at.to_string());
    let meta = metadata(request);
    let members = [
        ("id", Some(json::quoted(request.sender.as_str()))),
        ("code", Some(json::quoted(request.code.as_str()))),
        ("createdAt", request.created_at.map(quoted_time)),
        ("lastSeenAt", request.last_seen_at.map(quoted_time)),
        ("meta", meta),
    ];
    let present = members.iter();
    let present = present.filter_map(|(key, value)| Some((*key, value.as_deref()?)));
    json::object(present, 2)
}

/// Returns the text of an element; only members that differ are rewritten.
fn rewritten(
    raw: &str,
    old: &PendingRequest,
    new: &PendingRequest,
) -> Result<String, serde_json::Error> {
    let mut replaced = Vec::new();
    if old.code != new.code {
        replaced.push(("code", json::quoted(new.code.as_str())));
    }
    if let Some(at) = new
        .last_seen_at
        .filter(|_| old.last_seen_at != new.last_seen_at)
    {
        replaced.push(("lastSeenAt", json::quoted(&at.to_string())));
    }
    if let Some(meta) = metadata(new).filter(|_| old.meta != new.meta) {
        replaced.push(("meta", meta));
    }
    if replaced.is_empty() {
        return Ok(raw.to_owned());
    }
    Ok(Members::parse(raw)?.render(&replaced, 2))
}

/// Returns `meta`, in which OpenClaw stores the account; `None` if it would be empty.
fn metadata(request: &PendingRequest) -> Option<String> {
    let account = (!request.account.is_default()).then(|| {
        (
            Metadata::ACCOUNT_KEY,
            json::quoted(request.account.as_str()),
        )
    });
    let pairs = request.meta.iter();
    let pairs: Vec<(&str, String)> = pairs
        .map(|(key, value)| (key, json_of(value)))
        .chain(account)
        .collect();
    let members = pairs.iter().map(|(key, value)| (*key, value.as_str()));
    (!pairs.is_empty()).then(|| json::object(members, 3))
}

/// Returns a value as JSON, on one line.
fn json_of(value: &MetadataValue) -> String {
    match value.as_str() {
        Some(text) => json::quoted(text),
        None => value.to_string(),
    }
}
