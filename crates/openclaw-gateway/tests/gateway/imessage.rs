//! A gateway with iMessage, as its configuration makes it, against a stand-in for `imsg`: the whole way, as people go it, with a
//! restart before each step.

use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::imsg::{ANN, Imsg};

use crate::bots::{self, Phone, code_in, heard, start};

const OWNER: &str = "owner@example.org";

/// What is sent to somebody next, and to whom.
async fn sent(imsg: &Imsg) -> (String, String) {
    let call = imsg.called("send").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&call["to"]), text(&call["text"]))
}

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in_with_a_restart_before_each_step() {
    let dir = tempfile::tempdir().unwrap();
    let imsg = Imsg::start(dir.path()).await;
    let settings = json!({ "cliPath": imsg.program() });
    bots::configure(&dir, ("imessage", &settings), OWNER, false);
    let gateway = start(&dir).await;
    imsg.watching(1).await;
    imsg.says(ANN, "let me in");
    let (to, reply) = sent(&imsg).await;
    assert_eq!(to, ANN);
    assert!(
        reply.contains("Your iMessage sender id: +15550001111"),
        "{reply}"
    );
    gateway.stop().await;

    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "imessage", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], ANN);
    imsg.watching(2).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    imsg.watching(3).await;
    let (owner, mut events) = gateway.owner().await;
    imsg.says(ANN, "now?");
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");
    let answer = json!({
        "channel": "imessage", "to": inbound["chat"], "message": "yes, *now*", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(sent(&imsg).await, (ANN.into(), "yes, *now*".into()));
    gateway.stop().await;

    let gateway = start(&dir).await;
    imsg.watching(4).await;
    // Messages names an address in the case in which it was typed.
    imsg.says("Owner@Example.org", "/pair");
    sent(&imsg).await;
    let phone = Phone::with(&sent(&imsg).await.1);
    // A code is taken back unless imsg says that it was sent. The messages of a chat are handled in order.
    imsg.says(OWNER, "/pair help");
    sent(&imsg).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.asks(&gateway).await;
    imsg.watching(5).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    imsg.watching(6).await;
    imsg.says(OWNER, "/pair approve");
    let (_, said) = sent(&imsg).await;
    assert!(said.starts_with("Approved"), "{said}");
    let (node, _events) = phone.connect(&gateway).await.unwrap();
    assert_eq!(node.hello().auth.role, Role::Node);
    gateway.stop().await;
}
