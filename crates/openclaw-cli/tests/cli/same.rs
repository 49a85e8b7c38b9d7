//! What a program reads from `--json` does not depend on who carried the command out: the store, or a gateway.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::live::Live;
use crate::session::Session;
use crate::{devices, nodes};

/// Runs the commands on two equal installs, on the store of the one and through a gateway of the other, and compares
/// what is written, member by member. Ids, tokens and times that are drawn anew only have to be of the same kind.
fn are_the_same(make: impl Fn() -> Session, lines: &[&str]) {
    let here = make();
    let mut there = make();
    let live = Live::on(&mut there);
    let named = live.named(&there);
    for line in lines {
        let direct = run(&here, &format!("{line} --json"));
        let through = run(&there, &format!("{line} --json {named}"));
        assert_eq!(direct, through, "{line}");
    }
}

/// The exit code, and the answer.
fn run(session: &Session, line: &str) -> (String, Value) {
    let args: Vec<_> = line.split(' ').collect();
    let ran = session.run(&args);
    let mut answer = match ran.stdout.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap(),
    };
    unify(&mut answer);
    (format!("{:?} {}", ran.exit, ran.stderr), answer)
}

/// Replaces what differs from one run to the next by the name of its kind.
fn unify(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unify),
        Value::Object(members) => unify_members(members),
        _ => {}
    }
}

fn unify_members(members: &mut Map<String, Value>) {
    for (name, value) in members {
        match (name.as_str(), &value) {
            ("token", Value::String(_)) => *value = json!("a token"),
            (name, Value::Number(_)) if name.ends_with("Ms") || name == "ts" => {
                *value = json!("a time");
            }
            _ => unify(value),
        }
    }
}

#[test]
fn of_senders() {
    let make = || {
        let session = Session::recorded();
        let minute = Duration::from_secs(60);
        session.write_requests(
            "discord",
            &[
                ("default", "111111111111111111", "ABCDEFGH", minute),
                ("work", "222222222222222222", "JKLMNPQR", minute),
            ],
        );
        session
    };
    are_the_same(
        make,
        &[
            "pairing list",
            "pairing list discord",
            "pairing approve discord ABCDEFGH",
            "pairing approve discord ABCDEFGH",
            "pairing reject discord JKLMNPQR --account work",
            "pairing allowed list discord",
            "pairing allowed add discord 333333333333333333",
            "pairing allowed add discord 333333333333333333",
            "pairing allowed remove discord 333333333333333333",
            "pairing allowed remove discord 333333333333333333",
        ],
    );
}

#[test]
fn of_devices() {
    are_the_same(
        devices::asking,
        &[
            "devices list",
            "devices approve",
            "devices approve 0a000000-2222-4222-8222-000000000002",
            "devices approve 0a000000-2222-4222-8222-000000000002",
            "devices reject 0b000000-3333-4333-8333-000000000003",
            "devices rename 15eef72f Tablet",
            "devices rotate --device Tablet --role node",
            "devices revoke --device Tablet --role node",
            "devices revoke --device Tablet --role operator",
            "devices remove Tablet",
            "devices remove Tablet",
            "devices list",
        ],
    );
}

#[test]
fn of_nodes() {
    are_the_same(
        nodes::asking,
        &[
            "nodes list",
            "nodes pending",
            "nodes approve Kitchen",
            "nodes list",
        ],
    );
}
