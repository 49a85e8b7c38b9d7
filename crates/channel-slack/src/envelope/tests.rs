use channel_kit::Inbound;
use pairing_core::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::id::Id;

fn me() -> Me {
    Me {
        user: Id::parse("UME").unwrap(),
        bot: Id::parse("BME"),
        home: Home {
            team: Id::parse("T1"),
            enterprise: None,
        },
    }
}

fn content(kind: &str, payload: &Value) -> Content {
    let text = json!({ "envelope_id": "e-1", "type": kind, "payload": payload }).to_string();
    match parse(&text) {
        Some(Frame::Envelope(envelope)) if &*envelope.id == "e-1" => envelope.content,
        other => panic!("{other:?}"),
    }
}

fn said_to(changes: &Value, allows_bots: bool) -> Option<Inbound> {
    let mut event = json!({
        "type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "text": "a &lt; b",
        "ts": "1355517523.000005", "event_ts": "1355517523.000005", "team": "T1", "blocks": [],
    });
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    let payload = json!({ "type": "event_callback", "event_id": "Ev1", "event": event });
    match content("events_api", &payload) {
        Content::Message(id, message) => {
            assert_eq!(&*id, "Ev1");
            message.inbound(&me(), allows_bots, Timestamp::from_millis(1))
        }
        Content::Other => None,
        other => panic!("{other:?}"),
    }
}

fn said(changes: &Value) -> Option<Inbound> {
    said_to(changes, false)
}

#[test]
fn what_a_person_says() {
    let inbound = said(&json!({})).unwrap();
    assert_eq!(
        (inbound.sender.as_str(), inbound.text.as_str()),
        ("U1", "a < b")
    );
    assert_eq!(inbound.id, "1355517523.000005");
    assert_eq!(inbound.at, Timestamp::from_millis(1_355_517_523_000));
    assert!(inbound.is_direct && inbound.authenticated && !inbound.historical);
    assert_eq!(inbound.chat.chat, "D1");
    assert_eq!(inbound.chat.thread, None);
    for subtype in ["file_share", "thread_broadcast"] {
        assert!(said(&json!({ "subtype": subtype })).is_some());
    }
    let threaded = said(&json!({ "thread_ts": "1355517000.000001" })).unwrap();
    assert_eq!(threaded.chat.thread.as_deref(), Some("1355517000.000001"));
    // The first of a thread is not in it.
    let first = said(&json!({ "thread_ts": "1355517523.000005" })).unwrap();
    assert_eq!(first.chat.thread, None);
}

#[test]
fn t54_a_channel_and_a_group_are_no_direct_chats() {
    for kind in ["channel", "group", "mpim", "app_home", ""] {
        assert!(
            !said(&json!({ "channel_type": kind })).unwrap().is_direct,
            "{kind}"
        );
    }
    assert!(!said(&json!({ "channel_type": null })).unwrap().is_direct);
}

#[test]
fn t64_what_no_person_says() {
    for changes in [
        json!({ "user": "UME" }),
        json!({ "bot_id": "B1" }),
        json!({ "subtype": "bot_message", "user": null, "bot_id": "B1" }),
        json!({ "subtype": "message_changed", "message": { "user": "U1", "text": "x" } }),
        json!({ "subtype": "message_deleted" }),
        json!({ "subtype": "channel_join" }),
        json!({ "subtype": "something_new" }),
        json!({ "subtype": "" }),
        json!({ "hidden": true }),
        json!({ "user": null }),
        json!({ "user": 7 }),
        json!({ "user": "U1 " }),
        json!({ "user": "USLACKBOT" }),
        json!({ "type": "reaction_added" }),
        json!({ "channel": "" }),
        json!({ "ts": "x" }),
        json!({ "text": 7 }),
    ] {
        assert!(said(&changes).is_none(), "{changes}");
    }
}

#[test]
fn another_bot_where_that_is_allowed_and_never_the_own() {
    assert!(said_to(&json!({ "bot_id": "B1" }), true).is_some());
    assert!(said_to(&json!({ "bot_id": "BME" }), true).is_none());
    assert!(said_to(&json!({ "bot_id": "B1", "user": null }), true).is_none());
}

#[test]
fn long_texts_are_handed_on_whole_and_endless_ones_cut() {
    let text = "ä".repeat(50_000);
    assert_eq!(said(&json!({ "text": text })).unwrap().text, text);
    let endless = format!("x{}", "ä".repeat(1_000_000));
    assert_eq!(
        said(&json!({ "text": endless })).unwrap().text.len(),
        LONGEST_TEXT - 1
    );
}

fn pressed(changes: &Value) -> Option<channel_kit::Pressed> {
    let mut payload = json!({
        "type": "block_actions", "user": { "id": "U1", "username": "ann", "team_id": "T1" },
        "container": { "type": "message", "message_ts": "1.2", "channel_id": "D1", "is_ephemeral": false },
        "trigger_id": "1.2.3", "response_url": "https://evil.example/",
        "actions": [{ "type": "button", "action_id": "x", "block_id": "y", "value": "a:1" }],
    });
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    match content("interactive", &payload) {
        Content::Pressed(press) => press.pressed(&me()),
        Content::Other => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_button() {
    let found = pressed(&json!({})).unwrap();
    assert_eq!((found.sender.as_str(), found.data.as_str()), ("U1", "a:1"));
    assert_eq!(
        (found.message.0.as_str(), found.chat.chat.as_str()),
        ("1.2", "D1")
    );
    let button = json!({ "type": "button", "value": "a:1" });
    for changes in [
        json!({ "type": "view_submission" }),
        json!({ "user": null }),
        json!({ "container": { "type": "view", "view_id": "V1" } }),
        json!({ "container": { "type": "message", "message_ts": "x", "channel_id": "D1" } }),
        json!({ "actions": [] }),
        json!({ "actions": [button, button] }),
        json!({ "actions": [{ "type": "button" }] }),
        json!({ "actions": [{ "type": "overflow", "value": "a:1" }] }),
        json!({ "actions": [{ "type": "button", "value": "x".repeat(2001) }] }),
    ] {
        assert!(pressed(&changes).is_none(), "{changes}");
    }
}

fn given(changes: &Value) -> Option<Inbound> {
    let mut payload = json!({
        "command": "/pair", "text": " approve  9GHV ", "user_id": "U1", "user_name": "ann",
        "channel_id": "D1", "channel_name": "directmessage", "response_url": "https://evil.example/",
    });
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    match content("slash_commands", &payload) {
        Content::Command(command) => Some(command.inbound("e-1", Timestamp::from_millis(1))),
        Content::Other => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_is_what_was_typed() {
    let inbound = given(&json!({})).unwrap();
    assert_eq!(
        (inbound.text.as_str(), inbound.sender.as_str()),
        ("/pair approve  9GHV", "U1")
    );
    assert!(inbound.is_direct);
    assert_eq!(inbound.meta, [("username".to_owned(), "ann".to_owned())]);
    assert_eq!(given(&json!({ "text": null })).unwrap().text, "/pair");
    assert!(!given(&json!({ "channel_id": "C1" })).unwrap().is_direct);
    for changes in [
        json!({ "command": "pair" }),
        json!({ "command": null }),
        json!({ "user_id": "" }),
        json!({ "channel_id": null }),
        json!({ "text": "x".repeat(1001) }),
    ] {
        assert!(given(&changes).is_none(), "{changes}");
    }
}

#[test]
fn what_is_said_of_the_connection() {
    let is = |text: &str, expected: &str| {
        let found = format!("{:?}", parse(text));
        assert!(found.contains(expected), "{text}: {found}");
    };
    is(r#"{"type":"hello","num_connections":1}"#, "Hello");
    is(r#"{"type":"disconnect","reason":"warning"}"#, "Replaced");
    is(
        r#"{"type":"disconnect","reason":"refresh_requested"}"#,
        "Replaced",
    );
    is(r#"{"type":"disconnect"}"#, "Replaced");
    is(
        r#"{"type":"disconnect","reason":"link_disabled"}"#,
        "LinkDisabled",
    );
    is(r#"{"type":"something_new"}"#, "Other");
    is("{}", "Other");
    // It is acknowledged, whatever is in it.
    is(r#"{"envelope_id":"x"}"#, "Envelope");
    is(
        r#"{"envelope_id":"x","type":"events_api","payload":7}"#,
        "Envelope",
    );
    is(
        r#"{"envelope_id":"x","type":"new","payload":{}}"#,
        "content: Other",
    );
    for none in [
        "",
        "{",
        "7",
        r#"{"type":7}"#,
        r#"{"envelope_id":""}"#,
        r#"{"envelope_id":7}"#,
    ] {
        is(none, "None");
    }
    is(
        &format!(r#"{{"envelope_id":"{}"}}"#, "x".repeat(300)),
        "None",
    );
}
