//! Buttons and commands: acknowledged at once, answered for one person alone.

use channel_kit::{Adapter as _, Button, Incoming, Outgoing, Target};
use serde_json::{Value, json};
use test_support::discord::{APPLICATION_ID, Answer};

use crate::rig::{ANN, Rig};

const CALLBACK: &str = "POST /interactions/{}/{}/callback";

#[tokio::test]
async fn a_button_is_acknowledged_and_handed_on_once() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let chat = Target::chat(rig.discord.chat_with(ANN));
    let mut what = Outgoing::text("well?");
    what.buttons = vec![Button::new("Yes", "a:1")];
    let id = bot.adapter.send(&chat, &what).await.unwrap();
    rig.discord.presses(ANN, &id.0, "a:1");
    let call = rig.discord.called(CALLBACK).await;
    assert_eq!(call.body, json!({ "type": 6 }));
    let pressed = bot.pressed().await;
    assert_eq!(
        (pressed.sender, pressed.message.clone()),
        (ANN.to_string(), id)
    );
    assert_eq!((pressed.chat.clone(), pressed.data.as_str()), (chat, "a:1"));
    bot.adapter
        .replace(&pressed.chat, &pressed.message, "done")
        .await
        .unwrap();
    // The bot's own messages are not heard.
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn a_command_is_registered_and_answered_privately() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord.called("POST /applications/{}/commands").await;
    let registered = rig.discord.registered();
    assert_eq!(registered[0]["name"], "pair");
    // In direct chats with the bot alone.
    assert_eq!(registered[0]["contexts"], json!([1]));

    rig.discord.commands(ANN, "pair", Some("pending"));
    let inbound = bot.message().await;
    assert_eq!(
        (inbound.text.as_str(), inbound.is_direct),
        ("/pair pending", true)
    );
    let call = rig.discord.called(CALLBACK).await;
    assert_eq!(call.body, json!({ "type": 5, "data": { "flags": 64 } }));
    for text in ["first", "second"] {
        let id = bot
            .adapter
            .send(&inbound.chat, &Outgoing::text(text))
            .await
            .unwrap();
        let sent = rig.discord.sent().await;
        assert_eq!((sent.text.as_str(), sent.is_ephemeral), (text, true));
        // It can be changed and deleted by the interaction alone.
        bot.adapter
            .replace(&inbound.chat, &id, "changed")
            .await
            .unwrap();
        bot.adapter.delete(&inbound.chat, &id).await.unwrap();
    }
    assert_eq!(rig.discord.count("PATCH /channels/{}/messages/{}"), 0);

    // What has buttons stays in the chat, and so does what answers something else.
    let mut notice = Outgoing::text("notice");
    notice.buttons = vec![Button::new("Yes", "a:1")];
    bot.adapter.send(&inbound.chat, &notice).await.unwrap();
    assert!(!rig.discord.sent().await.is_ephemeral);
    rig.discord.says(ANN, "hello");
    bot.message().await;
    bot.adapter
        .send(&inbound.chat, &Outgoing::text("hello"))
        .await
        .unwrap();
    assert!(!rig.discord.sent().await.is_ephemeral);
}

#[tokio::test]
async fn commands_of_many_strangers_keep_no_button_waiting() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    // More than may wait at a time, and nobody answers them.
    for person in 0..100 {
        rig.discord.commands(5000 + person, "pair", None);
    }
    rig.discord.presses(ANN, "77", "a:1");
    rig.discord.says(ANN, "the last");
    let mut pressed = 0;
    loop {
        match bot.next().await {
            Incoming::Pressed(_) => pressed += 1,
            Incoming::Message(inbound) if inbound.text == "the last" => break,
            Incoming::Message(_) => {}
        }
    }
    assert_eq!(pressed, 1);
}

#[tokio::test]
async fn a_person_who_repeats_a_command_holds_one_place() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for _ in 0..100 {
        rig.discord.commands(ANN, "pair", None);
        bot.message().await;
        rig.discord.called(CALLBACK).await;
    }
    // Those that were given up think no longer.
    rig.discord
        .called("DELETE /webhooks/{}/{}/messages/@original")
        .await;
}

#[tokio::test]
async fn t54_what_is_for_another_application_or_given_elsewhere() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let given = |changes: &[(&str, Value)]| {
        let mut interaction = json!({
            "id": rig.discord.message(ANN, "")["id"], "application_id": APPLICATION_ID, "type": 2, "token": "aW50",
            "version": 1, "channel_id": "99", "channel": { "id": "99", "type": 1 }, "context": 1,
            "user": { "id": ANN.to_string(), "username": "ann" },
            "data": { "id": "9", "name": "pair", "type": 1, "options": [] },
        });
        for (name, value) in changes {
            interaction[name] = value.clone();
        }
        rig.discord.push("INTERACTION_CREATE", &interaction);
    };
    given(&[("application_id", json!("4242"))]);
    // A chat of other people, and a group of them: neither is the direct chat with the bot.
    given(&[("context", json!(2))]);
    assert!(!bot.message().await.is_direct);
    given(&[("channel", json!({ "id": "99", "type": 3 }))]);
    assert!(!bot.message().await.is_direct);
    given(&[("guild_id", json!("5")), ("context", json!(0))]);
    assert!(!bot.message().await.is_direct);
    given(&[]);
    assert!(bot.message().await.is_direct);
}

#[tokio::test]
async fn a_picture_answers_a_command_too() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord.commands(ANN, "pair", Some("qr"));
    let inbound = bot.message().await;
    bot.adapter
        .send(&inbound.chat, &Outgoing::text("scan this"))
        .await
        .unwrap();
    let mut picture = Outgoing::text("");
    picture.picture = Some(vec![7; 100]);
    picture.is_secret = true;
    let id = bot.adapter.send(&inbound.chat, &picture).await.unwrap();
    rig.discord.sent().await;
    let sent = rig.discord.sent().await;
    assert!(sent.is_ephemeral && sent.picture == Some(vec![7; 100]));
    bot.adapter.delete(&inbound.chat, &id).await.unwrap();
    assert_eq!(rig.discord.count("DELETE /webhooks/{}/{}/messages/{}"), 1);
}

#[tokio::test]
async fn a_command_that_cannot_be_acknowledged_is_answered_in_the_chat() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord
        .answers(CALLBACK, Answer::Error(404, 10062, "Unknown interaction"));
    rig.discord.commands(ANN, "pair", None);
    let inbound = bot.message().await;
    assert_eq!(inbound.text, "/pair");
    bot.adapter
        .send(&inbound.chat, &Outgoing::text("code"))
        .await
        .unwrap();
    assert!(!rig.discord.sent().await.is_ephemeral);
}

#[tokio::test]
async fn an_interaction_that_has_expired_is_answered_in_the_chat() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord.commands(ANN, "pair", None);
    let inbound = bot.message().await;
    rig.discord.called(CALLBACK).await;
    let first = "PATCH /webhooks/{}/{}/messages/@original";
    rig.discord
        .answers(first, Answer::Error(401, 50027, "Invalid Webhook Token"));
    bot.adapter
        .send(&inbound.chat, &Outgoing::text("code"))
        .await
        .unwrap();
    assert!(!rig.discord.sent().await.is_ephemeral);
}

#[tokio::test]
async fn a_token_that_may_register_no_commands_goes_on_without() {
    let rig = Rig::new().await;
    let register = "POST /applications/{}/commands";
    rig.discord
        .answers(register, Answer::Error(403, 50001, "Missing Access"));
    let mut bot = rig.connected().await;
    rig.discord.called(register).await;
    rig.discord.says(ANN, "/pair");
    assert_eq!(bot.text().await, "/pair");
}
