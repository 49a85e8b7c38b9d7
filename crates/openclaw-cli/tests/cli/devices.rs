//! `openclaw devices`.

use std::fs;

use openclaw_cli::Exit;
use serde_json::{Value, json};

use crate::session::{Session, minutes};

/// Keys of recorded devices, by the beginning of their ids.
const KEYS: [(&str, &str); 3] = [
    (
        "152e8f91f28eef00c563d900d0a07092e2b661062714671d9d3ee06e5b99cfbe",
        "GxNEj8M89UaLcJu3-1ivCIAkBBGmiagRm1BtZIYIcmI",
    ),
    (
        "15eef72ff15d1a91a6aa964a144fde0002b3bf191cc05da41538a49da7a7653f",
        "_5ewtfValsgeqVLqyXAUQUM5lUNiUJD3Pe6Ris22KHQ",
    ),
    (
        "58e64629c948554fe1f804a75a6f784ae1a9a9c6dc85380ce0620f4111bf9fbf",
        "qP9RK945XhSeA_TmkQ1VQhlKDr5hOVtFbHDHmsk1fmY",
    ),
];

/// Two minutes before the time at which commands run.
const ASKED: i64 = 1_795_354_140_000;

/// A phone with a setup code, a second of the same name, and a page that hides its name.
pub(crate) fn asking() -> Session {
    let session = Session::recorded_devices();
    let request = |at: usize, id: &str, more: Value| {
        let (device, key) = KEYS[at];
        let mut request = json!({
            "requestId": id, "deviceId": device, "publicKey": key,
            "ts": ASKED + 1000 * i64::try_from(at).unwrap(),
        });
        let more = more.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(more);
        (id.to_owned(), request)
    };
    let phone = json!({
        "displayName": "Phone", "platform": "iOS 26.1", "deviceFamily": "iPhone",
        "role": "node", "roles": ["node", "operator"], "remoteIp": "192.168.1.7",
        "scopes": ["operator.approvals", "operator.read", "operator.talk.secrets", "operator.write"],
    });
    let same = json!({
        "displayName": "Phone", "platform": "android", "roles": ["node"], "remoteIp": "192.168.1.8",
    });
    let page = json!({
        "displayName": "\u{1b}[2J\u{202e}evil\nerror: x", "platform": "\u{9b}31m",
        "roles": ["operator"], "scopes": ["operator.admin", "operator.future"],
        "origin": "https://evil.example/\u{200b}", "remoteIp": "203.0.113.9",
    });
    let pending: serde_json::Map<_, _> = [
        request(0, "0a000000-1111-4111-8111-000000000001", phone),
        request(1, "0a000000-2222-4222-8222-000000000002", same),
        request(2, "0b000000-3333-4333-8333-000000000003", page),
    ]
    .into_iter()
    .collect();
    session.write_in(
        "devices",
        "pending.json",
        Value::Object(pending).to_string(),
    );
    session
}

#[test]
fn t101_programs_are_told_whole_ids() {
    let mut session = Session::recorded_devices();
    session.person("devices list");
    session.pipe("devices list");
    session.pipe("devices list --json");
    session.finish("devices-list");
}

#[test]
fn t70_hostile_names_on_a_narrow_terminal() {
    let mut session = asking().columns(80);
    session.person("devices list");
    session.finish("devices-narrow");
}

#[test]
fn t89_looking_at_devices_makes_nothing() {
    let mut session = Session::new();
    session.person("devices list");
    session.pipe("devices list");
    session.pipe("devices list --json");
    session.person("devices approve");
    session.person("devices clear");
    session.person("devices clear --yes --pending");
    assert!(!session.state().exists(), "looking makes nothing");
    session.finish("devices-none");
}

#[test]
fn t19_approving_without_a_request_only_looks() {
    let mut session = asking();
    session.person("devices approve");
    session.pipe("devices approve --json");
    let pending = fs::read(session.state().join("devices/pending.json")).unwrap();
    assert_eq!(session.run(&["devices", "approve"]).exit, Exit::Refused);
    let now = fs::read(session.state().join("devices/pending.json")).unwrap();
    assert_eq!(now, pending);
    // What comes of a device that is known already.
    let mut recorded = Session::recorded_devices();
    recorded.person("devices approve");
    session.append(&recorded);
    session.finish("devices-preview");
}

#[test]
fn t101_approving_by_the_beginning_of_an_id() {
    let mut session = asking();
    session.person("devices approve 0a00");
    session.person("devices approve 0b0");
    session.person("devices approve Phone");
    session.person("devices approve 0A000000-2");
    session.person("devices approve 0A000000-2");
    session.pipe("devices approve 0a000000-1111-4111-8111-000000000001 --json");
    session.person("devices reject 0b00");
    session.pipe("devices list");
    session.finish("devices-approve");
}

#[test]
fn rejecting() {
    let mut session = asking();
    session.person("devices reject");
    session.person("devices reject 0a00");
    session.person("devices reject 0a000000-1");
    session.pipe("devices reject 0a000000-2222-4222-8222-000000000002 --json");
    session.person("devices reject 0a000000-2222-4222-8222-000000000002");
    session.finish("devices-reject");
}

#[test]
fn requests_end() {
    let mut session = asking();
    session.wait(minutes(3));
    session.person("devices approve 0b000000");
    session.person("devices approve");
    session.finish("devices-expired");
}

#[test]
fn names() {
    let mut session = asking();
    session.done(&["devices", "approve", "0a000000-2"]);
    session.person("devices rename phone Tablet");
    session.person("devices rename 8110 Tablet");
    session.pipe("devices rename 15eef72f Tablet --json");
    session.person("devices rename tablet Other");
    session.person("devices remove tablet");
    let long = "x".repeat(129);
    for name in ["", "  ", "a\u{1b}b", &long] {
        let ran = session.run(&["devices", "rename", "8110", name]);
        assert_eq!(ran.exit, Exit::Usage, "{}", ran.stderr);
    }
    session.person("devices remove 15ee");
    session.pipe("devices remove Tablet --json");
    session.person("devices remove Tablet");
    session.finish("devices-names");
}

#[test]
fn tokens() {
    let mut session = Session::recorded_devices();
    session.person("devices rotate --device phone --role node");
    session.person(
        "devices rotate --device f8fc --role operator --scope operator.read,operator.write",
    );
    session.pipe("devices rotate --device f8fc --role operator --json");
    session.person("devices revoke --device Phone --role node");
    session.pipe("devices revoke --device f8fc --role operator --json");
    session.person("devices list");
    session.finish("devices-tokens");
}

#[test]
fn t100_tokens_that_cannot_be() {
    let mut session = Session::recorded_devices();
    session.person("devices rotate --device Phone --role admin");
    session.person("devices revoke --device Phone --role Node");
    session.person("devices rotate --device 70e9 --role operator --scope admin");
    session.person("devices rotate --device 70e9 --role node");
    session.person("devices revoke --device Phone --role operator");
    session.person("devices rotate --device Phone --role node --scope operator.read");
    session.person("devices rotate --device nobody --role node");
    session.person("devices rotate --role node");
    session.person("devices revoke --device Phone --role node");
    session.person("devices revoke --device Phone --role node");
    session.person("devices rotate --device Phone --role node");
    session.finish("devices-tokens-refused");
}

#[test]
fn clearing() {
    let mut session = asking();
    session.person("devices clear");
    session.person("devices clear --pending");
    session.pipe("devices clear --json");
    session.person("devices clear --yes");
    session.person("devices list");
    session.pipe("devices clear --yes --pending --json");
    session.person("devices list");
    let mut again = asking();
    again.person("devices clear --yes --pending");
    session.append(&again);
    session.finish("devices-clear");
}

#[test]
fn t33_what_a_node_could_be_asked_to_do_is_shown_before_it_can_be() {
    let mut session = Session::recorded_devices();
    let (device, key) = (
        "8110e45971ac4b5c1d46390656f99136ffb66be14f0d1f53fa8b81b224f0c7e3",
        "ugeFQ2bPD0Zv5Y20k795hGhN093E03hgfDrcD_cnpsg",
    );
    let ask = |session: &Session, id: &str, commands: Value| {
        let request = json!({ id: {
            "requestId": id, "deviceId": device, "publicKey": key, "displayName": "Phone",
            "platform": "ios", "roles": ["node"], "isRepair": true, "ts": ASKED, "commands": commands,
        }});
        session.write_in("devices", "pending.json", request.to_string());
    };
    let first = "0c000000-1111-4111-8111-000000000001";
    ask(&session, first, json!(["camera.snap"]));
    session.person("devices approve");
    session.person("devices approve 0c00");
    let wider = "0c000000-2222-4222-8222-000000000002";
    let hostile = "x), operator (admin\u{202e}";
    ask(
        &session,
        wider,
        json!(["camera.snap", "system.run", hostile]),
    );
    session.person("devices list");
    session.person("devices approve");
    session.pipe("devices list --json");
    session.person("devices approve 0c00 --commands camera.snap,system.rum");
    session.person("devices approve 0c00");
    ask(&session, wider, json!("system.run"));
    session.person("devices approve");
    let chosen = "0c000000-3333-4333-8333-000000000003";
    ask(
        &session,
        chosen,
        json!(["camera.snap", "terminal.open", "file.read", "system.notify"]),
    );
    session.person("devices approve");
    session.person("devices approve 0c00 --commands system.notify,file.read");
    session.finish("devices-commands");
}

#[test]
fn nothing_shows_a_token() {
    let session = Session::recorded_devices();
    let stored = fs::read_to_string(session.state().join("devices/paired.json")).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let devices = stored.as_object().unwrap().values();
    let tokens = devices.flat_map(|device| device["tokens"].as_object().unwrap().values());
    let tokens: Vec<_> = tokens.map(|t| t["token"].as_str().unwrap()).collect();
    assert!(!tokens.is_empty());
    for args in [
        &["devices", "list", "--json"][..],
        &["devices", "list"],
        &["nodes", "status", "--json"],
        &["devices", "rename", "8110", "Other", "--json"],
        &[
            "devices", "rotate", "--device", "8110", "--role", "node", "--json",
        ],
        &["devices", "remove", "8110", "--json"],
    ] {
        let ran = session.run(args);
        assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
        let shown = ran.stdout + &ran.stderr;
        assert!(!shown.contains("sha256:"), "{args:?}");
        assert!(
            tokens.iter().all(|token| !shown.contains(token)),
            "{args:?}"
        );
    }
}

#[test]
fn t70_hostile_names_stay_intact_in_json() {
    let session = asking();
    let ran = session.run(&["devices", "list", "--json"]);
    let read: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        read["pending"][0]["displayName"],
        "\u{1b}[2J\u{202e}evil\nerror: x"
    );
    let harmless = |c: char| c == '\n' || !c.is_control();
    assert!(ran.stdout.chars().all(harmless), "{:?}", ran.stdout);
}

#[test]
fn files_that_cannot_be_read() {
    let mut session = Session::recorded_devices();
    session.write_in("devices", "pending.json", "{");
    session.person("devices list");
    session.person("devices approve");
    session.person("devices remove Phone");
    session.write_in(
        "devices",
        "pending.json",
        r#"{ "x": { "requestId": "y" } }"#,
    );
    session.person("devices approve");
    session.finish("devices-unreadable");
}
