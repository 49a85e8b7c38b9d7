//! Checks the files of DM pairing.

use std::path::Path;

use pairing_core::{ChannelId, ChannelRules, Channels, Limits, SenderId, Timestamp};

use super::files::{left_over, listed, problems, understood};
use super::mend::Mend;
use super::{Found, Severity, loose_mode, push};
use crate::disk::TEMPORARY_SUFFIX;
use crate::docs::{AllowDoc, ClaimsDoc, CountersDoc, GrantsDoc, NamesDoc, RequestsDoc};
use crate::lock::{Verdict, judge};
use crate::names::{ALLOW_SUFFIX, META_DIR, PAIRING_SUFFIX};
use crate::store::file_names;

pub(super) fn examine(
    found: &mut Found,
    credentials: &Path,
    channels: &Channels,
    limits: &Limits,
    now: Timestamp,
) {
    if !listed(found, credentials) {
        return;
    }
    for name in file_names(credentials) {
        let path = credentials.join(&name);
        if let Some(channel) = name.strip_suffix(PAIRING_SUFFIX) {
            loose_mode(found, &path);
            match known(channels, channel) {
                Some(rules) => requests(found, &path, rules, limits, now),
                None => foreign(found, &path),
            }
        } else if let Some(stem) = name.strip_suffix(ALLOW_SUFFIX) {
            loose_mode(found, &path);
            allowlist(found, &path, stem, channels);
        } else {
            debris(found, &path, &name);
        }
    }
    meta(found, &credentials.join(META_DIR), channels);
}

fn known<'c>(channels: &'c Channels, channel: &str) -> Option<&'c ChannelRules> {
    let id = ChannelId::parse(channel).ok()?;
    // The file name must be exactly the channel's id.
    let rules = channels.get(&id).filter(|_| id.as_str() == channel)?;
    Some(rules)
}

fn requests(found: &mut Found, path: &Path, rules: &ChannelRules, limits: &Limits, now: Timestamp) {
    let Some(doc) = understood::<RequestsDoc>(found, path, rules) else {
        return;
    };
    problems(
        found,
        path,
        "bad-record",
        &doc,
        "it is carried along; remove it by hand if it is not wanted",
    );
    let all = doc.iter(None);
    let expired = all.filter(|s| s.request.is_expired(limits, now)).count();
    if expired > 0 {
        push(
            found,
            Severity::Note,
            "expired-requests",
            path,
            format!("{expired} expired, which the next request of a sender removes"),
            "nothing to do; `openclaw doctor --fix` removes them now",
            Some(Mend::DropExpired(rules.id().clone())),
        );
    }
}

fn allowlist(found: &mut Found, path: &Path, stem: &str, channels: &Channels) {
    let mut owners = channels.iter().filter(|rules| {
        let rest = stem.strip_prefix(rules.id().as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let Some(rules) = owners.next() else {
        return foreign(found, path);
    };
    if let Some(other) = owners.next() {
        push(
            found,
            Severity::Warning,
            "name-collision",
            path,
            format!("could be a file of {} or of {}", rules.id(), other.id()),
            "rename an account or a channel; the second to claim the name is refused",
            None,
        );
    }
    if let Some(doc) = understood::<AllowDoc>(found, path, rules) {
        problems(
            found,
            path,
            "never-matches",
            &doc,
            "it lets nobody in; remove it from the file by hand",
        );
        for (_, entry, _) in doc.from(0) {
            if !may_be_id(rules, entry) {
                push(
                    found,
                    Severity::Warning,
                    "never-matches",
                    path,
                    format!(
                        "`{entry}` is a name, and {} tells senders by numbers",
                        rules.id()
                    ),
                    "it lets nobody in: allow the number instead, and remove the name",
                    None,
                );
            }
        }
    }
}

/// Whether an entry can be the id of a sender. Discord's are numbers, and people write names with a tag (`ann#1234`).
fn may_be_id(rules: &ChannelRules, entry: &SenderId) -> bool {
    let is_number = entry.as_str().bytes().all(|byte| byte.is_ascii_digit());
    is_number || rules.id().as_str() != "discord"
}

/// Reports stale locks and left-over staged files.
fn debris(found: &mut Found, path: &Path, name: &str) {
    let is_ours = name.contains(PAIRING_SUFFIX) || name.contains(ALLOW_SUFFIX);
    if is_ours && name.ends_with(".lock") {
        if judge(path, false) == Verdict::Stale {
            push(
                found,
                Severity::Note,
                "stale-lock",
                path,
                "its process is gone, or it is older than 30 seconds, or dated in the future",
                "nothing to do; `openclaw doctor --fix` removes it now",
                Some(Mend::Remove),
            );
        }
    } else if name.ends_with(TEMPORARY_SUFFIX) && (is_ours || name.starts_with('.')) {
        left_over(found, path);
    }
}

/// Checks our own files beside OpenClaw's.
fn meta(found: &mut Found, dir: &Path, channels: &Channels) {
    loose_mode(found, dir);
    for name in file_names(dir) {
        let path = dir.join(&name);
        if name.ends_with(TEMPORARY_SUFFIX) {
            left_over(found, &path);
            continue;
        }
        loose_mode(found, &path);
        let Some(stem) = name.strip_suffix(".json") else {
            continue;
        };
        if stem == "names" {
            understood::<NamesDoc>(found, &path, &());
        } else if let Some(rules) = stem
            .strip_suffix(".counters")
            .and_then(|c| known(channels, c))
        {
            understood::<CountersDoc>(found, &path, rules);
        } else if let Some(rules) = stem
            .strip_suffix(".claims")
            .and_then(|c| known(channels, c))
        {
            if let Some(doc) = understood::<ClaimsDoc>(found, &path, rules) {
                let advice = "the claim code admits nobody; issue another one";
                problems(found, &path, "bad-record", &doc, advice);
            }
        } else if let Some(rules) = known(channels, stem)
            && let Some(doc) = understood::<GrantsDoc>(found, &path, rules)
        {
            problems(
                found,
                &path,
                "bad-record",
                &doc,
                "who granted it is not known; the grant itself stands",
            );
        }
    }
}

fn foreign(found: &mut Found, path: &Path) {
    push(
        found,
        Severity::Note,
        "foreign-file",
        path,
        "belongs to no channel that is known here",
        "nothing to do if a plugin of another program made it",
        None,
    );
}
