//! Sending, replacing and deleting, within rate limits, and not twice.

use channel_kit::{Adapter as _, Button, MessageId, Outgoing, SendError, Target};
use serde_json::json;
use test_support::feishu::Answer;

use crate::rig::{ANN, Rig, sender};

#[tokio::test]
async fn persons_and_chats_are_written_to_as_text() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = bot.direct(&sender(ANN)).await.unwrap();
    assert_eq!((chat.chat.as_str(), rig.feishu.count("token")), (ANN, 0));
    let id = bot
        .send(&chat, &Outgoing::text("<at user_id=\"all\"></at> **you**"))
        .await
        .unwrap();
    let sent = rig.feishu.sent_to(ANN).await;
    assert_eq!((sent.kind.as_str(), &sent.id), ("text", &id.0));
    assert_eq!(
        sent.text.replace('\u{200b}', ""),
        "<at user_id=\"all\"></at> **you**"
    );
    assert!(!sent.text.contains("<at"));
    let group = rig.feishu.chat_with("ou_other");
    for target in [group.clone(), format!("chat:{group}")] {
        bot.send(&Target::chat(target), &Outgoing::text("x"))
            .await
            .unwrap();
        assert_eq!(rig.feishu.sent().await.to, group);
    }
}

#[tokio::test]
async fn what_is_no_person_or_chat_is_named() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    for wrong in ["ann smith", "on_ann", "ou_a/../b"] {
        let error = bot.direct(&sender(wrong)).await.unwrap_err();
        assert!(matches!(error, SendError::Chat { .. }), "{error}");
    }
    for chat in ["", "x/../y", "chat:", "user:<at>", "ou_1&x=y", "oc_unknown"] {
        let sent = bot.send(&Target::chat(chat), &Outgoing::text("x")).await;
        assert!(
            matches!(sent, Err(SendError::Chat { .. })),
            "{chat}: {sent:?}"
        );
    }
    let thread = Target::chat(ANN).thread("om_1".to_owned());
    let sent = bot.send(&thread, &Outgoing::text("x")).await;
    assert!(matches!(sent, Err(SendError::Chat { .. })), "{sent:?}");
}

#[tokio::test]
async fn a_person_who_cannot_be_written_to_is_told_from_an_app_that_may_not_write() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let (chat, what) = (Target::chat(ANN), Outgoing::text("x"));
    for code in [230_013, 230_053, 230_002] {
        rig.feishu.answers(
            "send",
            Answer::Code(code, "Bot has NO availability to this user."),
        );
        let Err(SendError::Chat { reason }) = bot.send(&chat, &what).await else {
            panic!("{code}");
        };
        assert!(
            reason.contains(&code.to_string()) && reason.contains("availability"),
            "{reason}"
        );
    }
    for code in [99_991_672, 230_006, 99_991_662] {
        let text = "Access denied. One of the following scopes is required: [im:message, im:message:send_as_bot].";
        rig.feishu.answers("send", Answer::Code(code, text));
        let Err(SendError::Unavailable { reason }) = bot.send(&chat, &what).await else {
            panic!("{code}");
        };
        assert!(reason.contains("im:message:send_as_bot"), "{reason}");
    }
    assert_eq!(rig.feishu.count("send"), 6);
}

#[tokio::test]
async fn long_texts_are_split_at_four_thousand_characters() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(ANN);
    bot.send(&chat, &Outgoing::text("😀".repeat(4000)))
        .await
        .unwrap();
    assert_eq!(rig.feishu.sent().await.text.chars().count(), 4000);
    let text = "word <b ".repeat(12_500);
    let id = bot
        .send(&chat, &Outgoing::text(text.clone()))
        .await
        .unwrap();
    let mut whole = String::new();
    for part in id.0.split(',') {
        let sent = rig.feishu.sent().await;
        assert_eq!(sent.id, part);
        assert!(sent.text.chars().count() <= 4000);
        whole += &sent
            .text
            .replace('\u{200b}', "")
            .split_whitespace()
            .collect::<String>();
    }
    assert_eq!(whole, text.split_whitespace().collect::<String>());
    let blank = bot.send(&chat, &Outgoing::text(" \n")).await;
    assert!(matches!(blank, Err(SendError::Unable)));
}

#[tokio::test]
async fn pictures_with_words_replaced_and_deleted() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(ANN);
    let mut what = Outgoing::text("scan this");
    what.picture = Some(vec![1, 2, 3]);
    let id = bot.send(&chat, &what).await.unwrap();
    let picture = rig.feishu.sent().await;
    assert_eq!(
        (picture.kind.as_str(), picture.picture),
        ("image", Some(vec![1, 2, 3]))
    );
    let words = rig.feishu.sent().await;
    assert_eq!(
        (words.text.as_str(), format!("{},{}", picture.id, words.id)),
        ("scan this", id.0.clone())
    );
    bot.replace(&chat, &id, "scanned").await.unwrap();
    let call = rig.feishu.called("edit").await;
    assert_eq!(
        call.params,
        json!({ "msg_type": "text", "content": "{\"text\":\"scanned\"}" })
    );
    bot.delete(&chat, &id).await.unwrap();
    assert_eq!(rig.feishu.count("delete"), 2);
    // What is gone already counts as deleted.
    bot.delete(&chat, &id).await.unwrap();
    let gone = bot.replace(&chat, &id, "x").await;
    assert!(matches!(gone, Err(SendError::Chat { .. })), "{gone:?}");
    for wrong in ["", "x", "om_../x", "om_1,,om_2"] {
        let deleted = bot.delete(&chat, &MessageId(wrong.to_owned())).await;
        assert!(matches!(deleted, Err(SendError::Unable)), "{wrong}");
    }
}

#[tokio::test]
async fn what_feishu_does_not_take_is_not_sent() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let button = |data: String| Button::new("x".repeat(500), data);
    let mut what = Outgoing::text("x");
    what.buttons = vec![button("x".repeat(65))];
    assert!(matches!(
        bot.send(&Target::chat(ANN), &what).await,
        Err(SendError::Unable)
    ));
    what.buttons = vec![button("x".to_owned()); 21];
    assert!(matches!(
        bot.send(&Target::chat(ANN), &what).await,
        Err(SendError::Unable)
    ));
    what.buttons.truncate(2);
    bot.send(&Target::chat(ANN), &what).await.unwrap();
    assert_eq!(rig.feishu.count("send"), 1);
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_sent_again_and_arrives_once() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    rig.feishu.answers("send", Answer::HangUp { done: true });
    let id = bot
        .send(&Target::chat(ANN), &Outgoing::text("once"))
        .await
        .unwrap();
    assert_eq!(rig.feishu.sent().await.id, id.0);
    let counts = rig.feishu.counts();
    assert_eq!((counts.doubles, rig.feishu.count_sent()), (1, 1));
    // Another message with the same words is another message.
    bot.send(&Target::chat(ANN), &Outgoing::text("once"))
        .await
        .unwrap();
    assert_eq!(rig.feishu.count_sent(), 2);
}

#[tokio::test]
async fn limits_are_waited_for_and_hours_are_not() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let (chat, what) = (Target::chat(ANN), Outgoing::text("x"));
    // A wait that is no number counts as a second.
    for after in ["0.01", "soon"] {
        rig.feishu.answers("send", Answer::Later(after));
        bot.send(&chat, &what).await.unwrap();
    }
    rig.feishu.answers(
        "send",
        Answer::Code(99_991_400, "request trigger frequency limit"),
    );
    bot.send(&chat, &what).await.unwrap();
    rig.feishu.answers("send", Answer::Later("7200"));
    let calls = rig.feishu.count("send");
    for _ in 0..2 {
        let Err(SendError::Unavailable { reason }) = bot.send(&chat, &what).await else {
            panic!("it is sent");
        };
        assert!(reason.contains("too many requests"), "{reason}");
    }
    assert_eq!(rig.feishu.count("send"), calls + 1);
}
