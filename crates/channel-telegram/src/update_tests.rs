use serde_json::{Value, json};

use super::*;

fn context() -> Context {
    Context {
        me: 7,
        since: Timestamp::from_millis(1_000_000),
    }
}

fn parsed(updates: &Value) -> Vec<Update> {
    parse(&updates.to_string(), context()).unwrap()
}

fn message(more: Value) -> Value {
    let mut message = json!({
        "message_id": 3, "date": 1000, "text": "hello",
        "from": { "id": 555, "is_bot": false, "first_name": "Zoë", "username": "zoe" },
        "chat": { "id": 555, "type": "private" },
    });
    let Value::Object(more) = more else { panic!() };
    for (name, value) in more {
        if value == json!("absent") {
            message.as_object_mut().unwrap().remove(&name);
        } else {
            message[name] = value;
        }
    }
    json!([{ "update_id": 1, "message": message }])
}

fn inbound(more: Value) -> Option<Inbound> {
    match parsed(&message(more)).pop().unwrap().what {
        Some(Incoming::Message(inbound)) => Some(inbound),
        None => None,
        Some(Incoming::Pressed(pressed)) => panic!("{pressed:?}"),
    }
}

#[test]
fn a_message_of_a_person() {
    let said = inbound(json!({})).unwrap();
    assert_eq!((said.id.as_str(), said.sender.as_str()), ("3", "555"));
    assert_eq!((said.chat.chat.as_str(), &said.chat.thread), ("555", &None));
    assert_eq!(said.text, "hello");
    assert_eq!(said.at, Timestamp::from_millis(1_000_000));
    assert!(said.is_direct && said.authenticated);
    assert!(!said.from_me && !said.from_bot && !said.historical);
    let names = [("username", "zoe"), ("firstName", "Zoë")];
    assert_eq!(said.meta, names.map(|(n, v)| (n.to_owned(), v.to_owned())));
}

#[test]
fn said_to_one_only_where_the_chat_is_private() {
    for kind in ["group", "supergroup", "channel", "", "Private", "new kind"] {
        let chat = json!({ "chat": { "id": -100, "type": kind } });
        let said = inbound(chat).unwrap();
        assert!(!said.is_direct, "{kind}");
        assert_eq!(said.chat.chat, "-100");
    }
    assert!(!inbound(json!({ "chat": { "id": 555 } })).unwrap().is_direct);
}

#[test]
fn who_is_no_person_is_told() {
    let bot = inbound(json!({ "from": { "id": 8, "is_bot": true } })).unwrap();
    assert!(bot.from_bot && !bot.from_me);
    let me = inbound(json!({ "from": { "id": 7, "is_bot": true } })).unwrap();
    assert!(me.from_me);
    let anonymous = inbound(json!({ "sender_chat": { "id": -100 } })).unwrap();
    assert!(!anonymous.authenticated);
    assert!(inbound(json!({ "from": "absent" })).is_none());
}

#[test]
fn what_was_said_before_is_history() {
    assert!(inbound(json!({ "date": 999 })).unwrap().historical);
    assert!(!inbound(json!({ "date": "absent" })).unwrap().historical);
    assert!(!inbound(json!({ "date": i64::MAX })).unwrap().historical);
}

#[test]
fn t114_a_text_that_another_bot_made_is_marked() {
    let made = inbound(json!({ "via_bot": { "id": 9, "is_bot": true, "first_name": "gif" } }));
    assert!(made.unwrap().via_bot);
    assert!(!inbound(json!({})).unwrap().via_bot);
}

#[test]
fn a_forward_is_nobodys_speech() {
    for mark in [
        json!({ "forward_origin": { "type": "user", "sender_user": { "id": 1 } } }),
        json!({ "forward_origin": { "type": "hidden_user" } }),
        json!({ "forward_date": 5 }),
        json!({ "forward_from": { "id": 1 } }),
        json!({ "forward_sender_name": "Ann" }),
        json!({ "is_automatic_forward": true }),
    ] {
        assert!(inbound(mark.clone()).is_none(), "{mark}");
    }
}

#[test]
fn edits_and_channels_and_what_nobody_knows_are_passed_over_with_their_ids() {
    let body = &message(json!({}))[0]["message"];
    for kind in [
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_message",
        "my_chat_member",
        "something_new",
    ] {
        let updates = parsed(&json!([{ "update_id": 4, kind: body }]));
        assert_eq!(updates.len(), 1);
        assert_eq!(updates[0].id, 4);
        assert!(updates[0].what.is_none() && updates[0].query.is_none());
    }
}

#[test]
fn words_or_something_else_that_was_sent() {
    let caption = json!({ "text": "absent", "caption": "look", "photo": [] });
    assert_eq!(inbound(caption).unwrap().text, "look");
    let sticker = json!({ "text": "absent", "sticker": { "emoji": "x" } });
    assert_eq!(inbound(sticker).unwrap().text, "");
    // What is about the chat.
    for about in ["new_chat_members", "pinned_message", "group_chat_created"] {
        assert!(inbound(json!({ "text": "absent", about: [] })).is_none());
    }
}

#[test]
fn a_thread_is_one_only_in_a_forum() {
    let topic = json!({ "message_thread_id": 12, "is_topic_message": true });
    assert_eq!(inbound(topic).unwrap().chat.thread.as_deref(), Some("12"));
    let reply = json!({ "message_thread_id": 12 });
    assert_eq!(inbound(reply).unwrap().chat.thread, None);
}

#[test]
fn ids_are_exact_however_large() {
    for id in [
        json!((1_u64 << 53) + 1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(-1),
        json!(i64::MIN),
    ] {
        let said = inbound(json!({ "from": { "id": id }, "chat": { "id": id } })).unwrap();
        assert_eq!(said.sender, id.to_string());
        assert_eq!(said.chat.chat, id.to_string());
    }
    for id in ["1e3", "1.0", "18446744073709551616", "\"5\"", "null", "[5]"] {
        let text = message(json!({})).to_string().replace("555", id);
        let updates = parse(&text, context()).unwrap();
        assert_eq!(updates[0].id, 1);
        assert!(updates[0].what.is_none(), "{id}");
    }
}

#[test]
fn a_button() {
    let query = json!({
        "id": "q1", "from": { "id": 555, "is_bot": false }, "data": "yes",
        "message": { "message_id": 9, "date": 0, "chat": { "id": 555, "type": "private" } },
    });
    let update = parsed(&json!([{ "update_id": 2, "callback_query": query }])).pop();
    let update = update.unwrap();
    assert_eq!(update.query.as_deref(), Some("q1"));
    let Some(Incoming::Pressed(pressed)) = update.what else {
        panic!()
    };
    assert_eq!(
        (pressed.sender.as_str(), pressed.data.as_str()),
        ("555", "yes")
    );
    assert_eq!(pressed.message, MessageId("9".to_owned()));
    assert_eq!(pressed.chat.chat, "555");
}

#[test]
fn a_button_of_which_little_is_left_is_still_answered() {
    for query in [
        json!({ "id": "q1", "from": { "id": 5 }, "data": "yes", "inline_message_id": "x" }),
        json!({ "id": "q1", "from": { "id": 5 }, "game_short_name": "x" }),
        json!({ "id": "q1" }),
    ] {
        let update = parsed(&json!([{ "update_id": 2, "callback_query": query }])).pop();
        let update = update.unwrap();
        assert!(update.what.is_none());
        assert_eq!(update.query.as_deref(), Some("q1"));
    }
}

#[test]
fn one_that_is_broken_does_not_hide_the_others() {
    let mut updates = message(json!({}));
    let list = updates.as_array_mut().unwrap();
    list[0]["update_id"] = 8.into();
    list.push(json!({ "update_id": 6, "message": { "text": 5 } }));
    list.push(json!({ "update_id": "x" }));
    list.push(json!(null));
    list.push(json!({ "update_id": 7, "message": [] }));
    let found = parsed(&updates);
    let ids: Vec<_> = found.iter().map(|update| update.id).collect();
    assert_eq!(ids, [6, 7, 8]);
    assert!(found[2].what.is_some());
}

#[test]
fn no_list_of_updates() {
    for text in [
        "",
        "{}",
        "null",
        "[",
        "[null]",
        "[{}]",
        "true",
        "[{\"update_id\":1e99}]",
    ] {
        assert_eq!(parse(text, context()).unwrap_err(), Malformed, "{text}");
    }
    assert!(parse("[]", context()).unwrap().is_empty());
    let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(&deep, context()).unwrap_err(), Malformed);
}

#[test]
fn long_and_hostile_texts_come_through_as_they_are() {
    let text = "\u{202e}\u{1b}[31m\0x".repeat(20_000);
    assert_eq!(inbound(json!({ "text": text })).unwrap().text, text);
}
