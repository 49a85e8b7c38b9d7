//! Every part of a gateway that can fail is broken for real, and looked for in every place where its health is told.
//!
//! The table in `docs/faults.md` is what was found. `UPDATE_DOCS=1` writes it anew.

mod stage;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pairing_core::Range;
use serde_json::{Value, json};

use stage::Stage;

#[test]
fn t134_every_part_that_fails_is_seen_in_every_place() {
    let stage = &Stage::start();
    stage.until("all is well", BTreeMap::is_empty);
    let mut rows = Vec::from(of_the_store(stage));
    rows.extend(of_records(stage));
    rows.extend(of_channels_and_settings(stage));
    rows.extend(of_the_machine(stage));
    rows.extend(of_other_gateways(stage));
    rows.extend(what_takes_a_restart(stage));
    check(&rows);
}

/// A row of the table: what was broken, its part and name, and what each place said.
struct Row {
    broken: &'static str,
    part: &'static str,
    named: String,
    places: Vec<String>,
}

const PLACES: [&str; 9] = [
    "`health`",
    "`gateway health`",
    "`gateway status`",
    "`status`",
    "`doctor`",
    "`/readyz`",
    "`/metrics`",
    "log",
    "notice",
];

/// Breaks something, looks for it everywhere, mends it, and waits until it is gone.
fn row(
    stage: &Stage,
    broken: &'static str,
    (part, name): (&'static str, Option<&str>),
    breaks: impl FnOnce(&Stage),
    mends: Option<&dyn Fn(&Stage)>,
) -> Row {
    // The notices of an hour are few, and their count starts anew.
    stage.clock.advance(Duration::from_secs(3600));
    stage.world.sent.lock().unwrap().clear();
    let logged = stage.logs.text().len();
    breaks(stage);
    stage.until(broken, |parts| parts.contains_key(part));
    let named = name.map_or_else(|| part.to_owned(), |name| format!("{part} {name}"));
    let begun = format!("{named} is ");
    // Nobody is told through an account that does not work.
    let works: Vec<_> = ["discord", "telegram"]
        .into_iter()
        .filter(|channel| name.is_none_or(|name| !name.starts_with(&format!("{channel}:"))))
        .collect();
    let by = stage.noticed(&begun, &works);
    let state = |text: &str| {
        // The state follows the part's name.
        let rest = text.split(&begun).nth(1)?;
        let state = rest.split([',', ':']).next()?;
        Some(state.to_owned())
    };
    let missing = || "—".to_owned();
    let health: Value = serde_json::from_str(&stage.says("gateway health --json")).unwrap();
    let faults = health["faults"].as_array().unwrap();
    let fault = faults
        .iter()
        .find(|fault| fault["part"] == part && fault["name"] == json!(name));
    let fault = fault.unwrap_or_else(|| panic!("{broken}: {health}"));
    assert!(
        fault["why"].as_str().is_some_and(|why| !why.is_empty()),
        "{fault}"
    );
    assert!(fault["advice"].is_string(), "{fault}");
    assert!(fault["sinceMs"].as_i64().unwrap() > 0, "{fault}");
    let (status, parts) = stage.ready();
    let metrics = stage.page("/metrics").1;
    let metric = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("openclaw_health{{part=\"{part}\"}} ")));
    let lines = stage.logs.text()[logged..].to_owned();
    let mut lines = lines.lines();
    let line = lines.find(|line| {
        line.contains("does not work as it should") && line.contains(&format!("part=\"{part}\""))
    });
    let mut channels = by;
    channels.sort();
    channels.dedup();
    let places = vec![
        fault["state"].as_str().unwrap().to_owned(),
        state(&stage.says("gateway health")).unwrap_or_else(missing),
        state(&stage.says("gateway status")).unwrap_or_else(missing),
        // All of them: on the screen there are only the worst five.
        of_status(&stage.says("status --json"), part, &begun),
        of_doctor(&stage.says("doctor"), part, &begun),
        parts
            .get(part)
            .map_or_else(missing, |state| format!("{status}, {state}")),
        metric.map_or_else(missing, str::to_owned),
        line.map_or_else(missing, |line| {
            line[..line.find(' ').unwrap()].to_lowercase()
        }),
        channels.join(", "),
    ];
    if let Some(mends) = mends {
        mends(stage);
        see_that_it_works(stage, broken, part, (&named, &begun), &works);
    }
    Row {
        broken,
        part,
        named: name.unwrap_or_default().to_owned(),
        places,
    }
}

/// Waits until a part works again, and sees that no place still names it.
fn see_that_it_works(
    stage: &Stage,
    broken: &str,
    part: &str,
    (named, begun): (&str, &str),
    works: &[&str],
) {
    stage.until("it is mended", |parts| !parts.contains_key(part));
    let by = stage.noticed(&format!("{named} works again"), works);
    assert!(!by.is_empty(), "{broken}");
    assert_eq!(stage.page("/readyz").1, "{\"ok\":true}", "{broken}");
    let metrics = stage.page("/metrics").1;
    let metric = format!("openclaw_health{{part=\"{part}\"}} 0\n");
    assert!(metrics.contains(&metric), "{broken}: {metrics}");
    let health = stage.says("gateway health");
    assert!(
        health.contains("The gateway is well."),
        "{broken}: {health}"
    );
    for place in ["gateway status", "status --json", "doctor"] {
        let said = stage.says(place);
        assert!(!said.contains(begun), "{broken}: {place}: {said}");
    }
}

/// What doctor calls the fault: an error or a warning, by what the gateway says or by what it finds itself.
fn of_doctor(found: &str, part: &str, begun: &str) -> String {
    let line = found.lines().find(|line| is_about(line, part, begun));
    line.map_or_else(
        || "—".to_owned(),
        |line| line.split('\t').next().unwrap().to_owned(),
    )
}

/// Whether `openclaw status` lists the fault, which is in doctor's words there.
fn of_status(said: &str, part: &str, begun: &str) -> String {
    let status: Value = serde_json::from_str(said).unwrap();
    let mut wrong = status["wrong"].as_array().unwrap().iter();
    let is_told = wrong.any(|wrong| is_about(wrong["what"].as_str().unwrap(), part, begun));
    if is_told { "wrong" } else { "—" }.to_owned()
}

/// Doctor finds by itself that a certificate has expired.
fn is_about(line: &str, part: &str, begun: &str) -> bool {
    line.contains(begun) || (part == "certificate" && line.contains("expired"))
}

fn set(flag: &AtomicBool, value: bool) {
    flag.store(value, Ordering::SeqCst);
}

/// Allows somebody new. This writes a record and a line of the audit log, and has the records of the channel read again.
fn allow(stage: &Stage) {
    let id = stage.world.allowed.fetch_add(1, Ordering::SeqCst);
    stage.says(&format!("pairing allowed add telegram {}", 1_000 + id));
}

fn of_the_store(stage: &Stage) -> [Row; 2] {
    [
        row(
            stage,
            "the store does not answer",
            ("store", None),
            |stage| set(&stage.world.is_unreachable, true),
            Some(&|stage| set(&stage.world.is_unreachable, false)),
        ),
        row(
            stage,
            "a write fails",
            ("store", None),
            |stage| {
                set(&stage.world.is_unwritable, true);
                allow(stage);
            },
            Some(&|stage| {
                set(&stage.world.is_unwritable, false);
                allow(stage);
            }),
        ),
    ]
}

fn of_records(stage: &Stage) -> [Row; 4] {
    let torn = |broken, name, torn: fn(&Range) -> bool| {
        let breaks = |stage: &Stage| {
            stage.world.tear(Some(torn));
            allow(stage);
        };
        let mends = |stage: &Stage| stage.world.tear(None);
        row(stage, broken, ("records", Some(name)), breaks, Some(&mends))
    };
    [
        torn(
            "the requests of a channel cannot be read",
            "telegram",
            |range| matches!(range, Range::Requests { channel, .. } if channel.as_str() == "telegram"),
        ),
        torn(
            "the claim codes of a channel cannot be read",
            "telegram",
            |range| matches!(range, Range::Claims { channel } if channel.as_str() == "telegram"),
        ),
        torn("the devices cannot be read", "devices", |range| {
            matches!(range, Range::Devices)
        }),
        torn("the nodes cannot be read", "nodes", |range| {
            matches!(range, Range::Nodes)
        }),
    ]
}

fn of_channels_and_settings(stage: &Stage) -> [Row; 4] {
    let log = stage.session.state().join("pairing-audit.jsonl");
    let former = stage.session.state().join("former-audit");
    [
        row(
            stage,
            "an account is refused",
            ("channel", Some("discord:default")),
            |stage| set(&stage.world.refused, true),
            Some(&|stage| set(&stage.world.refused, false)),
        ),
        row(
            stage,
            "a key of an account is not understood",
            ("channel", Some("discord:default")),
            |stage| {
                stage.configure(|config| {
                    config["channels"]["discord"]["dmPolicy"] = json!("perhaps");
                });
            },
            Some(&|stage| stage.configure(|_| {})),
        ),
        row(
            stage,
            "a key that restricts nodes is not understood",
            ("configuration", Some("commands to nodes")),
            |stage| {
                stage.configure(|config| {
                    config["gateway"]["nodes"] = json!({ "denyCommands": 7 });
                });
            },
            Some(&|stage| stage.configure(|_| {})),
        ),
        row(
            stage,
            "the audit log cannot be written",
            ("audit", None),
            |stage| {
                fs::rename(&log, &former).unwrap();
                fs::create_dir(&log).unwrap();
                allow(stage);
            },
            Some(&|stage| {
                fs::remove_dir(&log).unwrap();
                fs::rename(&former, &log).unwrap();
                allow(stage);
            }),
        ),
    ]
}

fn of_the_machine(stage: &Stage) -> [Row; 4] {
    let lock = stage.session.state().join(".gateway.oslock");
    let away = stage.session.state().join("moved");
    [
        row(
            stage,
            "the file system is read-only",
            ("disk", None),
            |stage| set(&stage.world.is_read_only, true),
            Some(&|stage| set(&stage.world.is_read_only, false)),
        ),
        row(
            stage,
            "the disk is full",
            ("disk", None),
            |stage| stage.world.free.store(1000, Ordering::SeqCst),
            Some(&|stage| stage.world.free.store(u64::MAX, Ordering::SeqCst)),
        ),
        row(
            stage,
            "this machine's clock is two days ahead",
            ("clock", None),
            |stage| stage.world.ahead_ms.store(2 * 86_400_000, Ordering::SeqCst),
            Some(&|stage| stage.world.ahead_ms.store(0, Ordering::SeqCst)),
        ),
        row(
            stage,
            "the lock of the state directory is taken away",
            ("lock", None),
            |_| fs::rename(&lock, &away).unwrap(),
            Some(&|_| fs::rename(&away, &lock).unwrap()),
        ),
    ]
}

fn of_other_gateways(stage: &Stage) -> [Row; 2] {
    let directory = row(
        stage,
        "the directory of gateways fails",
        ("gateways", Some("directory")),
        |stage| set(&stage.world.is_directory_lost, true),
        Some(&|stage| set(&stage.world.is_directory_lost, false)),
    );
    let (lease, node) = stage.silent_peer();
    let lease = Mutex::new(Some(lease));
    let silent = row(
        stage,
        "another gateway does not answer",
        ("gateways", Some("attic")),
        |stage| stage.invoke(&node),
        Some(&|_| drop(lease.lock().unwrap().take())),
    );
    [directory, silent]
}

/// These stay as they are until the test ends.
fn what_takes_a_restart(stage: &Stage) -> [Row; 2] {
    [
        row(
            stage,
            "the change feed ends",
            ("feed", None),
            |stage| set(&stage.world.is_deadly, true),
            None,
        ),
        row(
            stage,
            "the certificate has expired",
            ("certificate", None),
            // A hundred years later.
            |stage| stage.clock.advance(Duration::from_secs(100 * 365 * 86_400)),
            None,
        ),
    ]
}

/// Compares the table with the one in the document.
fn check(rows: &[Row]) {
    let mut table = String::from("| what was broken | part | name |");
    for place in PLACES {
        let _ = write!(table, " {place} |");
    }
    table.push_str("\n|---|---|---|");
    table.push_str(&"---|".repeat(PLACES.len()));
    for row in rows {
        let _ = write!(
            table,
            "\n| {} | `{}` | {} |",
            row.broken, row.part, row.named
        );
        for place in &row.places {
            let _ = write!(table, " {place} |");
        }
    }
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../docs/faults.md"]
        .iter()
        .collect();
    let document = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- faults -->\n", "\n<!-- end -->");
    let (before, rest) = document.split_once(begin).unwrap();
    let (written, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(
            written, table,
            "run this test with UPDATE_DOCS=1, and read the difference"
        );
    }
    // Nothing fails in silence.
    for row in rows {
        assert!(
            row.places
                .iter()
                .all(|place| !place.is_empty() && place != "—"),
            "{}: {:?}",
            row.broken,
            row.places
        );
    }
}
