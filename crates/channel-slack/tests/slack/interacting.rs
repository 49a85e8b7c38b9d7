//! Buttons and slash commands: acknowledged at once; commands are answered for one person alone.

use channel_kit::{Adapter as _, Button, Outgoing, SendError, Target};
use serde_json::json;

use crate::rig::{ANN, Rig, Running};

#[tokio::test]
async fn a_button_is_acknowledged_and_handed_on_once() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let chat = Target::chat(rig.slack.chat_with(ANN));
    let mut what = Outgoing::text("well?");
    what.buttons = vec![Button::new("Yes", "a:1")];
    let id = bot.adapter.send(&chat, &what).await.unwrap();
    rig.slack.presses(ANN, &id.0, "a:1");
    let pressed = bot.pressed().await;
    assert_eq!((pressed.sender.as_str(), &pressed.message), (ANN, &id));
    assert_eq!((&pressed.chat, pressed.data.as_str()), (&chat, "a:1"));
    bot.adapter.replace(&chat, &id, "done").await.unwrap();
    let call = rig.slack.called("chat.update").await;
    assert_eq!(
        (&call.params["text"], &call.params["blocks"]),
        (&json!("done"), &json!([]))
    );
    rig.slack.acknowledged().await;
    // The bot's own messages are not heard.
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn a_command_is_answered_for_the_person_who_gave_it() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.slack.commands(ANN, "/pair", "pending");
    let inbound = bot.message().await;
    assert_eq!(
        (inbound.text.as_str(), inbound.is_direct),
        ("/pair pending", true)
    );
    for text in ["first", "second"] {
        let id = bot
            .adapter
            .send(&inbound.chat, &Outgoing::text(text))
            .await
            .unwrap();
        let sent = rig.slack.sent().await;
        assert_eq!(
            (sent.text.as_str(), sent.only_for.as_deref()),
            (text, Some(ANN))
        );
        // Slack lets nobody delete it; it is gone when the app is loaded anew.
        let deleted = bot.adapter.delete(&inbound.chat, &id).await;
        assert!(matches!(deleted, Err(SendError::Unable)));
    }
    // What is said afterwards is answered in the chat.
    rig.slack.says(ANN, "hello");
    bot.message().await;
    bot.adapter
        .send(&inbound.chat, &Outgoing::text("third"))
        .await
        .unwrap();
    assert_eq!(rig.slack.sent().await.only_for, None);
    rig.slack.acknowledged().await;
}

#[tokio::test]
async fn a_command_given_elsewhere_is_answered_in_the_chat_with_the_bot() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for chat in ["D0OTHER", "C0GENERAL"] {
        rig.slack.commands_in(chat, ANN, "/pair", "");
        let inbound = bot.message().await;
        assert_eq!(
            (inbound.chat.chat.as_str(), inbound.is_direct),
            (chat, chat.starts_with('D'))
        );
        let own = rig.slack.chat_with(ANN);
        bot.adapter
            .send(&inbound.chat, &Outgoing::text("how"))
            .await
            .unwrap();
        let sent = rig.slack.sent().await;
        assert_eq!((&sent.chat, sent.only_for.as_deref()), (&own, Some(ANN)));
        // A secret can be deleted, and so can a picture.
        let mut secret = Outgoing::text("secret");
        secret.is_secret = true;
        let id = bot.adapter.send(&inbound.chat, &secret).await.unwrap();
        let sent = rig.slack.sent().await;
        assert_eq!((&sent.chat, sent.only_for), (&own, None));
        bot.adapter.delete(&inbound.chat, &id).await.unwrap();
        let call = rig.slack.called("chat.delete").await;
        assert_eq!(call.params, json!({ "channel": own, "ts": sent.ts }));
        secret.picture = Some(vec![1]);
        let id = bot.adapter.send(&inbound.chat, &secret).await.unwrap();
        assert_eq!(rig.slack.sent().await.chat, own);
        bot.adapter.delete(&inbound.chat, &id).await.unwrap();
    }
}

#[tokio::test]
async fn envelopes_are_acknowledged_while_nobody_reads() {
    let rig = Rig::new().await;
    let mut bot = Running::run(rig.bot(), 1);
    rig.slack.connected().await;
    for number in 0..60 {
        match number % 3 {
            0 => rig.slack.commands(ANN, "/pair", &number.to_string()),
            1 => rig.slack.presses(ANN, "1.2", &number.to_string()),
            _ => drop(rig.slack.says(ANN, &number.to_string())),
        }
    }
    // Nothing has been taken out of the inbox.
    rig.slack.acknowledged().await;
    assert_eq!(rig.slack.counts().repeated, 0);
    for _ in 0..60 {
        bot.next().await;
    }
}
