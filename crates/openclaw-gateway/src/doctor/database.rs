//! Findings about a store in a database.

use std::path::Path;

use openclaw_config::Config;
use pairing_core::{Chain, Channels};
use pairing_fs::doctor::{Finding, Severity};
use pairing_fs::{StateDir, SystemClock, SystemEntropy};
use pairing_sqlite::{OpenClawStore, Paths, leftovers};

use crate::store::Kept;

/// Names the database that keeps the state, leftovers beside it, and tokens in clear.
///
/// Opens OpenClaw's database, and reads its devices; changes nothing.
pub fn of_database(state: &StateDir, kept: &Kept, file: &Path, config: &Config) -> Vec<Finding> {
    let finding = |severity, kind, path: &Path, detail, advice: &str| Finding {
        severity,
        kind,
        path: path.to_owned(),
        detail,
        advice: advice.to_owned(),
        fixable: false,
        fixed: false,
    };
    let (severity, place) = match kept {
        Kept::OpenClaw(found) => {
            let release = found.release.as_deref().unwrap_or("an unknown release");
            let schema = found
                .schema_version
                .map_or_else(String::new, |version| format!(", schema {version}"));
            let place = format!("the state is in OpenClaw's database of {release}{schema}");
            if found.is_newer {
                let note = "; its schema is newer than known: it is written to only where its tables are as known";
                (Severity::Warning, place + note)
            } else {
                (Severity::Note, place)
            }
        }
        _ => (
            Severity::Note,
            "the state is in a database of ours".to_owned(),
        ),
    };
    let advice = "nothing to do: records in the files of this directory do not count";
    let mut findings = vec![finding(severity, "store", file, place, advice)];
    let left = leftovers(state.root(), state.credentials(), file);
    findings.extend(left.into_iter().map(|left| {
        let advice = "see what it says, and keep a copy before you delete anything";
        finding(
            Severity::Warning,
            "leftover",
            Path::new(&left.resource),
            left.detail,
            advice,
        )
    }));
    if let Kept::OpenClaw(_) = kept
        && !config.state.keep_clear_tokens
    {
        findings.extend(clear_tokens(state).map(|(severity, detail)| {
            let advice = "nothing to do, unless that program is to run again: state.keepClearTokens: true leaves \
                          them as they are";
            finding(severity, "clear-tokens", file, detail, advice)
        }));
    }
    findings
}

/// Names the databases with records of a state directory whose files are used instead.
pub fn of_unused_databases(state: &StateDir) -> Vec<Finding> {
    let paths = Paths::of(state.root());
    let is_used_by_them = !matches!(pairing_sqlite::find(state.root()), Ok(None));
    let found = [
        (paths.openclaw, is_used_by_them),
        (paths.own.clone(), paths.own.exists()),
    ];
    let found = found.into_iter().filter(|(_, is_there)| *is_there);
    found
        .map(|(path, _)| Finding {
            severity: Severity::Warning,
            kind: "leftover",
            path,
            detail: "is a database with records, and is not read: the files of this directory count".to_owned(),
            advice: "if it holds what counts, set state.store to \"openclaw\" or \"sqlite\"; otherwise keep a copy, \
                     and move it away"
                .to_owned(),
            fixable: false,
            fixed: false,
        })
        .collect()
}

/// Says how many devices have tokens in clear, if any.
fn clear_tokens(state: &StateDir) -> Option<(Severity, String)> {
    let paths = Paths::of(state.root());
    let settings = pairing_sqlite::Settings::new(Channels::builtin(), SystemClock, SystemEntropy);
    let counted = OpenClawStore::open(&paths.openclaw, &paths.beside, settings)
        .and_then(|store| store.clear_tokens());
    match counted {
        Ok(0) => None,
        Ok(1) => Some((
            Severity::Warning,
            "one device has a token in clear, which is replaced by its hash when the device next changes; \
             OpenClaw's own gateway will then ask it to pair again"
                .to_owned(),
        )),
        Ok(count) => Some((
            Severity::Warning,
            format!(
                "{count} devices have tokens in clear, each of which is replaced by its hash when its device \
                 next changes; OpenClaw's own gateway will then ask that device to pair again"
            ),
        )),
        Err(error) => Some((
            Severity::Error,
            format!("its devices cannot be read: {}", Chain(&error).unescaped()),
        )),
    }
}
