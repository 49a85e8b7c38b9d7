//! The whole way, as people go it: a stranger, a code, an approval, a phone; by text and button.

use gateway_client::ClientEvent;
use gateway_protocol::event::Decision;
use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::feishu::Feishu;

use super::{OWNER, STRANGER, install};
use crate::bots::{Phone, code_in, heard, start};

/// Another stranger.
const SECOND: &str = "ou_second";

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in() {
    let feishu = Feishu::start().await;
    let dir = install(&feishu, false);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;
    feishu.connected().await;

    // A stranger gets a code, and nothing of theirs goes further.
    feishu.says(STRANGER, "let me in");
    let reply = feishu.sent_to(STRANGER).await.text;
    assert!(reply.contains(STRANGER), "{reply}");
    let approve = json!({ "channel": "feishu", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER);
    feishu.says(STRANGER, "now?");
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");

    // An agent answers.
    let answer = json!({
        "channel": "feishu", "to": inbound["chat"], "message": "yes, *now* <3", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(feishu.sent_to(STRANGER).await.text, "yes, *now* <3");

    // The owner gets a setup code, alone in its message; the phone asks with it, the owner approves in the same chat,
    // and the phone is in.
    feishu.says(OWNER, "/pair");
    feishu.sent_to(OWNER).await;
    let code = feishu.sent_to(OWNER).await;
    let phone = Phone::with(&code.text);
    phone.asks(&gateway).await;
    feishu.says(OWNER, "/pair approve");
    let said = feishu.sent_to(OWNER).await.text;
    let (node, _events) = phone
        .connect(&gateway)
        .await
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(node.hello().auth.role, Role::Node);
    // The used code is taken out of the chat.
    let deleted = feishu.called("delete").await;
    assert!(deleted.path.ends_with(&code.id), "{}", deleted.path);
    gateway.stop().await;
}

#[tokio::test]
async fn every_step_survives_a_restart_before_the_next() {
    let feishu = Feishu::start().await;
    let dir = install(&feishu, false);
    let gateway = start(&dir).await;
    feishu.connected().await;
    feishu.says(STRANGER, "let me in");
    let reply = feishu.sent_to(STRANGER).await.text;
    gateway.stop().await;
    feishu.left().await;

    // Said while nobody was there: Feishu sends it again.
    feishu.says(OWNER, "/pair");
    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "feishu", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER);
    feishu.sent_to(OWNER).await;
    let phone = Phone::with(&feishu.sent_to(OWNER).await.text);
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.asks(&gateway).await;
    gateway.stop().await;
    feishu.left().await;

    feishu.says(OWNER, "/pair approve");
    let gateway = start(&dir).await;
    feishu.sent_to(OWNER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.connect(&gateway).await.unwrap();
    gateway.stop().await;
    // What was said before is not heard again.
    assert_eq!(feishu.count_sent(), 4);
}

#[tokio::test]
async fn a_notice_shows_what_was_decided_by_a_method_and_a_button_decides_for_all() {
    let feishu = Feishu::start().await;
    let dir = install(&feishu, true);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;
    feishu.connected().await;

    // The owner has never written.
    feishu.says(STRANGER, "let me in");
    let notice = feishu.sent_to(OWNER).await;
    assert_eq!(notice.buttons.len(), 2, "{}", notice.text);
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    let approve = json!({ "channel": "feishu", "code": list["requests"][0]["code"] });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
    let shown = feishu.called("card").await;
    assert!(shown.path.ends_with(&notice.id), "{}", shown.path);
    let card = shown.params["content"].as_str().unwrap().to_lowercase();
    assert!(
        card.contains("approved") && !card.contains("button"),
        "{card}"
    );

    feishu.says(SECOND, "and me");
    let notice = feishu.sent_to(OWNER).await;
    let (_, reject) = &notice.buttons[1];
    // Somebody else's press does nothing.
    feishu.presses(STRANGER, &notice.id, &notice.buttons[0].1);
    feishu.presses(OWNER, &notice.id, reject);
    let resolved = loop {
        if let ClientEvent::DmResolved(resolved) = events.next().await.unwrap()
            && resolved.id.as_str() == SECOND
        {
            break resolved;
        }
    };
    assert_eq!(resolved.decision, Decision::Rejected);
    feishu.acknowledged().await;
    assert_eq!(feishu.counts().repeated, 0);
    gateway.stop().await;
}
