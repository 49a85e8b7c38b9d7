//! The whole way, as people go it: a stranger, a code, an approval, a phone; by text, slash command and button.

use gateway_client::ClientEvent;
use gateway_protocol::event::Decision;
use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::slack::Slack;

use super::{OWNER, STRANGER, install};
use crate::bots::{Phone, code_in, heard, start};

/// Another stranger.
const SECOND: &str = "U0SECOND";

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in() {
    let slack = Slack::start().await;
    let dir = install(&slack, false);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;
    slack.connected().await;

    // A stranger gets a code, and nothing of theirs goes further.
    slack.says(STRANGER, "let me in");
    let reply = slack.sent_to(STRANGER).await.text;
    assert!(reply.contains(STRANGER), "{reply}");
    let approve = json!({ "channel": "slack", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER);
    slack.says(STRANGER, "now?");
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");

    // An agent answers.
    let answer = json!({
        "channel": "slack", "to": inbound["chat"], "message": "yes, *now* <3", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(slack.sent_to(STRANGER).await.text, "yes, *now* &lt;3");

    // The owner gets a setup code, alone in its message; the phone asks with it, the owner approves in the same chat,
    // and the phone is in.
    slack.says(OWNER, "/pair");
    slack.sent_to(OWNER).await;
    let code = slack.sent_to(OWNER).await;
    let phone = Phone::with(&code.text);
    phone.asks(&gateway).await;
    slack.says(OWNER, "/pair approve");
    let said = slack.sent_to(OWNER).await.text;
    let (node, _events) = phone
        .connect(&gateway)
        .await
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(node.hello().auth.role, Role::Node);
    // The used code is taken out of the chat.
    let deleted = slack.called("chat.delete").await;
    assert_eq!(deleted.params["ts"], code.ts.as_str());
    gateway.stop().await;
}

#[tokio::test]
async fn every_step_survives_a_restart_before_the_next() {
    let slack = Slack::start().await;
    let dir = install(&slack, false);
    let gateway = start(&dir).await;
    slack.connected().await;
    slack.says(STRANGER, "let me in");
    let reply = slack.sent_to(STRANGER).await.text;
    gateway.stop().await;
    slack.left().await;

    // Said while nobody was there: Slack sends it again.
    slack.says(OWNER, "/pair");
    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "slack", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER);
    slack.sent_to(OWNER).await;
    let phone = Phone::with(&slack.sent_to(OWNER).await.text);
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.asks(&gateway).await;
    gateway.stop().await;
    slack.left().await;

    slack.says(OWNER, "/pair approve");
    let gateway = start(&dir).await;
    slack.sent_to(OWNER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.connect(&gateway).await.unwrap();
    gateway.stop().await;
    // What was said before is not heard again.
    assert_eq!(slack.count_sent(), 4);
}

#[tokio::test]
async fn pair_as_a_command_answers_its_giver_alone() {
    let slack = Slack::start().await;
    let dir = install(&slack, false);
    let gateway = start(&dir).await;
    slack.connected().await;

    slack.commands(OWNER, "/pair", "");
    let [how, code] = [slack.sent_to(OWNER).await, slack.sent_to(OWNER).await];
    // The code stays in their chat, to be deleted.
    assert_eq!(how.only_for.as_deref(), Some(OWNER));
    assert_eq!(code.only_for, None);
    let phone = Phone::with(&code.text);
    phone.asks(&gateway).await;
    slack.commands(OWNER, "/pair", "approve");
    let said = slack.sent_to(OWNER).await;
    assert_eq!(said.only_for.as_deref(), Some(OWNER));
    assert!(said.text.starts_with("Approved"), "{}", said.text);
    phone.connect(&gateway).await.unwrap();
    let deleted = slack.called("chat.delete").await;
    assert_eq!(deleted.params["ts"], code.ts.as_str());

    // A stranger who finds the command gets a code, as for any message, and no help. It stays, too: it is needed for
    // an hour.
    slack.commands(STRANGER, "/pair", "");
    let reply = slack.sent_to(STRANGER).await;
    code_in(&reply.text);
    assert_eq!(reply.only_for, None);
    slack.acknowledged().await;
    assert_eq!(slack.counts().repeated, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_notice_shows_what_was_decided_by_a_method_and_a_button_decides_for_all() {
    let slack = Slack::start().await;
    let dir = install(&slack, true);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;
    slack.connected().await;

    // The owner has never written: their chat is opened for the notice.
    slack.says(STRANGER, "let me in");
    let notice = slack.sent_to(OWNER).await;
    assert_eq!(notice.buttons.len(), 2, "{}", notice.text);
    assert!(slack.count("conversations.open") >= 1);
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    let approve = json!({ "channel": "slack", "code": list["requests"][0]["code"] });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
    let shown = slack.called("chat.update").await;
    let text = shown.params["text"].as_str().unwrap().to_lowercase();
    assert!(text.contains("approved"), "{text}");
    assert_eq!(
        (&shown.params["ts"], &shown.params["blocks"]),
        (&json!(notice.ts), &json!([]))
    );

    slack.says(SECOND, "and me");
    let notice = slack.sent_to(OWNER).await;
    let (_, reject) = &notice.buttons[1];
    // Somebody else's press does nothing.
    slack.presses(STRANGER, &notice.ts, &notice.buttons[0].1);
    slack.presses(OWNER, &notice.ts, reject);
    let resolved = loop {
        if let ClientEvent::DmResolved(resolved) = events.next().await.unwrap()
            && resolved.id.as_str() == SECOND
        {
            break resolved;
        }
    };
    assert_eq!(resolved.decision, Decision::Rejected);
    slack.acknowledged().await;
    assert_eq!(slack.counts().repeated, 0);
    gateway.stop().await;
}
