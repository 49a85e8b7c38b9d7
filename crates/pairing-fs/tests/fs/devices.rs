//! Files of devices and nodes: those written by OpenClaw 2026.2.17 are read, a change leaves everything else
//! as it was, and no token stays in clear.

use std::fs;

use pairing_core::device::{Role, SetupProfile};
use pairing_core::store::Change;
use pairing_core::{Range, Record, Scope, ScopeSet, SecretToken, Timestamp, TokenHash};

use crate::state::{ADMIN, OPERATOR, PHONE, State, all, commit, device, request, request_key};

/// The tokens in the recorded files.
pub(crate) const CLEAR: [&str; 4] = [
    "BEVP9hN3jX2j40VFHsAXmFNxALU6R8xVFf4Kn_3wrtQ",
    "kuDJaf2V_I_8VsIHrnbK1QUDl7AqbfWT2NkGUo1Bgn0",
    "GwMnOl6yL5pZKLvAHsj9VrRcCi6jf1i3Bi3G8VxAheo",
    "ij48FKjQoC07_WrtPTu4kvu7io2AJMgCAkY3qKfjQeU",
];

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn hash(token: &str) -> TokenHash {
    TokenHash::of(&SecretToken::parse(token).unwrap())
}

fn names(scopes: &ScopeSet) -> String {
    let names: Vec<_> = scopes.iter().map(Scope::as_str).collect();
    names.join(" ").replace("operator.", "")
}

/// Returns the text with each token replaced by its hash.
fn hashed(mut text: String) -> String {
    for token in CLEAR {
        let clear = format!("\"token\": \"{token}\"");
        text = text.replace(&clear, &format!("\"tokenHash\": \"{}\"", hash(token)));
    }
    text
}

#[test]
fn every_recorded_device_is_read() {
    let state = State::recorded();
    let operator = state.device(OPERATOR);
    assert_eq!(operator.info.platform.as_deref(), Some("linux"));
    assert_eq!(operator.info.display_name, None);
    assert_eq!(operator.created_at, at(1_795_354_072_718));
    assert_eq!(operator.roles.len(), 1);
    let role = operator.standing(Role::Operator).unwrap();
    assert_eq!(names(&role.scopes), "admin approvals pairing read write");
    assert_eq!(role.grant, None);
    let token = role.token.as_ref().unwrap();
    assert_eq!(token.hash, Some(hash(CLEAR[0])));
    assert_eq!(token.created_at, at(1_795_354_072_718));

    let phone = state.device(PHONE);
    assert_eq!(phone.info.display_name.as_deref(), Some("Phone"));
    assert_eq!(
        phone.roles.keys().copied().collect::<Vec<_>>(),
        [Role::Node]
    );
    let token = phone.roles[&Role::Node].token.as_ref().unwrap();
    assert_eq!(token.rotated_at, Some(at(1_795_354_075_094)));
    assert_eq!(token.last_used_at, Some(at(1_795_354_074_360)));

    let pending = request(&state.store, ADMIN).unwrap();
    assert_eq!(pending.id.as_str(), "1a7d0601-346d-41eb-bed4-83d9e065b56d");
    assert_eq!(names(&pending.ask.scopes), "admin read");
    assert!(pending.is_repair && !pending.silent);
    assert_eq!(pending.refreshed_at, pending.asked_at);

    let (nodes, problems) = all(&state.store, &Range::Nodes);
    assert_eq!(problems, []);
    let node = nodes[0].as_node().unwrap();
    assert_eq!((node.id.as_str(), node.token), ("n1", hash(CLEAR[3])));
    assert_eq!(node.info.caps, ["camera"]);
    for (range, size) in [
        (Range::Devices, 3),
        (Range::DeviceRequests, 1),
        (Range::PairingTokens, 0),
        (Range::NodeRequests, 0),
    ] {
        let (records, problems) = all(&state.store, &range);
        assert_eq!((records.len(), problems), (size, vec![]), "{range:?}");
    }
}

#[test]
fn t77_reading_writes_nothing() {
    let state = State::recorded();
    for range in [Range::Devices, Range::DeviceRequests, Range::Nodes] {
        all(&state.store, &range);
    }
    state.device(PHONE);
    assert_eq!(fs::read_dir(state.path("devices")).unwrap().count(), 2);
    assert!(state.everything().contains(CLEAR[0]));
}

#[test]
fn t83_a_change_hashes_every_token_and_changes_nothing_else() {
    let state = State::recorded();
    let before = state.read("devices/paired.json");
    let mut phone = state.device(PHONE);
    let node = phone.roles.get_mut(&Role::Node).unwrap();
    node.token.as_mut().unwrap().last_used_at = Some(at(1_795_354_099_000));
    commit(&state.store, [Change::Put(Record::from(phone.clone()))]).unwrap();
    let expected = hashed(before).replace(
        "\"lastUsedAtMs\": 1795354074360",
        "\"lastUsedAtMs\": 1795354099000",
    );
    assert_eq!(state.read("devices/paired.json"), expected);
    for store in [&state.store, &state.reopened()] {
        assert_eq!(device(store, PHONE).as_ref(), Some(&phone));
        let operator = device(store, OPERATOR).unwrap();
        let token = operator.roles[&Role::Operator].token.as_ref().unwrap();
        assert!(
            token
                .hash
                .unwrap()
                .matches(&SecretToken::parse(CLEAR[0]).unwrap())
        );
    }
    // The file of requests contains no token, so it was not rewritten.
    assert!(state.read("devices/pending.json").ends_with("}\n}"));

    let (nodes, _) = all(&state.store, &Range::Nodes);
    let mut node = nodes[0].as_node().unwrap().clone();
    node.last_connected_at = Some(at(1_795_354_099_000));
    let before = state.read("nodes/paired.json");
    commit(&state.store, [Change::Put(Record::from(node))]).unwrap();
    let expected = hashed(before).replace(
        "\"approvedAtMs\": 1795354075815\n",
        "\"approvedAtMs\": 1795354075815,\n    \"lastConnectedAtMs\": 1795354099000\n",
    );
    assert_eq!(state.read("nodes/paired.json"), expected);
    for token in CLEAR {
        assert!(!state.everything().contains(token));
    }
}

#[test]
fn t83_any_write_to_the_directory_leaves_no_token_in_clear() {
    let state = State::recorded();
    state.write(
        "devices/bootstrap.json",
        r#"{
  "secretBootstrapTokenOfThatRelease": {
    "token": "secretBootstrapTokenOfThatRelease",
    "ts": 1795354075815,
    "profile": { "roles": ["node"] }
  },
  "anotherSecretToken": {
    "token": "anotherSecretToken",
    "bootstrapToken": "anotherSecretToken",
    "issuedAtMs": 1,
    "expiresAtMs": 2,
    "profile": "full",
    "kept": 1.50
  }
}
"#,
    );
    let paired = state.read("devices/paired.json");
    let bad = "{\n  \"nobody\": {\n    \"tokens\": [\n      {\n        \"token\": \"aSecretInABadRecord\"\n      }\n    ],\n    \"extra\": [1.0,   2]\n  },";
    state.write("devices/paired.json", paired.replacen('{', bad, 1));
    let (tokens, problems) = all(&state.store, &Range::PairingTokens);
    let token = tokens[0].as_pairing_token().unwrap();
    assert_eq!(token.hash, hash("anotherSecretToken"));
    assert_eq!(token.profile, SetupProfile::Full);
    assert_eq!(problems.len(), 1);
    assert!(!problems[0].detail.contains("ecret"), "{problems:?}");

    commit(&state.store, [Change::Delete(request_key(ADMIN))]).unwrap();
    let everything = state.everything();
    assert!(!everything.contains("ecret"), "{everything}");
    for token in &CLEAR[..3] {
        assert!(!everything.contains(token));
    }
    assert!(everything.contains("\"extra\": [1.0,   2]"));
    assert!(everything.contains("\"kept\": 1.50"));
    assert!(everything.contains(&hash("aSecretInABadRecord").to_string()));
    // Under their hashes, the tokens are the same records as before.
    let (after, problems) = all(&state.reopened(), &Range::PairingTokens);
    assert_eq!((after, problems.len()), (tokens, 1));
    assert!(state.read("devices/bootstrap.json").ends_with("}\n"));
}

#[test]
fn t74_what_is_not_understood_survives_byte_for_byte() {
    let state = State::recorded();
    let paired = hashed(state.read("devices/paired.json"))
        .replacen(
            "\"createdAtMs\": 1795354074308,\n        \"rotatedAtMs\"",
            "\"createdAtMs\": 1795354074308,\n        \"later\": { \"a\":   1e400 },\n        \"rotatedAtMs\"",
            1,
        )
        .replace(
            "\"roles\": [\n      \"operator\"\n    ],\n    \"scopes\": [\n      \"operator.admin\"\n    ],",
            "\"roles\": [\n      \"janitor\",\n      \"operator\"\n    ],\n    \"scopes\": [\n      \"operator.admin\"\n    ],\n    \"cut\": \"\\ud83d\",",
        )
        .replacen('{', "{\n  \"bad\": 7,", 1);
    state.write("devices/paired.json", &paired);
    let (devices, problems) = all(&state.store, &Range::Devices);
    assert_eq!(devices.len(), 3);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].detail.contains("device 1 (`bad`)"),
        "{problems:?}"
    );

    let mut admin = state.device(ADMIN);
    let operator = admin.roles.get_mut(&Role::Operator).unwrap();
    operator.token.as_mut().unwrap().revoked_at = Some(at(1_795_354_100_000));
    commit(&state.store, [Change::Put(Record::from(admin.clone()))]).unwrap();
    let expected = paired.replace(
        "\"rotatedAtMs\": 1795354075066",
        "\"rotatedAtMs\": 1795354075066,\n        \"revokedAtMs\": 1795354100000",
    );
    assert_eq!(state.read("devices/paired.json"), expected);

    // Adds one role; the unknown role `janitor` stays.
    let operator = admin.roles[&Role::Operator].clone();
    admin.roles.insert(Role::Node, operator);
    commit(&state.store, [Change::Put(Record::from(admin.clone()))]).unwrap();
    let text = state.read("devices/paired.json");
    assert!(
        text.contains(
            "\"roles\": [\n      \"janitor\",\n      \"operator\",\n      \"node\"\n    ]"
        )
    );
    assert_eq!(state.device(ADMIN), admin);
}

#[test]
fn commands_stand_beside_what_that_release_writes() {
    let state = State::recorded();
    let mut phone = state.device(PHONE);
    let node = phone.roles.get_mut(&Role::Node).unwrap();
    assert_eq!(node.commands, None, "never named");
    node.commands = Some(["system.run".to_owned()].into());
    let before = hashed(state.read("devices/paired.json"));
    commit(&state.store, [Change::Put(Record::from(phone.clone()))]).unwrap();
    let ours = "\"approvals\": {
      \"node\": {
        \"atMs\": 1795354073547,
        \"commands\": [
          \"system.run\"
        ]
      }
    }";
    let after = state.read("devices/paired.json");
    assert!(after.contains(ours), "{after}");
    // The commands are no longer named: only the time of the approval is left.
    let node = phone.roles.get_mut(&Role::Node).unwrap();
    node.commands = None;
    commit(&state.store, [Change::Put(Record::from(phone.clone()))]).unwrap();
    let after = state.read("devices/paired.json");
    assert!(!after.contains("commands"));
    let approvals = ",\n    \"approvals\": {\n      \"node\": {\n        \"atMs\": 1795354073547\n      }\n    }";
    assert_eq!(after.replace(approvals, ""), before);

    let mut asking = request(&state.store, ADMIN).unwrap();
    asking.ask.roles.insert(Role::Node);
    asking.ask.commands = ["system.run".to_owned()].into();
    let record = Record::from(asking.clone());
    commit(&state.store, [Change::Put(record)]).unwrap();
    let text = state.read("devices/pending.json");
    assert!(
        text.contains("\"commands\": [\n      \"system.run\"\n    ]"),
        "{text}"
    );
    assert_eq!(request(&state.reopened(), ADMIN), Some(asking));
}

#[test]
fn a_new_request_is_written_as_that_release_writes_it() {
    let state = State::recorded();
    let old = request(&state.store, ADMIN).unwrap();
    commit(&state.store, [Change::Delete(request_key(ADMIN))]).unwrap();
    assert_eq!(state.read("devices/pending.json"), "{}");
    commit(&state.store, [Change::Put(Record::from(old))]).unwrap();
    let recorded = State::recorded().read("devices/pending.json");
    // Sets are written in their own order.
    let expected = recorded.replace(
        "\"operator.read\",\n      \"operator.admin\"",
        "\"operator.admin\",\n      \"operator.read\"",
    );
    assert_eq!(state.read("devices/pending.json"), expected);
}

#[test]
fn records_without_roles_or_scopes_grant_nothing() {
    let state = State::recorded();
    let paired = state.read("devices/paired.json");
    let roles = "\"roles\": [\n      \"operator\"\n    ],\n    ";
    let scopes = "\"scopes\": [\n      \"operator.admin\"\n    ],\n    \"tokens\"";
    assert!(paired.contains(roles) && paired.contains(scopes));
    let with = |from: &str, to: &str| {
        state.write("devices/paired.json", paired.replace(from, to));
        state.device(ADMIN).roles
    };
    // Without `roles`, the single `role` counts.
    let only_role = with(roles, "");
    assert_eq!(names(&only_role[&Role::Operator].scopes), "admin");
    let neither = paired.replace(roles, "");
    state.write(
        "devices/paired.json",
        neither.replace("\"role\": \"operator\",\n    \"sc", "\"sc"),
    );
    assert!(state.device(ADMIN).roles.is_empty());
    assert!(with(scopes, "\"tokens\"").is_empty());
    assert!(with(scopes, "\"scopes\": \"operator.admin\", \"tokens\"").is_empty());
    let narrowed = with(
        scopes,
        &format!("\"approvedScopes\": [\"operator.read\"], {scopes}"),
    );
    assert_eq!(names(&narrowed[&Role::Operator].scopes), "read");
    // A role that does not count keeps its place in the file.
    let text = paired.replace(scopes, "\"tokens\"");
    state.write("devices/paired.json", &text);
    let mut admin = state.device(ADMIN);
    admin.info.display_name = Some("Desk".to_owned());
    commit(&state.store, [Change::Put(Record::from(admin))]).unwrap();
    let after = state.read("devices/paired.json");
    assert_eq!(
        after.replace(",\n    \"displayName\": \"Desk\"", ""),
        hashed(text)
    );
}

#[test]
fn a_member_written_twice_hides_no_token() {
    let state = State::recorded();
    let paired = state.read("devices/paired.json");
    let twice = paired
        .replacen(
            "\"tokens\": {",
            "\"tokens\": { \"x\": { \"token\": \"first\" } },\n    \"tokens\": {",
            1,
        )
        .replacen(
            '{',
            "{\n  \"y\": { \"tokens\": [{ \"token\": \"second\" }] },\n  \"y\": 1,",
            1,
        )
        .replace(
            "\"token\": \"BEV",
            "\"token\": \"third\",\n        \"token\": \"BEV",
        );
    state.write("devices/paired.json", twice);
    commit(&state.store, [Change::Delete(request_key(ADMIN))]).unwrap();
    let after = state.read("devices/paired.json");
    for token in ["\"first\"", "\"second\"", "\"third\"", "\"token\""] {
        assert!(!after.contains(token), "{after}");
    }
    assert_eq!(after.replacen("\n  \"y\": 1,", "", 1), hashed(paired));
}
