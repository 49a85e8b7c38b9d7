//! The whole way, as people go it: a stranger, a code, an approval, a phone; by text, command and button.

use gateway_client::ClientEvent;
use gateway_protocol::event::Decision;
use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::discord::Discord;

use super::{OWNER, STRANGER, install};
use crate::bots::{Phone, code_in, heard, start};

/// A code that would be shown otherwise is sent between backquotes.
fn unquoted(code: &str) -> &str {
    code.trim_matches('`')
}

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in() {
    let discord = Discord::start().await;
    let dir = install(&discord, false);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;
    discord.connected().await;

    // A stranger gets a code, and nothing of theirs goes further.
    discord.says(STRANGER, "let me in");
    let reply = discord.sent_to(STRANGER).await.text;
    assert!(reply.contains(&STRANGER.to_string()), "{reply}");
    let approve = json!({ "channel": "discord", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    discord.says(STRANGER, "now?");
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");

    // An agent answers.
    let answer = json!({
        "channel": "discord", "to": inbound["chat"], "message": "yes, *now*", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(discord.sent_to(STRANGER).await.text, "yes, \\*now\\*");

    // The owner gets a setup code, alone in its message; the phone asks with it, the owner approves in the same chat,
    // and the phone is in.
    discord.says(OWNER, "/pair");
    discord.sent_to(OWNER).await;
    let code = discord.sent_to(OWNER).await;
    let phone = Phone::with(unquoted(&code.text));
    phone.asks(&gateway).await;
    discord.says(OWNER, "/pair approve");
    let said = discord.sent_to(OWNER).await.text;
    let (node, _events) = phone
        .connect(&gateway)
        .await
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(node.hello().auth.role, Role::Node);
    // The used code is taken out of the chat.
    let deleted = discord.called("DELETE /channels/{}/messages/{}").await;
    assert_eq!(deleted.ids[1], code.id);
    gateway.stop().await;
}

#[tokio::test]
async fn every_step_survives_a_restart_before_the_next() {
    let discord = Discord::start().await;
    let dir = install(&discord, false);
    let gateway = start(&dir).await;
    discord.connected().await;
    discord.says(STRANGER, "let me in");
    let reply = discord.sent_to(STRANGER).await.text;
    gateway.stop().await;
    discord.left().await;

    // Said while nobody was there: the session is resumed.
    discord.says(OWNER, "/pair");
    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "discord", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    discord.sent_to(OWNER).await;
    let phone = Phone::with(unquoted(&discord.sent_to(OWNER).await.text));
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.asks(&gateway).await;
    gateway.stop().await;
    discord.left().await;

    discord.says(OWNER, "/pair approve");
    let gateway = start(&dir).await;
    discord.sent_to(OWNER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.connect(&gateway).await.unwrap();
    gateway.stop().await;
    // What was said before is not heard again.
    assert_eq!(discord.count_sent(), 4);
    assert_eq!(discord.counts().identifies, 1);
}

#[tokio::test]
async fn pair_as_a_command_answers_its_giver_alone() {
    let discord = Discord::start().await;
    let dir = install(&discord, false);
    let gateway = start(&dir).await;
    discord.connected().await;
    discord.called("POST /applications/{}/commands").await;

    discord.commands(OWNER, "pair", None);
    let [how, code] = [discord.sent_to(OWNER).await, discord.sent_to(OWNER).await];
    assert!(how.is_ephemeral && code.is_ephemeral);
    let phone = Phone::with(unquoted(&code.text));
    phone.asks(&gateway).await;
    discord.commands(OWNER, "pair", Some("approve"));
    let said = discord.sent_to(OWNER).await;
    assert!(
        said.is_ephemeral && said.text.starts_with("Approved"),
        "{}",
        said.text
    );
    phone.connect(&gateway).await.unwrap();
    let deleted = discord.called("DELETE /webhooks/{}/{}/messages/{}").await;
    assert_eq!(deleted.ids[2], code.id);

    // A stranger who finds the command gets a code, as for any message, and no help.
    discord.commands(STRANGER, "pair", None);
    let reply = discord.sent_to(STRANGER).await;
    code_in(&reply.text);
    assert!(reply.is_ephemeral);
    gateway.stop().await;
}

#[tokio::test]
async fn a_notice_shows_what_was_decided_by_a_method_and_a_button_decides_for_all() {
    let discord = Discord::start().await;
    let dir = install(&discord, true);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;
    discord.connected().await;

    // The owner has never written: their chat is opened for the notice.
    discord.says(STRANGER, "let me in");
    let notice = discord.sent_to(OWNER).await;
    assert_eq!(notice.buttons.len(), 2, "{}", notice.text);
    assert!(discord.count("POST /users/@me/channels") >= 1);
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    let approve = json!({ "channel": "discord", "code": list["requests"][0]["code"] });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
    let shown = discord.called("PATCH /channels/{}/messages/{}").await;
    let text = shown.body["content"].as_str().unwrap().to_lowercase();
    assert!(text.contains("approved"), "{text}");
    assert_eq!(
        (shown.ids[1].as_str(), &shown.body["components"]),
        (notice.id.as_str(), &json!([]))
    );

    discord.says(STRANGER + 1, "and me");
    let notice = discord.sent_to(OWNER).await;
    let (_, reject) = &notice.buttons[1];
    // Somebody else's press does nothing.
    discord.presses(STRANGER, &notice.id, &notice.buttons[0].1);
    discord.presses(OWNER, &notice.id, reject);
    let resolved = loop {
        if let ClientEvent::DmResolved(resolved) = events.next().await.unwrap()
            && resolved.id.as_str() == (STRANGER + 1).to_string()
        {
            break resolved;
        }
    };
    assert_eq!(resolved.decision, Decision::Rejected);
    let acknowledged = discord.called("POST /interactions/{}/{}/callback").await;
    assert_eq!(acknowledged.status, 204);
    gateway.stop().await;
}
