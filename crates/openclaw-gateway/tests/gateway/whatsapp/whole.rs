//! The whole way, as people go it: a stranger, a code, an approval, a phone; by text and button; with restarts.

use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::whatsapp::{ANN, WhatsApp};

use super::{OWNER, install, start};
use crate::bots::{Phone, code_in, heard};

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in_with_a_restart_before_each_step() {
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, false);
    let gateway = start(&dir, &whatsapp).await;
    assert_eq!(whatsapp.says(ANN, "let me in").await, 200);
    let reply = whatsapp.sent_to(ANN).await.text;
    assert!(
        reply.contains("Your WhatsApp phone number: +15550001111"),
        "{reply}"
    );
    gateway.stop().await;

    let gateway = start(&dir, &whatsapp).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "whatsapp", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], ANN);
    gateway.stop().await;

    let gateway = start(&dir, &whatsapp).await;
    let (owner, mut events) = gateway.owner().await;
    assert_eq!(whatsapp.says(ANN, "now?").await, 200);
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");
    let answer = json!({
        "channel": "whatsapp", "to": inbound["chat"], "message": "yes, *now*", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(whatsapp.sent_to(ANN).await.text, "yes, *now*");
    gateway.stop().await;

    let gateway = start(&dir, &whatsapp).await;
    whatsapp.says(OWNER, "/pair").await;
    whatsapp.sent_to(OWNER).await;
    let phone = Phone::with(&whatsapp.sent_to(OWNER).await.text);
    gateway.stop().await;

    let gateway = start(&dir, &whatsapp).await;
    phone.asks(&gateway).await;
    gateway.stop().await;

    let gateway = start(&dir, &whatsapp).await;
    whatsapp.says(OWNER, "/pair approve").await;
    let said = whatsapp.sent_to(OWNER).await.text;
    assert!(said.starts_with("Approved"), "{said}");
    let (node, _events) = phone.connect(&gateway).await.unwrap();
    assert_eq!(node.hello().auth.role, Role::Node);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_written_while_the_gateway_was_away_comes_through_once() {
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, false);
    let gateway = start(&dir, &whatsapp).await;
    let (owner, mut events) = gateway.owner().await;
    let allow = json!({ "channel": "whatsapp", "entry": "+1 (555) 000-1111" });
    let _: Value = owner.call("pairing.allow", allow).await.unwrap();
    let first = whatsapp.note(ANN, "first");
    assert_eq!(whatsapp.deliver(&first).await, 200);
    assert_eq!(heard(&mut events).await["text"], "first");
    gateway.stop().await;
    whatsapp.unsubscribe();
    assert_eq!(whatsapp.says(ANN, "while you were away").await, 0);
    let gateway = start(&dir, &whatsapp).await;
    let (_owner, mut events) = gateway.owner().await;
    assert_eq!(whatsapp.deliver(&first).await, 200);
    whatsapp.deliver_again().await;
    assert_eq!(heard(&mut events).await["text"], "while you were away");
    whatsapp.says(ANN, "last").await;
    assert_eq!(heard(&mut events).await["text"], "last");
    gateway.stop().await;
}

#[tokio::test]
async fn a_notice_has_buttons_and_a_press_decides_and_is_answered() {
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, true);
    let gateway = start(&dir, &whatsapp).await;
    let (_owner, mut events) = gateway.owner().await;
    // The owner has written today: else WhatsApp does not deliver the notice.
    whatsapp.says(OWNER, "/pair status").await;
    whatsapp.sent_to(OWNER).await;
    whatsapp.says(ANN, "let me in").await;
    whatsapp.sent_to(ANN).await;
    let notice = whatsapp.sent_to(OWNER).await;
    assert!(notice.text.contains(ANN), "{}", notice.text);
    assert_eq!(notice.buttons.len(), 2);
    let (label, approve) = &notice.buttons[0];
    assert_eq!(label, "Approve");
    // Somebody else's press does nothing.
    whatsapp.presses(ANN, &notice.id, approve).await;
    whatsapp.presses(OWNER, &notice.id, approve).await;
    let said = whatsapp.sent_to(OWNER).await;
    assert!(said.text.contains("Approved"), "{}", said.text);
    assert_eq!(said.reply_to.as_deref(), Some(notice.id.as_str()));
    whatsapp.says(ANN, "in?").await;
    assert_eq!(heard(&mut events).await["text"], "in?");
    gateway.stop().await;
}
