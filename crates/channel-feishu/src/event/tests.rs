use pairing_core::Timestamp;
use serde_json::{Value, json};

use super::*;

fn event(kind: &str, event: &Value) -> Vec<u8> {
    let header = json!({ "event_id": "e1", "event_type": kind, "app_id": "cli_1" });
    json!({ "schema": "2.0", "header": header, "event": event })
        .to_string()
        .into_bytes()
}

fn said(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut said = json!({
        "sender": {
            "sender_id": { "open_id": "ou_ann", "union_id": "on_ann", "user_id": "ou_bob" },
            "sender_type": "user", "tenant_key": "t",
        },
        "message": {
            "message_id": "om_1", "chat_id": "oc_1", "chat_type": "p2p", "message_type": "text",
            "create_time": "1795353726325", "content": "{\"text\":\"hello\"}",
        },
    });
    change(&mut said);
    event("im.message.receive_v1", &said)
}

fn inbound(payload: &[u8]) -> Option<channel_kit::Inbound> {
    match parse(payload)?.content {
        Content::Message(message) => message.inbound(Timestamp::from_millis(7)),
        Content::Pressed(press) => panic!("{press:?}"),
    }
}

fn text_of(kind: &str, content: &Value, mentions: Value) -> String {
    let payload = said(|said| {
        said["message"]["message_type"] = kind.into();
        said["message"]["content"] = content.to_string().into();
        said["message"]["mentions"] = mentions;
    });
    inbound(&payload).unwrap().text
}

#[test]
fn a_message_of_a_person() {
    let inbound = inbound(&said(|_| {})).unwrap();
    assert_eq!(
        (inbound.sender.as_str(), inbound.id.as_str()),
        ("ou_ann", "om_1")
    );
    // An id that administrators choose is none by which somebody is known.
    assert_eq!(inbound.also, ["on_ann"]);
    assert_eq!(
        (inbound.chat.chat.as_str(), inbound.is_direct),
        ("ou_ann", true)
    );
    assert_eq!(inbound.at, Timestamp::from_millis(1_795_353_726_325));
    assert_eq!(inbound.text, "hello");
}

#[test]
fn t64_groups_are_not_direct_and_bots_are_not_heard() {
    for kind in ["group", "topic_group", "", "P2P"] {
        let inbound = inbound(&said(|said| said["message"]["chat_type"] = kind.into())).unwrap();
        assert_eq!(
            (inbound.chat.chat.as_str(), inbound.is_direct),
            ("oc_1", false)
        );
    }
    for kind in ["app", "anonymous", "unknown", ""] {
        let payload = said(|said| said["sender"]["sender_type"] = kind.into());
        assert!(inbound(&payload).is_none(), "{kind}");
    }
    for id in [
        json!(null),
        json!(""),
        json!("on_ann"),
        json!("ou_a b"),
        json!(7),
    ] {
        let payload = said(|said| said["sender"]["sender_id"]["open_id"] = id.clone());
        assert!(parse(&payload).is_none(), "{id}");
    }
}

#[test]
fn words_of_every_kind_of_message() {
    let mentions = json!([
        { "key": "@_user_1", "name": "Tom", "id": { "open_id": "ou_tom" } },
        { "key": "@_user_10", "name": "@_user_1", "id": { "open_id": "ou_x" } },
        { "key": "", "name": "evil" },
    ]);
    let content = json!({ "text": "@_user_1 @_user_10 @_user_2 @_all" });
    assert_eq!(
        text_of("text", &content, mentions),
        "@Tom @@_user_1 @_user_2 @_all"
    );
    let content = json!({ "title": "T", "content": [
        [{ "tag": "text", "text": "a " }, { "tag": "a", "text": "bank", "href": "https://evil.example" }],
        [{ "tag": "a", "text": "https://x.example", "href": "https://x.example" }, { "tag": "at", "user_name": "Tom" }],
        [{ "tag": "img", "image_key": "img_1" }],
    ] });
    let expected = "T\na bank (https://evil.example)\nhttps://x.example@Tom\n";
    assert_eq!(text_of("post", &content, json!(null)), expected);
    for kind in [
        "image",
        "file",
        "audio",
        "sticker",
        "share_chat",
        "something_new",
    ] {
        assert_eq!(
            text_of(kind, &json!({ "image_key": "img_1" }), json!(null)),
            "",
            "{kind}"
        );
    }
    // Bounded.
    let content = json!({ "text": "@_user_1".repeat(40_000) });
    let mentions = json!([{ "key": "@_user_1", "name": "x".repeat(1000) }]);
    assert!(text_of("text", &content, mentions).len() <= LONGEST_TEXT);
}

#[test]
fn what_is_no_event_or_not_asked_for() {
    let long = "e".repeat(300);
    let wrong = [
        json!(null),
        json!([1]),
        json!({ "schema": "2.0" }),
        json!({ "header": { "event_id": "", "event_type": "im.message.receive_v1" }, "event": {} }),
        json!({ "header": { "event_id": long, "event_type": "im.message.receive_v1" }, "event": {} }),
        json!({ "header": { "event_id": "1", "event_type": "im.message.receive_v1" }, "event": 7 }),
        json!({ "header": { "event_id": "1", "event_type": "im.chat.updated_v1" }, "event": {} }),
    ];
    for wrong in wrong {
        assert!(parse(wrong.to_string().as_bytes()).is_none(), "{wrong}");
    }
    for wrong in [&b""[..], b"{", b"\xff\xfe", b"[[[["] {
        assert!(parse(wrong).is_none());
    }
    for content in ["", "{", "7", "{\"text\":7}"] {
        assert!(parse(&said(|said| said["message"]["content"] = content.into())).is_none());
    }
}

#[test]
fn a_button_where_it_was_put_and_nowhere_else() {
    let press = |chat: &str, tag: &str| {
        let payload = event(
            "card.action.trigger",
            &json!({
                "operator": { "open_id": "ou_ann", "union_id": "on_ann" }, "token": "c-1", "host": "im_message",
                "action": { "tag": tag, "value": { "data": "a:1", "chat": chat } },
                "context": { "open_message_id": "om_1", "open_chat_id": "oc_1" },
            }),
        );
        match parse(&payload)?.content {
            Content::Pressed(press) => Some(press.pressed()),
            Content::Message(message) => panic!("{message:?}"),
        }
    };
    let direct = press("ou_ann", "button").unwrap();
    assert_eq!(
        (direct.sender.as_str(), direct.data.as_str()),
        ("ou_ann", "a:1")
    );
    assert_eq!(
        (direct.message.0.as_str(), direct.chat.chat.as_str()),
        ("card:om_1", "ou_ann")
    );
    assert_eq!(press("oc_1", "button").unwrap().chat.chat, "oc_1");
    for (chat, tag) in [
        ("ou_bob", "button"),
        ("oc_2", "button"),
        ("", "button"),
        ("ou_ann", "input"),
    ] {
        assert!(press(chat, tag).is_none(), "{chat} {tag}");
    }
}
