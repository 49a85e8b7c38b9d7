//! Reports the result of an import or migration, to people and to programs.

use std::path::Path;

use pairing_core::transfer::Outcome;
use pairing_core::{Key, escape};
use serde::Serialize;

use crate::args::Writing;
use crate::console::Screen;
use crate::{Exit, Failure, text};

#[derive(Serialize)]
struct Exported<'a> {
    records: usize,
    to: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    dry_run: bool,
    written: usize,
    replaced: usize,
    same: usize,
    expired: usize,
    ended: usize,
    differing: Vec<String>,
    lost: Vec<String>,
}

pub(super) fn exported(
    records: usize,
    to: &Path,
    json: bool,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let to = to.display().to_string();
    if json {
        screen.json(&Exported { records, to: &to })?;
    } else {
        let records = text::count(records as u64, "record");
        let to = escape(&to).limit(usize::MAX);
        screen.line(format_args!("Exported {records} to {to}"))?;
    }
    Ok(Exit::Done)
}

/// Reports what became of the records. If some differ in the target from what was given, that is a refusal.
pub(super) fn written(
    outcome: &Outcome,
    writing: Writing,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let names = |keys: &[Key]| -> Vec<String> { keys.iter().map(name).collect() };
    let (differing, lost) = (names(&outcome.differing), names(&outcome.lost));
    let is_whole = differing.is_empty() && lost.is_empty();
    if writing.json {
        screen.json(&Answer {
            dry_run: writing.dry_run,
            written: outcome.written,
            replaced: outcome.replaced,
            same: outcome.same,
            expired: outcome.expired,
            ended: outcome.ended,
            differing,
            lost,
        })?;
    } else {
        for (kind, names) in [("differs", &differing), ("lost", &lost)] {
            for name in names {
                let name = escape(name).limit(usize::MAX);
                screen.line(format_args!("{kind}\t{name}"))?;
            }
        }
        screen.line(summary(outcome, writing))?;
    }
    if !outcome.differing.is_empty() && !writing.replace {
        screen.hint("what differs there was left alone: `--replace` puts these in its place");
    }
    if !outcome.lost.is_empty() {
        screen.caution("somebody else has changed records since they were written");
    }
    Ok(if is_whole { Exit::Done } else { Exit::Refused })
}

/// `Written and verified: 12 new, 1 replaced, 3 there already, 2 left out (expired)`.
fn summary(outcome: &Outcome, writing: Writing) -> String {
    let counts = [
        (outcome.written, "new"),
        (outcome.replaced, "replaced"),
        (outcome.same, "there already"),
        (outcome.expired, "left out (expired)"),
        (outcome.ended, "left out (allowed there)"),
        (outcome.differing.len(), "left alone (differing)"),
        (outcome.lost.len(), "changed by others since"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let done = if writing.dry_run {
        "Would write"
    } else {
        "Written and verified"
    };
    match &counts[..] {
        [] => format!("{done}: nothing, there are no records"),
        counts => format!("{done}: {}", counts.join(", ")),
    }
}

/// The name of a record, without the hash of a token.
fn name(key: &Key) -> String {
    match key {
        Key::PairingToken { .. } => "pairing-token/…".to_owned(),
        Key::BearerClient { .. } => "bearer-client/…".to_owned(),
        Key::Claim { channel, .. } => format!("claim/{channel}/…"),
        key => key.path(),
    }
}
