//! Sending, replacing, deleting, and opening direct chats, within rate limits.

use channel_kit::{Adapter as _, Button, MessageId, Outgoing, ProbeError, SendError, Target};
use serde_json::json;
use test_support::slack::{APP_TOKEN, Answer};

use crate::rig::{ANN, Rig, sender};

const POST: &str = "chat.postMessage";

#[tokio::test]
async fn a_direct_chat_is_opened_once_and_written_to() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = bot.direct(&sender(ANN)).await.unwrap();
    assert_eq!(bot.direct(&sender(ANN)).await.unwrap(), chat);
    assert_eq!(rig.slack.count("conversations.open"), 1);
    let id = bot
        .send(&chat, &Outgoing::text("<!channel> & *you*"))
        .await
        .unwrap();
    let sent = rig.slack.sent().await;
    assert_eq!(
        (sent.text.as_str(), sent.ts),
        ("&lt;!channel&gt; &amp; *you*", id.0)
    );
    assert_eq!(sent.person.as_deref(), Some(ANN));
    let call = rig.slack.called(POST).await;
    assert_eq!(
        (&call.params["mrkdwn"], &call.params["unfurl_links"]),
        (&json!(false), &json!(false))
    );
    for target in [
        format!("user:{ANN}"),
        format!("channel:{}", chat.chat),
        ANN.to_owned(),
    ] {
        bot.send(&Target::chat(target), &Outgoing::text("x"))
            .await
            .unwrap();
        assert_eq!(rig.slack.sent().await.chat, chat.chat);
    }
    let thread = Some("1.2".to_owned());
    let threaded = Target::chat(chat.chat).thread(thread);
    bot.send(&threaded, &Outgoing::text("x")).await.unwrap();
    assert_eq!(rig.slack.sent().await.thread.as_deref(), Some("1.2"));
}

#[tokio::test]
async fn what_is_no_person_or_chat_is_named() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let error = bot.direct(&sender("ann smith")).await.unwrap_err();
    assert!(matches!(error, SendError::Chat { .. }), "{error}");
    for chat in ["", "x/../y", "channel:", "user:<@U1>", "C0UNKNOWN"] {
        let sent = bot.send(&Target::chat(chat), &Outgoing::text("x")).await;
        assert!(
            matches!(sent, Err(SendError::Chat { .. })),
            "{chat}: {sent:?}"
        );
    }
    for error in ["cannot_dm_bot", "user_disabled", "user_not_visible"] {
        rig.slack
            .answers("conversations.open", Answer::Error(error));
        let SendError::Chat { reason } = bot.direct(&sender("U9")).await.unwrap_err() else {
            panic!("{error}");
        };
        assert!(reason.contains(error), "{reason}");
    }
}

#[tokio::test]
async fn long_texts_are_split_at_four_thousand_characters() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    bot.send(&chat, &Outgoing::text("😀".repeat(4000)))
        .await
        .unwrap();
    assert_eq!(rig.slack.sent().await.text.chars().count(), 4000);
    let text = "word & ".repeat(15_000);
    let id = bot
        .send(&chat, &Outgoing::text(text.clone()))
        .await
        .unwrap();
    let mut whole = String::new();
    for ts in id.0.split(',') {
        let sent = rig.slack.sent().await;
        assert_eq!(sent.ts, ts);
        assert!(sent.text.chars().count() <= 4000);
        whole += &sent.text.split_whitespace().collect::<String>();
    }
    assert_eq!(
        whole,
        text.replace('&', "&amp;")
            .split_whitespace()
            .collect::<String>()
    );
    let blank = bot.send(&chat, &Outgoing::text(" \n")).await;
    assert!(matches!(blank, Err(SendError::Unable)));
}

#[tokio::test]
async fn pictures_with_words_replaced_and_deleted() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    let mut what = Outgoing::text("scan <this>");
    what.picture = Some(vec![1, 2, 3]);
    let id = bot.send(&chat, &what).await.unwrap();
    let sent = rig.slack.sent().await;
    let (file, picture) = sent.picture.unwrap();
    assert_eq!(
        (sent.text.as_str(), picture),
        ("scan &lt;this&gt;", vec![1, 2, 3])
    );
    assert_eq!(id.0, format!("file:{file}"));
    bot.delete(&chat, &id).await.unwrap();
    assert_eq!(
        rig.slack.called("files.delete").await.params["file"],
        file.as_str()
    );
    // It is gone already.
    bot.delete(&chat, &id).await.unwrap();
    let replaced = bot.replace(&chat, &id, "x").await;
    assert!(matches!(replaced, Err(SendError::Unable)));

    // With buttons, the words are a message of their own.
    what.buttons = vec![Button::new("Yes", "yes")];
    let id = bot.send(&chat, &what).await.unwrap();
    assert!(rig.slack.sent().await.picture.is_some());
    let sent = rig.slack.sent().await;
    assert_eq!(sent.buttons, [("Yes".to_owned(), "yes".to_owned())]);
    bot.replace(&chat, &id, "done").await.unwrap();
    assert_eq!(
        rig.slack.called("chat.update").await.params["ts"],
        sent.ts.as_str()
    );
    bot.delete(&chat, &id).await.unwrap();
    let gone = bot.replace(&chat, &id, "late").await;
    assert!(matches!(gone, Err(SendError::Chat { .. })), "{gone:?}");
    let wrong = bot.delete(&chat, &MessageId("x".to_owned())).await;
    assert!(matches!(wrong, Err(SendError::Unable)));
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    let mut what = Outgoing::text("x");
    what.picture = Some(vec![1]);
    let missing = Answer::Scope("files:write", "chat:write,im:write");
    rig.slack.answers("files.getUploadURLExternal", missing);
    let error = bot.send(&chat, &what).await.unwrap_err().to_string();
    assert!(
        error.contains("needed: files:write") && error.contains("chat:write,im:write"),
        "{error}"
    );
}

#[tokio::test]
async fn a_picture_goes_only_where_it_is_safe() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    let mut what = Outgoing::text("x");
    what.picture = Some(vec![1]);
    for url in ["http://example.org/x", "ftp://127.0.0.1/x", ""] {
        let answer = json!({ "ok": true, "upload_url": url, "file_id": "F1" });
        rig.slack.answers(
            "files.getUploadURLExternal",
            Answer::Raw(200, answer.to_string()),
        );
        let error = bot.send(&chat, &what).await.unwrap_err();
        assert!(
            matches!(error, SendError::Unavailable { .. }),
            "{url}: {error}"
        );
    }
    assert_eq!(rig.slack.count("upload"), 0);
}

#[tokio::test]
async fn long_texts_with_buttons_are_one_message_and_what_does_not_fit_is_refused() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    let mut what = Outgoing::text("word ".repeat(790));
    what.buttons = vec![Button::new("l".repeat(200), "d".repeat(64)); 25];
    bot.send(&chat, &what).await.unwrap();
    assert_eq!(rig.slack.sent().await.buttons.len(), 25);
    assert_eq!(rig.slack.count_sent(), 1);
    what.buttons[0].data.push('d');
    assert!(matches!(
        bot.send(&chat, &what).await,
        Err(SendError::Unable)
    ));
}

#[tokio::test]
async fn limits_are_waited_for_within_reason() {
    let mut rig = Rig::new().await;
    rig.pace.patience = std::time::Duration::from_secs(5);
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    rig.slack.answers(POST, Answer::Later("0.05"));
    bot.send(&chat, &Outgoing::text("x")).await.unwrap();
    // A wait that is no number is a second.
    rig.slack.answers(POST, Answer::Later("soon"));
    bot.send(&chat, &Outgoing::text("x")).await.unwrap();
    assert_eq!(rig.slack.count(POST), 4);
    // Hours are not waited for; and the server is left alone meanwhile.
    rig.slack.answers(POST, Answer::Later("7200"));
    for _ in 0..3 {
        let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("7200 s"), "{error}");
    }
    assert_eq!(rig.slack.count(POST), 5);
    // Another method has a limit of its own.
    bot.direct(&sender(ANN)).await.unwrap();
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_not_sent_again() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    for answer in [
        Answer::HangUp { done: true },
        Answer::Error("internal_error"),
        Answer::Raw(500, "<html>".to_owned()),
    ] {
        rig.slack.answers(POST, answer);
        let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{error}");
    }
    assert_eq!((rig.slack.count(POST), rig.slack.count_sent()), (3, 1));
    // Deleting twice is no more than once.
    let id = bot.send(&chat, &Outgoing::text("x")).await.unwrap();
    rig.slack
        .answers("chat.delete", Answer::HangUp { done: true });
    bot.delete(&chat, &id).await.unwrap();
    assert_eq!(rig.slack.count("chat.delete"), 2);
}

#[tokio::test]
async fn answers_that_are_none() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let chat = Target::chat(rig.slack.chat_with(ANN));
    for body in [
        "",
        "[]",
        "{}",
        "{\"ok\":true}",
        "{\"ok\":true,\"ts\":7}",
        "{\"ok\":\"true\"}",
    ] {
        rig.slack.answers(POST, Answer::Raw(200, body.to_owned()));
        let error = bot.send(&chat, &Outgoing::text("x")).await.unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{body}");
    }
}

#[tokio::test]
async fn slack_is_asked_whether_it_accepts_the_bot() {
    let rig = Rig::new().await;
    let named = rig.bot().probe().await.unwrap().name.unwrap();
    assert!(named.contains(" in "), "{named}");
    let wrong = rig.bot_with("xoxb-1-2-notthisone", APP_TOKEN);
    let error = wrong.probe().await.unwrap_err();
    assert!(
        matches!(&error, ProbeError::Refused { reason } if reason.contains("invalid_auth")),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("notthisone"));
}
