//! `openclaw doctor`: examines an install, and mends it on request.

mod command;
mod running;
mod store;

use std::path::Path;

use openclaw_config::{Config, LoadError};
use openclaw_gateway::doctor::{of_bots, of_certificate, of_configuration};
use pairing_core::escape;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Fix, Severity, examine, fix};
use serde::Serialize;

use crate::args::DoctorOptions;
use crate::console::Screen;
use crate::{Environment, Exit, Failure, text};
use store::Looked;

/// Maximum width of a path; enough to show any of them whole.
const LONGEST_PATH: usize = 4096;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    state_dir: String,
    /// The store.
    store: &'static str,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    severity: &'static str,
    kind: &'static str,
    path: String,
    detail: &'a str,
    advice: &'a str,
    fixable: bool,
    fixed: bool,
}

/// Examines the state directory, mends it on request, and reports.
pub(crate) fn run(
    options: DoctorOptions,
    state: &StateDir,
    config: &Result<Config, LoadError>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let repair = options.fix.then_some(Fix {
        set_aside: options.set_aside,
    });
    let (store, findings) = findings(repair, state, config, environment, screen);
    if options.json {
        screen.json(&Report {
            state_dir: state.root().display().to_string(),
            store,
            findings: findings.iter().map(Found::from).collect(),
        })?;
    } else {
        show(&findings, screen)?;
        summary(state.root(), &findings, screen)?;
    }
    Ok(if findings.iter().any(is_left) {
        Exit::Refused
    } else {
        Exit::Done
    })
}

/// Examines everything, and mends it if that is asked for. Returns the name of the store as well.
pub(crate) fn findings(
    repair: Option<Fix>,
    state: &StateDir,
    config: &Result<Config, LoadError>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> (&'static str, Vec<Finding>) {
    let Looked {
        store,
        opened,
        findings: of_store,
    } = store::look(state, config.as_ref().ok(), environment);
    let (channels, limits) = (&opened.channels, &opened.limits);
    let now = environment.clock.now();
    let mut findings: Vec<_> = command::of_command(environment).into_iter().collect();
    findings.extend(of_configuration(state, config, channels));
    if let Ok(config) = config {
        findings.extend(of_bots(state, config, &**environment.var));
        findings.extend(of_certificate(state, config, now));
        findings.extend(running::of_gateway(state, config, environment, screen));
    }
    findings.extend(of_store);
    findings.extend(match repair {
        Some(repair) => fix(state, channels, limits, now, &repair),
        None => examine(state, channels, limits, now),
    });
    (store, findings)
}

/// Whether a finding needs the owner's attention.
pub(crate) fn is_left(finding: &Finding) -> bool {
    !finding.fixed && !matches!(finding.severity, Severity::Note)
}

fn show(findings: &[Finding], screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    for finding in findings {
        let label = if finding.fixed {
            "fixed"
        } else {
            severity(finding)
        };
        let path = finding.path.display().to_string();
        let path = escape(&path).limit(LONGEST_PATH);
        let detail = escape(&finding.detail).limit(LONGEST_PATH);
        let advice = if finding.fixed { "" } else { &finding.advice };
        let advice = escape(advice).limit(LONGEST_PATH);
        if screen.has_tables() {
            screen.title(format_args!("{label}: {path}"))?;
            screen.line(format_args!("  {detail}"))?;
            if !finding.fixed {
                screen.line(format_args!("  {advice}"))?;
            }
        } else {
            let kind = finding.kind;
            screen.line(format_args!("{label}\t{kind}\t{path}\t{detail}\t{advice}"))?;
        }
    }
    Ok(())
}

fn summary(root: &Path, findings: &[Finding], screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    let left: Vec<_> = findings.iter().filter(|finding| is_left(finding)).collect();
    let root = root.display().to_string();
    let root = escape(&root).limit(LONGEST_PATH);
    if left.is_empty() && findings.iter().any(|finding| finding.fixed) {
        screen.remark(format_args!("Mended what was wrong with {root}."))?;
    } else if left.is_empty() {
        screen.remark(format_args!("Nothing is wrong with {root}."))?;
    } else {
        let problems = text::count(left.len() as u64, "problem");
        screen.remark(format_args!("{problems} in {root}."))?;
        if left.iter().any(|finding| finding.fixable) {
            screen.hint("`openclaw doctor --fix` mends what it can");
        }
    }
    Ok(())
}

fn severity(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

impl<'a> From<&'a Finding> for Found<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            severity: severity(finding),
            kind: finding.kind,
            path: finding.path.display().to_string(),
            detail: &finding.detail,
            advice: &finding.advice,
            fixable: finding.fixable,
            fixed: finding.fixed,
        }
    }
}
