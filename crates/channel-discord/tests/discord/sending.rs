//! Sending, replacing, deleting, and opening direct chats, within rate limits.

use std::time::Duration;

use channel_kit::{Adapter as _, Button, MessageId, Outgoing, ProbeError, SendError, Target};
use test_support::discord::Answer;

use crate::rig::{ANN, Rig, sender};

const CREATE: &str = "POST /channels/{}/messages";

#[tokio::test]
async fn a_direct_chat_is_opened_once_and_written_to() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let ann = sender(&ANN.to_string());
    let chat = bot.direct(&ann).await.unwrap();
    assert_eq!(bot.direct(&ann).await.unwrap(), chat);
    assert_eq!(rig.discord.count("POST /users/@me/channels"), 1);
    let id = bot
        .send(&chat, &Outgoing::text("hello *you*"))
        .await
        .unwrap();
    let sent = rig.discord.sent().await;
    assert_eq!((sent.text.as_str(), sent.id), ("hello \\*you\\*", id.0));
    assert_eq!(sent.person, Some(ANN.to_string()));
    let call = rig.discord.called(CREATE).await;
    assert_eq!(
        call.body["allowed_mentions"]["parse"],
        serde_json::json!([])
    );
    // By the person, as `openclaw` people write targets.
    for target in [format!("user:{ANN}"), format!("channel:{}", chat.chat)] {
        bot.send(&Target::chat(target), &Outgoing::text("x"))
            .await
            .unwrap();
        assert_eq!(rig.discord.sent().await.chat, chat.chat);
    }
}

#[tokio::test]
async fn what_is_no_person_or_chat_is_named() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let error = bot.direct(&sender("Ann#1234")).await.unwrap_err();
    assert!(matches!(error, SendError::Chat { .. }), "{error}");
    for chat in ["", "x", "1/../2", "channel:", "user:ann", "0"] {
        let sent = bot.send(&Target::chat(chat), &Outgoing::text("x")).await;
        assert!(matches!(sent, Err(SendError::Chat { .. })), "{chat}");
    }
    let unknown = bot.send(&Target::chat("12345"), &Outgoing::text("x")).await;
    assert!(
        matches!(unknown, Err(SendError::Chat { .. })),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn people_who_cannot_be_written_to() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    rig.discord.shuts_out(ANN);
    let chat = bot.direct(&sender(&ANN.to_string())).await.unwrap();
    let refused = |code| Answer::Error(403, code, "No mutual guilds");
    for number in 0..2 {
        if number == 1 {
            rig.discord.answers(CREATE, refused(50278));
        }
        let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
        let SendError::Chat { reason } = error else {
            panic!("{error}");
        };
        assert!(reason.contains("share a server"), "{reason}");
    }
    assert_eq!(rig.discord.count_sent(), 0);
}

#[tokio::test]
async fn long_texts_are_split_at_two_thousand_characters() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    // Characters, not bytes or halves of surrogates.
    bot.send(&chat, &Outgoing::text("😀".repeat(2000)))
        .await
        .unwrap();
    assert_eq!(rig.discord.sent().await.text.chars().count(), 2000);
    let text = "word ".repeat(20_000);
    let id = bot
        .send(&chat, &Outgoing::text(text.clone()))
        .await
        .unwrap();
    let mut whole = String::new();
    for id in id.0.split(',') {
        let sent = rig.discord.sent().await;
        assert_eq!(sent.id, id);
        whole += &sent.text.split_whitespace().collect::<String>();
    }
    assert_eq!(whole, text.split_whitespace().collect::<String>());
    let blank = bot.send(&chat, &Outgoing::text(" \n")).await;
    assert!(matches!(blank, Err(SendError::Unable)));
}

#[tokio::test]
async fn pictures_with_words_buttons_replaced_and_deleted() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    let button = |data: &str| Button::new(data.to_uppercase(), data);
    let mut what = Outgoing::text("scan this");
    what.picture = Some(vec![1, 2, 3]);
    what.buttons = vec![button("yes"), button("no")];
    let id = bot.send(&chat, &what).await.unwrap();
    let sent = rig.discord.sent().await;
    assert_eq!(
        (sent.text.as_str(), sent.picture),
        ("scan this", Some(vec![1, 2, 3]))
    );
    let buttons = [("YES", "yes"), ("NO", "no")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(sent.buttons, buttons);

    bot.replace(&chat, &id, "done").await.unwrap();
    let call = rig.discord.called("PATCH /channels/{}/messages/{}").await;
    assert_eq!(call.body["content"], "done");
    assert_eq!(call.body["components"], serde_json::json!([]));
    bot.delete(&chat, &id).await.unwrap();
    // It is gone already.
    bot.delete(&chat, &id).await.unwrap();
    let gone = bot.replace(&chat, &id, "late").await;
    assert!(matches!(gone, Err(SendError::Chat { .. })), "{gone:?}");
    let wrong = bot.delete(&chat, &MessageId("x".to_owned())).await;
    assert!(matches!(wrong, Err(SendError::Unable)));
}

#[tokio::test]
async fn buttons_that_do_not_fit_are_refused() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    let mut what = Outgoing::text("x");
    what.buttons = vec![Button::new("l".repeat(200), "d".repeat(64)); 6];
    bot.send(&chat, &what).await.unwrap();
    assert_eq!(rig.discord.sent().await.buttons.len(), 6);
    what.buttons[0].data.push('d');
    assert!(matches!(
        bot.send(&chat, &what).await,
        Err(SendError::Unable)
    ));
}

#[tokio::test]
async fn a_message_that_was_lost_on_its_way_is_not_sent_twice() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    for done in [true, false] {
        rig.discord.answers(CREATE, Answer::HangUp { done });
        bot.send(&chat, &Outgoing::text(done.to_string()))
            .await
            .unwrap();
        assert_eq!(rig.discord.sent().await.text, done.to_string());
    }
    assert_eq!(rig.discord.count_sent(), 2);
    assert_eq!(rig.discord.count(CREATE), 4);
}

#[tokio::test]
async fn a_bucket_is_waited_for_and_never_overdrawn() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    rig.discord
        .behave(|behaviour| behaviour.limit = (3, Duration::from_millis(200)));
    let chat = Target::chat(rig.discord.chat_with(ANN));
    for number in 0..10 {
        bot.send(&chat, &Outgoing::text(number.to_string()))
            .await
            .unwrap();
        assert_eq!(rig.discord.sent().await.text, number.to_string());
    }
    // One request for each: none was refused.
    assert_eq!(rig.discord.count(CREATE), 10);
}

#[tokio::test]
async fn limits_are_obeyed_whatever_the_server_says_of_the_wait() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    rig.discord.answers(CREATE, Answer::Later(0.05, false));
    rig.discord.answers(CREATE, Answer::Later(0.05, true));
    // Something in between, whose wait is no number.
    let soon = ("retry-after", "soon");
    let raw = Answer::Raw(429, soon, "<html>".to_owned());
    rig.discord.answers(CREATE, raw);
    bot.send(&chat, &Outgoing::text("at last")).await.unwrap();
    assert_eq!(rig.discord.sent().await.text, "at last");
    assert_eq!(rig.discord.count(CREATE), 4);
}

#[tokio::test]
async fn hours_to_wait_are_said_at_once_and_remembered() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    rig.discord
        .answers(CREATE, Answer::Later(3.0 * 3600.0, true));
    for _ in 0..3 {
        let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
        let SendError::Unavailable { reason } = error else {
            panic!("{error}");
        };
        assert!(reason.contains("too many requests"), "{reason}");
    }
    // Asked once.
    assert_eq!(rig.discord.count(CREATE), 1);
    assert_eq!(rig.discord.count_sent(), 0);
}

#[tokio::test]
async fn a_server_that_fails_is_asked_a_few_times() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    let failing = || Answer::Raw(502, ("x-test", "1"), "<html>bad gateway".to_owned());
    rig.discord.answers(CREATE, failing());
    rig.discord.answers(CREATE, failing());
    bot.send(&chat, &Outgoing::text("x")).await.unwrap();
    for _ in 0..3 {
        rig.discord.answers(CREATE, failing());
    }
    let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
    assert!(matches!(error, SendError::Unavailable { .. }), "{error}");
    assert_eq!(rig.discord.count(CREATE), 6);
}

#[tokio::test]
async fn answers_that_are_none() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.discord.chat_with(ANN));
    for body in ["", "[]", "{}", "{\"id\": 7}", "{\"id\": \"x\"}"] {
        let raw = Answer::Raw(200, ("x-test", "1"), body.to_owned());
        rig.discord.answers(CREATE, raw);
        let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{body}");
    }
}

#[tokio::test]
async fn discord_is_asked_whether_it_accepts_the_bot() {
    let rig = Rig::new().await;
    let named = rig.bot().probe().await.unwrap().name.unwrap();
    assert!(!named.is_empty());
    let wrong = rig.bot_with("MTIz.notthis.one").probe().await.unwrap_err();
    assert!(
        matches!(&wrong, ProbeError::Refused { reason } if reason.contains("401")),
        "{wrong}"
    );
    assert!(!format!("{wrong:?}").contains("notthis"));
    rig.discord.answers(
        "GET /users/@me",
        Answer::Raw(502, ("x", "y"), "<html>".into()),
    );
    let error = rig.bot().probe().await.unwrap_err();
    assert!(matches!(error, ProbeError::Unavailable { .. }), "{error}");
}
