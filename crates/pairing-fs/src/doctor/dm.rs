//! The files of DM pairing.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pairing_core::{ChannelId, ChannelRules, Channels, Limits, Timestamp};

use super::{Found, Severity, loose_mode, push};
use crate::cache::utf8;
use crate::disk::{self, TEMPORARY_SUFFIX};
use crate::docs::{AllowDoc, CountersDoc, Document, GrantsDoc, NamesDoc, RequestsDoc};
use crate::doctor::mend::Mend;
use crate::error::FileError;
use crate::lock::{Verdict, judge};
use crate::names::{ALLOW_SUFFIX, META_DIR, PAIRING_SUFFIX};
use crate::store::file_names;

/// A staged file younger than this may be somebody's who is just writing.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(60);

pub(super) fn examine(
    found: &mut Found,
    credentials: &Path,
    channels: &Channels,
    limits: &Limits,
    now: Timestamp,
) {
    if let Err(error) = readable_dir(credentials) {
        let detail = format!("cannot be listed: {error}");
        let advice = "check its owner and permissions";
        push(
            found,
            Severity::Error,
            "unreadable",
            credentials,
            detail,
            advice,
            None,
        );
        return;
    }
    loose_mode(found, credentials);
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

/// Missing is fine: there is nothing yet.
fn readable_dir(dir: &Path) -> std::io::Result<()> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !dir.is_symlink() => Ok(()),
        listed => listed.map(drop),
    }
}

fn known<'c>(channels: &'c Channels, channel: &str) -> Option<&'c ChannelRules> {
    let id = ChannelId::parse(channel).ok()?;
    // The name of the file is exactly the channel's.
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
    }
}

/// Locks and staged files that nobody holds or needs any more.
fn debris(found: &mut Found, path: &Path, name: &str) {
    let is_ours = name.contains(PAIRING_SUFFIX) || name.contains(ALLOW_SUFFIX);
    if is_ours && name.ends_with(".lock") {
        if judge(path, false) == Verdict::Stale {
            push(
                found,
                Severity::Note,
                "stale-lock",
                path,
                "its process is gone, or it is older than 30 seconds",
                "nothing to do; `openclaw doctor --fix` removes it now",
                Some(Mend::Remove),
            );
        }
    } else if name.ends_with(TEMPORARY_SUFFIX) && (is_ours || name.starts_with('.')) {
        left_over(found, path);
    }
}

fn left_over(found: &mut Found, path: &Path) {
    let modified = fs::symlink_metadata(path).and_then(|meta| meta.modified());
    let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
    if age.is_ok_and(|age| age >= LEFT_OVER_AFTER) {
        push(
            found,
            Severity::Note,
            "left-over",
            path,
            "a write that did not come to its end has left it",
            "nothing to do; `openclaw doctor --fix` removes it",
            Some(Mend::Remove),
        );
    }
}

/// Our own files beside those of the other program.
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

/// The document in a file, or a finding that says why there is none.
fn understood<D: Document>(found: &mut Found, path: &Path, rules: &D::Rules) -> Option<D> {
    let bytes = disk::read(path).map(|contents| contents.map(|(_, bytes)| bytes));
    let said = bytes.and_then(|bytes| match bytes {
        Some(bytes) => D::parse(utf8(&bytes)?, rules),
        None => Ok(D::default()),
    });
    match said {
        Ok(doc) => Some(doc),
        Err(
            error @ (FileError::Empty | FileError::NotUtf8 { .. } | FileError::Malformed { .. }),
        ) => {
            let advice = "restore it from a backup or mend it by hand; `openclaw doctor --fix \
                          --set-aside` moves it aside, and its channel starts afresh";
            let mend = Some(Mend::SetAside);
            push(
                found,
                Severity::Error,
                "malformed",
                path,
                error.to_string(),
                advice,
                mend,
            );
            None
        }
        Err(error) => {
            let advice = "make it a file that this user can read, or remove it";
            push(
                found,
                Severity::Error,
                "unreadable",
                path,
                error.to_string(),
                advice,
                None,
            );
            None
        }
    }
}

fn problems(found: &mut Found, path: &Path, kind: &'static str, doc: &impl Document, advice: &str) {
    for problem in doc.problems("") {
        push(
            found,
            Severity::Warning,
            kind,
            path,
            problem.detail,
            advice,
            None,
        );
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
