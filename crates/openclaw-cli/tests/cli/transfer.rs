//! `openclaw state`: the whole state into a file, out of it, and from one store to another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use openclaw_cli::Exit;

use crate::session::{Session, minutes};

/// A session on the recorded install, and a file with its state.
fn exported() -> (Session, String) {
    let session = Session::recorded_whole();
    let file = session.outside("kept.jsonl");
    session.done(&["state", "export", "--to", &file]);
    (session, file)
}

#[test]
fn a_state_goes_through_a_file() {
    let (mut session, file) = exported();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    session.person(&format!("state export --to {file}"));
    let other = session.outside("other");
    session.person(&format!(
        "state import {file} --state-dir {other} --dry-run"
    ));
    assert!(fs::read_dir(&other).is_err(), "nothing was to be written");
    session.person(&format!("state import {file} --state-dir {other}"));
    session.pipe(&format!("state import {file} --state-dir {other} --json"));
    // What comes out of it again is what went in.
    let again = session.outside("again.jsonl");
    session.pipe(&format!(
        "state export --to {again} --json --state-dir {other}"
    ));
    assert_eq!(records(&again), records(&file));
    for command in ["pairing list", "devices list", "nodes list"] {
        let args: Vec<_> = command.split(' ').collect();
        let there = session.run(&[&args[..], &["--state-dir", &other]].concat());
        assert_eq!(there.stdout, session.run(&args).stdout, "{command}");
    }
    session.finish("state-file");
}

/// The records of a file in any order, without how entries were once spelled, which is not kept in files.
pub(crate) fn records(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let mut records: Vec<_> = lines[1..lines.len() - 1]
        .iter()
        .map(|line| line.split(",\"written\"").next().unwrap().to_owned())
        .collect();
    records.sort();
    let is_bare = |line: &String| !line.ends_with('}');
    records
        .iter_mut()
        .filter(|line| is_bare(line))
        .for_each(|line| line.push('}'));
    records
}

#[test]
fn standard_output_and_input() {
    let session = Session::recorded_whole();
    let exported = session.run(&["state", "export"]);
    assert_eq!(exported.exit, Exit::Done);
    assert!(exported.stdout.starts_with("{\"openclawState\":1,"));
    assert!(!exported.stdout.contains("tok_"), "a token in clear");
    let empty = session.run(&["state", "import", "-"]);
    assert_eq!(empty.exit, Exit::State, "nothing is no state");
}

#[test]
fn what_differs_is_left_alone_unless_told() {
    let (mut session, file) = exported();
    session.done(&["pairing", "allowed", "add", "telegram", "4242"]);
    session.done(&["nodes", "rename", "--node", "n1", "--name", "Kitchen"]);
    // Who let somebody in may be known better here.
    session.done(&["pairing", "allowed", "remove", "telegram", "12345"]);
    session.done(&["pairing", "allowed", "add", "telegram", "12345"]);
    // Whoever is let in since does not wait.
    session.done(&["pairing", "approve", "telegram", "M8NGT2AA"]);
    session.pipe(&format!("state import {file} --replace --dry-run"));
    session.pipe(&format!("state import {file}"));
    session.pipe(&format!("state import {file} --json"));
    session.pipe("nodes list --json");
    session.pipe(&format!("state import {file} --replace"));
    session.pipe(&format!("state import {file} --replace"));
    session.pipe("nodes list --json");
    // Those who came since stay.
    session.pipe("pairing allowed list telegram");
    session.finish("state-differing");
}

#[test]
fn what_has_expired_stays_behind() {
    let (mut session, file) = exported();
    session.wait(minutes(90));
    let other = session.outside("other");
    session.person(&format!("state import {file} --state-dir {other}"));
    session.finish("state-expired");
}

#[test]
fn a_file_that_is_none_is_refused_whole() {
    let (mut session, file) = exported();
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let other = session.outside("other");
    let broken = session.outside("broken.jsonl");
    let edited = whole.replacen("telegram", "discord", 1);
    for text in [
        "",
        "hello",
        "{}",
        &lines[..lines.len() - 1].join("\n"),
        &whole[..whole.len() / 2],
        &lines[..1].join("\n"),
        &edited,
        &whole.replace("\"openclawState\":1", "\"openclawState\":2"),
        &format!("{whole}{whole}"),
    ] {
        fs::write(&broken, text).unwrap();
        session.pipe(&format!("state import {broken} --state-dir {other}"));
    }
    session.pipe(&format!("state import {other} --state-dir {other}"));
    assert!(fs::read_dir(&other).is_err(), "nothing was to be written");
    session.finish("state-broken");
}

#[test]
fn from_one_directory_to_another() {
    let (mut session, file) = exported();
    let other = session.outside("other");
    session.person(&format!(
        "state migrate --from files --to files:{other} --dry-run"
    ));
    session.person(&format!("state migrate --from files --to files:{other}"));
    session.person(&format!("state migrate --from files:{other} --to files"));
    let again = session.outside("again.jsonl");
    session.done(&["state", "export", "--to", &again, "--state-dir", &other]);
    assert_eq!(records(&again), records(&file));
    let here = session.state().display().to_string();
    session.person(&format!("state migrate --from files --to files:{here}"));
    session.person("state migrate --from etcd --to etcd");
    session.person("state migrate --from files --to zookeeper");
    session.finish("state-migrate");
}
