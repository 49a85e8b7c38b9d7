//! Buttons: acknowledged at once, and handed on once, for the chat that they were put into.

use channel_kit::{Adapter as _, Button, Outgoing, Target};
use serde_json::{Value, json};

use crate::rig::{ANN, Rig};

fn well() -> Outgoing {
    let mut what = Outgoing::text("well <at user_id=\"all\"></at>?");
    what.buttons = vec![Button::new("Yes", "a:1")];
    what
}

#[tokio::test]
async fn a_button_is_acknowledged_and_handed_on_once_and_replaced() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let chat = Target::chat(ANN);
    let id = bot.adapter.send(&chat, &well()).await.unwrap();
    let sent = rig.feishu.sent().await;
    assert_eq!(
        (sent.kind.as_str(), sent.buttons),
        ("interactive", vec![("Yes".to_owned(), "a:1".to_owned())])
    );
    assert!(!sent.text.contains("<at"), "{}", sent.text);
    rig.feishu.presses(ANN, &sent.id, "a:1");
    let pressed = bot.pressed().await;
    assert_eq!((pressed.sender.as_str(), &pressed.message), (ANN, &id));
    assert_eq!((&pressed.chat, pressed.data.as_str()), (&chat, "a:1"));
    bot.adapter.replace(&chat, &id, "done").await.unwrap();
    let call = rig.feishu.called("card").await;
    let card: Value = serde_json::from_str(call.params["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        card["elements"],
        json!([{ "tag": "div", "text": { "tag": "plain_text", "content": "done" } }])
    );
    rig.feishu.acknowledged().await;
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn a_card_that_somebody_else_has_got_hold_of_does_nothing() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    bot.adapter.send(&Target::chat(ANN), &well()).await.unwrap();
    let sent = rig.feishu.sent().await;
    rig.feishu.presses("ou_mallory", &sent.id, "a:1");
    rig.feishu.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    rig.feishu.acknowledged().await;
}
