//! Whole runs of the command: `cargo bench -p openclaw-cli --bench process`. Prints a table as
//! `cargo bench -p openclaw-gateway --bench load -- ratios` does. Needs GNU time for what a process takes in memory.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program for developers"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const SENDERS: usize = 100_000;

fn main() {
    println!("| work | measured | at most | met |");
    println!("|---|---|---|---|");
    lists();
    moves();
}

fn row(work: &str, measured: f64, at_most: f64, unit: &str, of: &str) {
    let met = if measured <= at_most { "yes" } else { "**no**" };
    println!("| {work} | {measured:.2}{unit} ({of}) | {at_most}{unit} | {met} |");
}

/// A run of the command: how long it took, in milliseconds, and the most memory it had, in MiB.
struct Took {
    ms: f64,
    mib: f64,
}

fn run(state: &Path, args: &[&str]) -> Took {
    let report = state.with_extension("time");
    let began = Instant::now();
    let status = Command::new("/usr/bin/time")
        .args(["-f", "%M", "-o"])
        .arg(&report)
        .arg(env!("CARGO_BIN_EXE_openclaw"))
        .args(args)
        .env_clear()
        .env("OPENCLAW_STATE_DIR", state)
        // Nobody listens there.
        .env("OPENCLAW_GATEWAY_PORT", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let ms = began.elapsed().as_secs_f64() * 1e3;
    assert!(status.success(), "{args:?}");
    let kib: f64 = fs::read_to_string(report).unwrap().trim().parse().unwrap();
    Took {
        ms,
        mib: kib / 1024.0,
    }
}

/// The median of some runs.
fn median(state: &Path, args: &[&str]) -> Took {
    let mut runs: Vec<_> = (0..21).map(|_| run(state, args)).collect();
    runs.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    runs.swap_remove(10)
}

fn lists() {
    let dir = tempfile::tempdir().unwrap();
    let (few, many) = (dir.path().join("few"), dir.path().join("many"));
    for (state, senders) in [(&few, 10), (&many, SENDERS)] {
        allow(state, senders);
        run(state, &["pairing", "request", "telegram", "7"]);
    }
    let list = ["pairing", "list", "telegram"];
    let (with_few, with_many) = (median(&few, &list), median(&many, &list));
    row("openclaw pairing list", with_few.ms, 5.0, " ms", "time");
    row("openclaw pairing list", with_few.mib, 6.0, " MiB", "memory");
    row(
        "the same with 100,000 entries of others",
        with_many.ms / with_few.ms,
        1.2,
        " ×",
        &format!(
            "{:.1} ÷ {:.1} ms, {:.1} MiB",
            with_many.ms, with_few.ms, with_many.mib
        ),
    );
}

fn allow(state: &Path, senders: usize) {
    let credentials = state.join("credentials");
    fs::create_dir_all(&credentials).unwrap();
    let entries: Vec<String> = (0..senders)
        .map(|number| format!("    \"{}\"", 1_000_000 + number))
        .collect();
    let text = format!(
        "{{\n  \"version\": 1,\n  \"allowFrom\": [\n{}\n  ]\n}}\n",
        entries.join(",\n")
    );
    fs::write(credentials.join("telegram-allowFrom.json"), text).unwrap();
}

/// The export and import of many senders.
fn moves() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    allow(&from, SENDERS);
    let mut ratios = Vec::new();
    for number in 0..3 {
        let (file, to) = (
            dir.path().join(format!("{number}.export")),
            dir.path().join(format!("to-{number}")),
        );
        fs::create_dir(&to).unwrap();
        let file = file.to_str().unwrap();
        let exported = run(&from, &["state", "export", "--to", file]);
        let imported = run(&to, &["state", "import", file]);
        ratios.push((imported.ms / exported.ms, exported, imported));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, exported, imported) = &ratios[1];
    row(
        "state import of 100,000 senders into files ÷ export",
        *ratio,
        3.0,
        " ×",
        &format!(
            "{:.0} ÷ {:.0} ms, {:.0} and {:.0} MiB",
            imported.ms, exported.ms, imported.mib, exported.mib
        ),
    );
}
