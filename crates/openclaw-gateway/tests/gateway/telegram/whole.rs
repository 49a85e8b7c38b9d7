//! The whole way, as people go it: a gateway that its configuration makes, a bot, a stranger, a phone.

use gateway_client::ClientEvent;
use gateway_protocol::event::Decision;
use pairing_core::device::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{BOT_TOKEN, BotApi};
use crate::bots::{Phone, code_in, configure, start};

const OWNER: i64 = 1000;
const STRANGER: i64 = 2000;

/// The state directory of an owner with a bot.
fn install(api: &BotApi, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let settings = json!({ "botToken": BOT_TOKEN, "apiRoot": api.root() });
    configure(&dir, ("telegram", &settings), OWNER, notify);
    dir
}

/// The next text that somebody is sent.
async fn sent_to(api: &BotApi, whom: i64) -> String {
    loop {
        let (to, text) = api.sent().await;
        if to == whom {
            return text;
        }
    }
}

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in() {
    let api = BotApi::start().await;
    let dir = install(&api, false);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;

    // A stranger gets a code, and nothing of theirs goes further.
    api.says(STRANGER, "let me in");
    let (to, reply) = api.sent().await;
    assert_eq!(to, STRANGER);
    let approve = json!({ "channel": "telegram", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    api.says(STRANGER, "now?");
    let heard = loop {
        match events.next().await.expect("the gateway goes on") {
            ClientEvent::Other { event, payload } if event == "message.inbound" => break payload,
            _ => {}
        }
    };
    assert_eq!(heard["text"], "now?");

    // The owner gets a setup code, alone in its message.
    api.says(OWNER, "/pair");
    assert_eq!(api.sent().await.0, OWNER);
    let (to, code) = api.sent().await;
    assert_eq!(to, OWNER);

    // The phone asks with it, the owner approves in the same chat, and the phone is in.
    let phone = Phone::with(&code);
    assert!(
        phone
            .connect(&gateway)
            .await
            .unwrap_err()
            .request_id()
            .is_some()
    );
    api.says(OWNER, "/pair approve");
    let (to, said) = api.sent().await;
    assert_eq!(to, OWNER);
    let (node, _events) = phone
        .connect(&gateway)
        .await
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(node.hello().auth.role, Role::Node);
    assert!(phone.tokens.0.lock().unwrap().contains_key(&Role::Node));
    gateway.stop().await;
}

#[tokio::test]
async fn every_step_survives_a_restart_before_the_next() {
    let api = BotApi::start().await;
    let dir = install(&api, false);
    let gateway = start(&dir).await;
    api.says(STRANGER, "let me in");
    let reply = sent_to(&api, STRANGER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "telegram", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    api.says(OWNER, "/pair");
    sent_to(&api, OWNER).await;
    let phone = Phone::with(&sent_to(&api, OWNER).await);
    gateway.stop().await;

    let gateway = start(&dir).await;
    assert!(
        phone
            .connect(&gateway)
            .await
            .unwrap_err()
            .request_id()
            .is_some()
    );
    gateway.stop().await;

    let gateway = start(&dir).await;
    api.says(OWNER, "/pair approve");
    sent_to(&api, OWNER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.connect(&gateway).await.unwrap();
    gateway.stop().await;
    // What was said before is not heard again: one reply for one stranger.
    assert_eq!(api.count("sendMessage"), 4);
}

#[tokio::test]
async fn a_notice_shows_what_was_decided_by_a_method_and_a_button_decides_for_all() {
    let api = BotApi::start().await;
    let dir = install(&api, true);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;

    api.says(STRANGER, "let me in");
    let notice = loop {
        let call = api.called("sendMessage").await;
        if call.params["chat_id"] == OWNER {
            break call;
        }
    };
    assert!(
        notice.params["reply_markup"].is_object(),
        "{:?}",
        notice.params
    );
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    let approve = json!({ "channel": "telegram", "code": list["requests"][0]["code"] });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
    let shown = api.called("editMessageText").await;
    let text = shown.params["text"].as_str().unwrap().to_lowercase();
    assert!(text.contains("approved"), "{text}");

    api.says(STRANGER + 1, "and me");
    let data = loop {
        let call = api.called("sendMessage").await;
        let reject = call
            .params
            .pointer("/reply_markup/inline_keyboard/0/1/callback_data");
        if let (true, Some(data)) = (call.params["chat_id"] == OWNER, reject) {
            break data.as_str().unwrap().to_owned();
        }
    };
    api.presses(OWNER, 1, &data);
    let resolved = loop {
        if let ClientEvent::DmResolved(resolved) = events.next().await.unwrap()
            && resolved.id.as_str() == (STRANGER + 1).to_string()
        {
            break resolved;
        }
    };
    assert_eq!(resolved.decision, Decision::Rejected);
    gateway.stop().await;
}
