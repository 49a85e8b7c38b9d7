//! The whole way, as people go it, with a restart before each step: a stranger, a code, an approval, a phone.

use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::bluebubbles::{ANN, BlueBubbles};

use super::{OWNER, chat, install, sent, start};
use crate::bots::{Phone, code_in, heard};

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in_with_a_restart_before_each_step() {
    let server = BlueBubbles::start().await;
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    assert_eq!(server.says(ANN, "let me in").await, [200]);
    let (to, reply) = sent(&server).await;
    assert_eq!(to, chat(ANN));
    assert!(
        reply.contains("Your BlueBubbles sender id: +15550001111"),
        "{reply}"
    );
    gateway.stop().await;

    let gateway = start(&dir, &server).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "bluebubbles", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], ANN);
    gateway.stop().await;

    let gateway = start(&dir, &server).await;
    let (owner, mut events) = gateway.owner().await;
    assert_eq!(server.says(ANN, "now?").await, [200]);
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");
    let answer = json!({
        "channel": "bluebubbles", "to": inbound["chat"], "message": "yes, *now*", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(sent(&server).await, (chat(ANN), "yes, *now*".into()));
    gateway.stop().await;

    let gateway = start(&dir, &server).await;
    server.says(OWNER, "/pair").await;
    sent(&server).await;
    let phone = Phone::with(&sent(&server).await.1);
    gateway.stop().await;

    let gateway = start(&dir, &server).await;
    phone.asks(&gateway).await;
    gateway.stop().await;

    let gateway = start(&dir, &server).await;
    server.says(OWNER, "/pair approve").await;
    let (_, said) = sent(&server).await;
    assert!(said.starts_with("Approved"), "{said}");
    let (node, _events) = phone.connect(&gateway).await.unwrap();
    assert_eq!(node.hello().auth.role, Role::Node);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_written_while_the_gateway_was_away_comes_through_once() {
    let server = BlueBubbles::start().await;
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    let (owner, mut events) = gateway.owner().await;
    let allow = json!({ "channel": "bluebubbles", "entry": "ANN@example.org" });
    let _: Value = owner.call("pairing.allow", allow).await.unwrap();
    server.says("Ann@Example.org", "first").await;
    assert_eq!(heard(&mut events).await["text"], "first");
    gateway.stop().await;
    let missed = server.notes("ann@example.org", "while you were away");
    let gateway = start(&dir, &server).await;
    let (_owner, mut events) = gateway.owner().await;
    // The server delivers what is fetched already.
    server.deliver(&missed).await;
    server.says("ann@example.org", "last").await;
    let mut texts = Vec::new();
    while texts.last().is_none_or(|last| last != "last") {
        texts.push(
            heard(&mut events).await["text"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    // It may have come through before the owner listened.
    assert!(
        texts == ["last"] || texts == ["while you were away", "last"],
        "{texts:?}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn owners_are_told_and_decide_by_text() {
    let server = BlueBubbles::start().await;
    let dir = install(&server, true);
    let gateway = start(&dir, &server).await;
    let (_owner, mut events) = gateway.owner().await;
    server.says(ANN, "let me in").await;
    let (to, reply) = sent(&server).await;
    assert_eq!(to, chat(ANN));
    // The owner has not written yet: the notice begins the chat.
    let notice = server.requested("POST chat/new").await;
    assert_eq!(notice["addresses"], json!(["owner@example.org"]));
    assert!(
        notice["message"].as_str().unwrap().contains(ANN),
        "{notice}"
    );
    server
        .says(OWNER, &format!("/pair approve {}", code_in(&reply)))
        .await;
    let (_, said) = sent(&server).await;
    assert!(said.contains("Approved"), "{said}");
    server.says(ANN, "in?").await;
    assert_eq!(heard(&mut events).await["text"], "in?");
    gateway.stop().await;
}
