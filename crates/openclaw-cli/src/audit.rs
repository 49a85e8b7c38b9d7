//! `openclaw audit verify`.

use pairing_core::escape;
use pairing_fs::{AuditGap, AuditLog, StateDir};
use serde_json::json;

use crate::console::Screen;
use crate::{Exit, Failure, text};

/// Checks the chain of the audit log, and tells where it is broken.
pub(crate) fn verify(
    as_json: bool,
    state: &StateDir,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let log = AuditLog::new(state);
    let check = log.verify().map_err(|source| Failure::StateFile {
        path: log.path().display().to_string(),
        source,
    })?;
    if as_json {
        let gaps = check.gaps.iter().map(|gap| {
            json!({
                "path": gap.path.display().to_string(), "line": gap.line, "what": gap.kind.as_str(),
            })
        });
        screen.json(&json!({
            "ok": check.is_whole(), "unchained": check.before, "chained": check.chained,
            "first": check.first, "gaps": gaps.collect::<Vec<_>>(), "allGaps": check.all_gaps,
        }))?;
    } else {
        for gap in &check.gaps {
            screen.line(place(gap))?;
        }
        let lines = text::count(check.chained, "decision");
        if check.is_whole() {
            screen.line(format_args!(
                "{lines} in the chain, and nothing is missing."
            ))?;
        } else {
            let gaps = text::count(check.all_gaps, "gap");
            screen.line(format_args!("{gaps} among {lines}."))?;
        }
        if check.before > 0 {
            let before = text::count(check.before, "decision");
            screen.remark(format_args!(
                "{before} from before the chain cannot be checked."
            ))?;
        }
        if let Some(first) = check.first.filter(|first| *first > 1) {
            let gone = text::count(first - 1, "older decision");
            screen.remark(format_args!("{gone} were not kept."))?;
        }
    }
    Ok(if check.is_whole() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

fn place(gap: &AuditGap) -> String {
    let path = gap.path.display().to_string();
    let path = escape(&path).limit(4096);
    let what = gap.kind.as_str();
    match gap.line {
        Some(line) => format!("{path}, line {line}: {what}"),
        None => format!("{path}: {what}"),
    }
}
