use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn parsed(kind: &str, data: &Value) -> Event {
    let text = json!({ "op": 0, "s": 7, "t": kind, "d": data }).to_string();
    match parse(&text) {
        Some(Payload::Event { seq: 7, event }) => event,
        other => panic!("{other:?}"),
    }
}

fn said(changes: &Value) -> Option<Inbound> {
    let mut data = json!({
        "id": "175928847299117063", "channel_id": "20", "type": 0, "content": "hello", "tts": false,
        "author": { "id": "30", "username": "ann", "global_name": "Ann", "discriminator": "0" },
        "attachments": [], "embeds": [],
    });
    for (name, value) in changes.as_object().unwrap() {
        data[name] = value.clone();
    }
    match parsed("MESSAGE_CREATE", &data) {
        Event::Message(message) => message.inbound(&Id::parse("1").unwrap(), false, now()),
        Event::Other => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_person_says() {
    let inbound = said(&json!({})).unwrap();
    assert_eq!(inbound.sender, "30");
    assert_eq!(inbound.chat, Target::chat("20"));
    assert_eq!((inbound.text.as_str(), inbound.is_direct), ("hello", true));
    assert_eq!(inbound.at, Timestamp::from_millis(1_462_015_105_796));
    assert!(inbound.authenticated && !inbound.historical && !inbound.from_bot);
    let names = [("username", "ann"), ("globalName", "Ann")];
    assert_eq!(inbound.meta, names.map(|(a, b)| (a.into(), b.into())));
    // An answer, and something without words.
    assert!(said(&json!({ "type": 19 })).is_some());
    assert!(said(&json!({ "content": "", "attachments": [{}] })).is_some());
}

#[test]
fn t54_a_server_is_not_a_direct_chat() {
    assert!(!said(&json!({ "guild_id": "5" })).unwrap().is_direct);
    assert!(!said(&json!({ "guild_id": 5 })).unwrap().is_direct);
    // Nor is a group of people without a server.
    assert!(!said(&json!({ "channel_type": 3 })).unwrap().is_direct);
    assert!(said(&json!({ "channel_type": 1 })).unwrap().is_direct);
}

#[test]
fn t64_what_no_person_says() {
    for changes in [
        json!({ "author": { "id": "1", "username": "the bot itself" } }),
        json!({ "author": { "id": "30", "bot": true } }),
        json!({ "author": { "id": "30", "system": true } }),
        json!({ "webhook_id": "9" }),
        json!({ "type": 7 }),
        json!({ "type": 6 }),
        json!({ "message_reference": { "type": 1, "message_id": "4" } }),
        json!({ "author": null }),
        json!({ "author": {} }),
        json!({ "id": 175_928_847_299_117_063_u64 }),
        json!({ "author": { "id": 30 } }),
        json!({ "author": { "id": "30 " } }),
        json!({ "channel_id": "x" }),
        json!({ "content": 7 }),
    ] {
        assert!(said(&changes).is_none(), "{changes}");
    }
}

#[test]
fn ids_beyond_64_bits_stay_what_they_are() {
    let id = "99999999999999999999999999";
    let inbound = said(&json!({ "id": id, "author": { "id": id } })).unwrap();
    assert_eq!((inbound.id.as_str(), inbound.sender.as_str()), (id, id));
    assert_eq!(inbound.at, now());
}

#[test]
fn long_texts_are_handed_on_whole_and_endless_ones_cut() {
    let text = "ä".repeat(50_000);
    assert_eq!(said(&json!({ "content": text })).unwrap().text, text);
    let endless = format!("x{}", "ä".repeat(1_000_000));
    let author = json!({ "id": "30", "username": endless });
    let inbound = said(&json!({ "content": endless, "author": author })).unwrap();
    assert_eq!(inbound.text.len(), LONGEST_TEXT - 1);
    assert!(inbound.meta[0].1.len() <= LONGEST_PERSON);
}

#[test]
fn another_bot_where_that_is_allowed() {
    let message = json!({
        "id": "4", "channel_id": "20", "content": "beep", "author": { "id": "30", "bot": true },
    });
    let Event::Message(message) = parsed("MESSAGE_CREATE", &message) else {
        panic!("no message");
    };
    let inbound = message
        .inbound(&Id::parse("1").unwrap(), true, now())
        .unwrap();
    assert!(!inbound.from_bot);
}

fn interaction(changes: &Value) -> Option<Interaction> {
    let mut data = json!({
        "id": "40", "application_id": "2", "type": 3, "token": "aW50ZXJh.Y3Rpb24", "version": 1,
        "channel_id": "20", "user": { "id": "30", "username": "ann" },
        "data": { "component_type": 2, "custom_id": "a:1" },
        "message": { "id": "50", "flags": 0 },
    });
    for (name, value) in changes.as_object().unwrap() {
        data[name] = value.clone();
    }
    match parsed("INTERACTION_CREATE", &data) {
        Event::Interaction(interaction) => Some(interaction),
        Event::Other => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_button() {
    let pressed = interaction(&json!({})).unwrap();
    let Kind::Button {
        message,
        is_ephemeral: false,
        data,
    } = &pressed.kind
    else {
        panic!("{pressed:?}");
    };
    let pressed = pressed.pressed(message, data).unwrap();
    assert_eq!(
        (pressed.sender.as_str(), pressed.data.as_str()),
        ("30", "a:1")
    );
    assert_eq!(
        (pressed.message.0.as_str(), pressed.chat),
        ("50", Target::chat("20"))
    );
    let private = interaction(&json!({ "message": { "id": "50", "flags": 64 } })).unwrap();
    assert!(matches!(
        private.kind,
        Kind::Button {
            is_ephemeral: true,
            ..
        }
    ));
}

#[test]
fn a_command_is_what_would_be_typed() {
    let text = |data: Value| match interaction(&json!({ "type": 2, "data": data }))?.kind {
        Kind::Command { text } => Some(text),
        Kind::Button { .. } => panic!("a button"),
    };
    assert_eq!(text(json!({ "name": "pair", "type": 1 })).unwrap(), "/pair");
    let approve = json!({ "name": "pair", "type": 1, "options": [
        { "name": "what", "type": 3, "value": " approve 9GHV " },
        { "name": "count", "type": 4, "value": 7 },
    ] });
    assert_eq!(text(approve).unwrap(), "/pair approve 9GHV");
    // About a person or a message, and far too long.
    assert!(text(json!({ "name": "pair", "type": 2 })).is_none());
    let long = json!([{ "name": "what", "type": 3, "value": "x".repeat(300) }]);
    assert!(text(json!({ "name": "pair", "options": long })).is_none());
}

#[test]
fn a_command_in_a_server_is_not_direct_and_names_its_member() {
    let member = json!({ "type": 2, "guild_id": "5", "user": null, "member": { "user": { "id": "31" } },
        "data": { "name": "pair" } });
    let inbound = interaction(&member)
        .unwrap()
        .inbound("/pair", now())
        .unwrap();
    assert_eq!((inbound.sender.as_str(), inbound.is_direct), ("31", false));
}

#[test]
fn interactions_that_are_passed_over() {
    for changes in [
        json!({ "type": 1 }),
        json!({ "type": 4 }),
        json!({ "type": 5 }),
        json!({ "token": "" }),
        json!({ "token": "../../users/@me" }),
        json!({ "token": "x y" }),
        json!({ "token": "x".repeat(2000) }),
        json!({ "user": null }),
        json!({ "channel_id": null }),
        json!({ "message": null }),
        json!({ "data": { "component_type": 3, "custom_id": "x" } }),
        json!({ "data": { "component_type": 2, "custom_id": "x".repeat(101) } }),
        json!({ "data": null }),
    ] {
        assert!(interaction(&changes).is_none(), "{changes}");
    }
}

#[test]
fn what_the_gateway_says_of_the_connection() {
    let is = |text: &str, expected: &str| {
        let found = format!("{:?}", parse(text));
        assert!(found.contains(expected), "{text}: {found}");
    };
    is(r#"{"op":10,"d":{"heartbeat_interval":41250}}"#, "41.25s");
    // Bounded on both sides.
    is(r#"{"op":10,"d":{"heartbeat_interval":0}}"#, "20ms");
    is(r#"{"op":10,"d":{"heartbeat_interval":1e15}}"#, "600s");
    is(r#"{"op":10,"d":{"heartbeat_interval":-1}}"#, "None");
    is(r#"{"op":10}"#, "None");
    is(r#"{"op":11}"#, "Acknowledged");
    is(r#"{"op":1,"d":null}"#, "HeartbeatWanted");
    is(r#"{"op":7,"d":null}"#, "Reconnect");
    is(r#"{"op":9,"d":true}"#, "may_resume: true");
    is(r#"{"op":9,"d":false}"#, "may_resume: false");
    is(r#"{"op":9}"#, "may_resume: false");
    is(r#"{"op":200}"#, "Other");
    is(r#"{"op":0,"s":1,"t":"GUILD_CREATE","d":{}}"#, "Other");
    is(r#"{"op":0,"s":1,"t":"RESUMED","d":null}"#, "Resumed");
    is(r#"{"op":0,"s":1,"t":"RE\u0053UMED"}"#, "Resumed");
    for none in [
        "",
        "{",
        "[]",
        r#"{"op":"0"}"#,
        r#"{"op":300}"#,
        r#"{"op":0,"t":"RESUMED","d":{}}"#,
        r#"{"op":0,"s":-1,"t":"RESUMED","d":{}}"#,
        r#"{"op":0,"s":1,"d":{}}"#,
    ] {
        is(none, "None");
    }
    is(
        &format!(r#"{{"op":0,"s":1,"t":"X","d":{}}}"#, "[".repeat(100_000)),
        "None",
    );
}

#[test]
fn a_session_that_begins() {
    let ready = json!({
        "v": 10, "session_id": "abc", "resume_gateway_url": "wss://gateway-us-east1-b.discord.gg",
        "user": { "id": "1", "username": "bot" }, "application": { "id": "2", "flags": 0 }, "guilds": [],
    });
    let Event::Ready(found) = parsed("READY", &ready) else {
        panic!("no session");
    };
    assert_eq!((found.session.as_str(), found.me.as_str()), ("abc", "1"));
    for name in ["session_id", "resume_gateway_url", "user", "application"] {
        let mut lacking = ready.clone();
        lacking[name] = Value::Null;
        assert!(matches!(parsed("READY", &lacking), Event::Other), "{name}");
    }
}
