//! Reads ranges of records, page by page.

use std::sync::Arc;

use pairing_core::store::{self as keys, AllowEntry, Cursor, Page, PageRequest, Version};
use pairing_core::{AccountId, Chain, Problem, Range, Record, StoreError};

use super::group::Group;
use super::{Inner, unknown_kind};
use crate::cache::Now;
use crate::docs::{CountersDoc, Document, digest};
use crate::json;

impl Inner {
    pub(super) fn range(
        &self,
        range: &Range,
        page: &PageRequest,
        now: Now,
    ) -> Result<Page, StoreError> {
        let group = match range.group() {
            keys::Group::Channel(channel) => self.group(channel),
            keys::Group::Devices => return self.devices.range(range, page, now),
            keys::Group::Nodes => return self.nodes.range(range, page, now),
            _ => return Err(unknown_kind()),
        };
        match range {
            Range::Requests { account, .. } => requests(&group, account.as_ref(), page, now),
            Range::Allowed { account, .. } => {
                let accounts = match account {
                    Some(account) => {
                        self.check_owner(&group, account, now)?;
                        vec![account.clone()]
                    }
                    None => self.accounts_with_files(&group, now)?,
                };
                let mut allowed = allowed(&group, &accounts, page, now)?;
                let names = self.names.recent(now);
                if account.is_none()
                    && page.after.is_none()
                    && let Err(error) = names.document(self.names.path())
                {
                    allowed.problems.push(Problem {
                        resource: self.names.path().display().to_string(),
                        detail: format!(
                            "accounts that share a file's name cannot be told apart: {}",
                            Chain(&error)
                        ),
                    });
                }
                Ok(allowed)
            }
            Range::Attempts { .. } => counters(&group, page, now, |doc| {
                let all = doc.all_attempts();
                all.map(|(a, digest)| (Record::Attempts(a.clone()), digest))
                    .collect()
            }),
            Range::TurnedAway { .. } => counters(&group, page, now, |doc| {
                let all = doc.all_turned_away();
                all.map(|(t, digest)| (Record::TurnedAway(t.clone()), digest))
                    .collect()
            }),
            Range::Claims { .. } => claims(&group, page, now),
            _ => Err(unknown_kind()),
        }
    }
}

fn requests(
    group: &Group,
    account: Option<&AccountId>,
    page: &PageRequest,
    now: Now,
) -> Result<Page, StoreError> {
    let view = group.requests(now)?;
    let stored: Vec<_> = view.iter(account).collect();
    let version = digest(stored.iter().map(|s| s.digest).collect::<Vec<_>>());
    let records = stored.iter().map(|s| Record::Request(s.request.clone()));
    let document = view.document()?;
    let problems = || document.problems(&group.requests.path().display().to_string());
    Ok(cut(records, version, problems, page))
}

/// Returns a page of the channel's counters that `list` selects, given with their digests.
fn counters(
    group: &Group,
    page: &PageRequest,
    now: Now,
    list: impl Fn(&CountersDoc) -> Vec<(Record, u64)>,
) -> Result<Page, StoreError> {
    let state = group.counters.recent(now);
    let all = list(state.document(group.counters.path())?);
    let version = digest(all.iter().map(|(_, digest)| *digest).collect::<Vec<_>>());
    let records = all.into_iter().map(|(record, _)| record);
    Ok(cut(records, version, Vec::new, page))
}

fn claims(group: &Group, page: &PageRequest, now: Now) -> Result<Page, StoreError> {
    let state = group.claims.recent(now);
    let doc = state.document(group.claims.path())?;
    let version = digest(doc.iter().map(|(_, digest)| digest).collect::<Vec<_>>());
    let records = doc.iter().map(|(claim, _)| Record::from(claim.clone()));
    let problems = || doc.problems(&group.claims.path().display().to_string());
    Ok(cut(records, version, problems, page))
}

/// Cuts a page out of a short list.
fn cut(
    records: impl Iterator<Item = Record>,
    version: u64,
    problems: impl FnOnce() -> Vec<Problem>,
    page: &PageRequest,
) -> Page {
    let start = page.after.as_ref().map(|cursor| cursor.as_str().parse());
    let start: usize = start.and_then(Result::ok).unwrap_or(0);
    let mut rest = records.skip(start);
    let limit = page.limit.max(1);
    let records: Vec<_> = rest.by_ref().take(limit).map(Arc::new).collect();
    Page {
        version: Version::new(version.max(1)),
        next: rest
            .next()
            .map(|_| Cursor::new((start + records.len()).to_string())),
        problems: if start == 0 { problems() } else { Vec::new() },
        records,
    }
}

/// Returns a page of allowlists, which may be long: its cursor names an account, a file and a place in it.
fn allowed(
    group: &Group,
    accounts: &[AccountId],
    page: &PageRequest,
    now: Now,
) -> Result<Page, StoreError> {
    let (start_account, start_file, start_place) = start_of(page);
    let grants = group.grants.recent(now);
    let grants = grants.document(group.grants.path());
    let is_first = page.after.is_none();
    let mut problems: Vec<Problem> = match &grants {
        _ if !is_first => Vec::new(),
        Ok(grants) => grants.problems(&group.grants.path().display().to_string()),
        // No entry is lost with it, but none can be added.
        Err(error) => vec![Problem {
            resource: group.grants.path().display().to_string(),
            detail: format!(
                "nobody can be allowed, because it cannot be told by whom: {}",
                Chain(error)
            ),
        }],
    };
    let grants = grants.ok();
    let limit = page.limit.max(1);
    let mut records = Vec::new();
    let mut next = None;
    let mut digests = Vec::new();
    for (at, account) in accounts.iter().enumerate() {
        digests.push(grants.map_or(0, |grants| grants.digest(account)));
        let allowlist = group.allowlist(account);
        let states: Vec<_> = allowlist.files.iter().map(|f| f.recent(now)).collect();
        let files = states.iter().zip(&allowlist.files);
        let docs = files.map(|(state, file)| state.document(file.path()));
        let docs = docs.collect::<Result<Vec<_>, _>>()?;
        for (number, doc) in docs.iter().enumerate() {
            digests.push(doc.digest());
            if is_first {
                let name = allowlist.files[number].path().display().to_string();
                problems.extend(doc.problems(&name));
            }
            if next.is_some() || (at, number) < (start_account, start_file) {
                continue;
            }
            let is_start = (at, number) == (start_account, start_file);
            let mut place = if is_start { start_place } else { 0 };
            for (after, entry, raw) in doc.from(place) {
                if records.len() == limit {
                    next = Some(Cursor::new(format!("{at}:{number}:{place}")));
                    break;
                }
                place = after;
                // An entry that is in several files is listed once, from the first of them.
                if docs[..number].iter().any(|doc| doc.get(entry).is_some()) {
                    continue;
                }
                let grant = grants.and_then(|grants| grants.get(account, entry));
                records.push(Arc::new(Record::Allow(AllowEntry {
                    channel: group.rules.id().clone(),
                    account: account.clone(),
                    entry: entry.clone(),
                    written: json::text_of(raw).filter(|text| text != entry.as_str()),
                    grant: grant.map(|(grant, _)| grant),
                })));
            }
        }
    }
    Ok(Page {
        version: Version::new(digest(digests).max(1)),
        records,
        next,
        problems,
    })
}

/// Returns the account, file and place that a cursor names.
fn start_of(page: &PageRequest) -> (usize, usize, usize) {
    let cursor = page.after.as_ref().map_or("", Cursor::as_str);
    let mut numbers = cursor.split(':').map(|part| part.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    (number(), number(), number())
}
