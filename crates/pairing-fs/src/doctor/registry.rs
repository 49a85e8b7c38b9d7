//! Checks the files of devices and of legacy nodes.

use std::path::Path;

use pairing_core::device::{Device, DeviceLimits, DeviceRequest, Node, NodeRequest, PairingToken};
use pairing_core::store::BearerClient;
use pairing_core::{Range, Record, Scope, ScopeSet, Timestamp};

use super::files::{left_over, listed, problems, understood};
use super::mend::Mend;
use super::{Found, Severity, loose_mode, push};
use crate::disk::TEMPORARY_SUFFIX;
use crate::docs::{Entry, Keyed};
use crate::names;
use crate::store::file_names;

pub(super) fn devices(found: &mut Found, dir: &Path, now: Timestamp) {
    if !listed(found, dir) {
        return;
    }
    for name in file_names(dir) {
        let path = dir.join(&name);
        match name.as_str() {
            "pending.json" => {
                let doc = file::<DeviceRequest>(found, &path);
                requests(found, &path, doc, Range::DeviceRequests, now);
            }
            "paired.json" => {
                if let Some(doc) = file::<Device>(found, &path) {
                    beyond_baseline(found, &path, &doc);
                }
            }
            "bootstrap.json" => {
                file::<PairingToken>(found, &path);
            }
            names::BEARER_CLIENTS => {
                file::<BearerClient>(found, &path);
            }
            _ => other(found, &path, &name),
        }
    }
}

pub(super) fn nodes(found: &mut Found, dir: &Path, now: Timestamp) {
    if !listed(found, dir) {
        return;
    }
    for name in file_names(dir) {
        let path = dir.join(&name);
        match name.as_str() {
            "pending.json" => {
                let doc = file::<NodeRequest>(found, &path);
                requests(found, &path, doc, Range::NodeRequests, now);
            }
            "paired.json" => {
                file::<Node>(found, &path);
            }
            _ => other(found, &path, &name),
        }
    }
}

/// Makes the checks that apply to every file of records, and returns its document.
fn file<E: Entry>(found: &mut Found, path: &Path) -> Option<Keyed<E>> {
    loose_mode(found, path);
    let doc = understood::<Keyed<E>>(found, path, &())?;
    let advice = "it is carried along; remove it by hand if it is not wanted";
    problems(found, path, "bad-record", &doc, advice);
    if doc.has_clear_tokens() {
        push(
            found,
            Severity::Note,
            "clear-tokens",
            path,
            "another program has left tokens in clear",
            "nothing to do; they go on working, and are replaced by their hashes at the next write",
            None,
        );
    }
    Some(doc)
}

/// Reports pending and expired requests.
fn requests<E: Entry>(
    found: &mut Found,
    path: &Path,
    doc: Option<Keyed<E>>,
    range: Range,
    now: Timestamp,
) {
    let Some(doc) = doc else { return };
    let limits = DeviceLimits::default();
    let mut expired = 0;
    for (_, _, stored) in doc.from(0) {
        let (is_expired, is_repair, who, advice) = match &*stored.record {
            Record::DeviceRequest(request) => (
                request.is_expired(&limits, now),
                request.is_repair,
                format!("device {}", request.device),
                format!("run `openclaw devices approve {}`, or `reject`", request.id),
            ),
            Record::NodeRequest(request) => (
                request.is_expired(&limits, now),
                request.is_repair,
                format!("node {}", request.node),
                format!("run `openclaw nodes approve {}`, or `reject`", request.id),
            ),
            _ => continue,
        };
        if is_expired {
            expired += 1;
        } else {
            let asks = if is_repair {
                "asks for more than it has"
            } else {
                "asks to be paired"
            };
            let detail = format!("{who} {asks}");
            push(found, Severity::Note, "waiting", path, detail, advice, None);
        }
    }
    if expired > 0 {
        push(
            found,
            Severity::Note,
            "expired-requests",
            path,
            format!("{expired} expired, which the next request removes"),
            "nothing to do; `openclaw doctor --fix` removes them now",
            Some(Mend::DropExpiredOf(range)),
        );
    }
}

/// Reports tokens whose scopes go beyond the approved ones, as another program or a manual edit leaves
/// them. They are still limited to the approved scopes.
fn beyond_baseline(found: &mut Found, path: &Path, doc: &Keyed<Device>) {
    for (_, id, entry) in doc.from(0) {
        let Some(device) = entry.record.as_device() else {
            continue;
        };
        for (role, approved) in &device.roles {
            let Some(token) = &approved.token else {
                continue;
            };
            if approved.scopes.covers(&token.scopes) {
                continue;
            }
            let beyond: Vec<&str> = token
                .scopes
                .iter()
                .filter(|scope| !approved.scopes.allows(scope.as_str()))
                .map(Scope::as_str)
                .collect();
            let advice = format!("run `openclaw devices rotate --device {id} --role {role}`")
                + &scope_options(&token.scopes.within(&approved.scopes));
            push(
                found,
                Severity::Warning,
                "beyond-baseline",
                path,
                format!(
                    "device {id}: the token of role {role} has {}, which was not approved",
                    beyond.join(", ")
                ),
                advice,
                None,
            );
        }
    }
}

fn scope_options(scopes: &ScopeSet) -> String {
    let options = scopes.iter().map(|scope| format!(" --scope {scope}"));
    options.collect()
}

fn other(found: &mut Found, path: &Path, name: &str) {
    if name.ends_with(TEMPORARY_SUFFIX) {
        left_over(found, path);
    } else if name.ends_with(".migrated") {
        loose_mode(found, path);
        push(
            found,
            Severity::Warning,
            "clear-archive",
            path,
            "what a later release has left of a file that may hold tokens in clear",
            "remove it, or keep it where nobody else can read it",
            None,
        );
    }
}
