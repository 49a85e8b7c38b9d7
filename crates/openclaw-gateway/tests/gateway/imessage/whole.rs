//! The whole way, as people go it, with a restart before each step.

use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::imsg::{ANN, Imsg};

use super::{OWNER, sent};
use crate::bots::{self, Phone, code_in, heard, start};

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

#[tokio::test]
async fn owners_are_told_and_decide_by_text() {
    let dir = tempfile::tempdir().unwrap();
    let imsg = Imsg::start(dir.path()).await;
    let settings = json!({ "cliPath": imsg.program() });
    bots::configure(&dir, ("imessage", &settings), OWNER, true);
    let gateway = start(&dir).await;
    imsg.watching(1).await;
    let (_owner, mut events) = gateway.owner().await;
    for (who, decision, said) in [
        (ANN, "approve", "Approved"),
        ("ben@example.org", "reject", "Rejected"),
    ] {
        imsg.says(who, "let me in");
        let mut told = [sent(&imsg).await, sent(&imsg).await];
        told.sort_by_key(|(to, _)| to != who);
        let [(stranger, reply), (owner, notice)] = told;
        assert_eq!((stranger.as_str(), owner.as_str()), (who, OWNER));
        // There are no buttons: the notice says what to answer.
        let command = format!("/pair {decision} {}", code_in(&reply));
        assert!(
            notice.contains(who) && notice.contains(&command),
            "{notice}"
        );
        imsg.says(OWNER, &command);
        let (to, answer) = sent(&imsg).await;
        assert_eq!(to, OWNER);
        assert!(answer.starts_with(said), "{answer}");
    }
    imsg.says("ben@example.org", "and me?");
    imsg.says(ANN, "in?");
    let inbound = heard(&mut events).await;
    assert_eq!(
        (&inbound["sender"], &inbound["text"]),
        (&json!(ANN), &json!("in?")),
        "{inbound}"
    );
    gateway.stop().await;
}
