//! Texts, pictures, buttons and replies.

use channel_kit::{Adapter as _, Button, Outgoing, SendError, Target};
use pairing_core::{ChannelId, Channels};
use serde_json::json;
use test_support::Logs;
use test_support::whatsapp::{ANN, Answer, TOKEN};

use crate::rig::{Rig, delivered};

fn asked(text: &str) -> Outgoing {
    let button = |label: &str, data: &str| Button::new(label, data);
    Outgoing::text(text).buttons(vec![button("Approve", "a:1"), button("Reject", "r:1")])
}

fn ann() -> Target {
    Target::chat(ANN)
}

#[tokio::test]
async fn texts_pictures_buttons_and_replies() {
    let rig = Rig::new().await;
    rig.whatsapp.without_window();
    let account = rig.account();
    let channels = Channels::builtin();
    let rules = channels.get(&ChannelId::parse("whatsapp").unwrap());
    let sender = rules.unwrap().sender(ANN).unwrap();
    assert_eq!(account.direct(&sender).await.unwrap(), ann());
    let id = account
        .send(&ann(), &Outgoing::text("hello <3"))
        .await
        .unwrap();
    let sent = rig.whatsapp.sent_to(ANN).await;
    assert_eq!((sent.text.as_str(), &sent.id), ("hello <3", &id.0));

    let long = "x".repeat(5000);
    account.send(&ann(), &Outgoing::text(long)).await.unwrap();
    assert_eq!(rig.whatsapp.sent().await.text.len(), 4096);
    assert_eq!(rig.whatsapp.sent().await.text.len(), 904);

    let id = account.send(&ann(), &asked("well?")).await.unwrap();
    let sent = rig.whatsapp.sent().await;
    assert_eq!((sent.kind.as_str(), &sent.id), ("interactive", &id.0));
    let buttons = [("Approve", "a:1"), ("Reject", "r:1")];
    assert_eq!(
        sent.buttons,
        buttons.map(|(label, data)| (label.to_owned(), data.to_owned()))
    );
    account.replace(&ann(), &id, "done").await.unwrap();
    let sent = rig.whatsapp.sent().await;
    assert_eq!((sent.text.as_str(), sent.reply_to), ("done", Some(id.0)));

    let mut picture = Outgoing::text("scan me");
    picture.picture = Some(vec![1, 2, 3]);
    account.send(&ann(), &picture).await.unwrap();
    let sent = rig.whatsapp.sent().await;
    assert_eq!(
        (sent.text.as_str(), sent.picture),
        ("scan me", Some(vec![1, 2, 3]))
    );
    picture.text = "y".repeat(1100);
    account.send(&ann(), &picture).await.unwrap();
    assert_eq!(rig.whatsapp.sent().await.kind, "text");
    assert_eq!(rig.whatsapp.sent().await.text, "");
    let mut both = asked("which?");
    both.picture = Some(vec![4]);
    let id = account.send(&ann(), &both).await.unwrap();
    assert_eq!(rig.whatsapp.sent().await.picture, Some(vec![4]));
    let sent = rig.whatsapp.sent().await;
    assert_eq!((sent.kind.as_str(), sent.id), ("interactive", id.0));

    account
        .send(&Target::chat("group:Y2Fw"), &Outgoing::text("all"))
        .await
        .unwrap();
    assert_eq!(rig.whatsapp.sent().await.to, "Y2Fw");
}

#[tokio::test]
async fn limits_are_waited_for_and_nothing_is_sent_twice() {
    let rig = Rig::new().await;
    rig.whatsapp.without_window();
    let account = rig.account();
    for code in [130_429, 131_056, 80_007, 4] {
        rig.whatsapp
            .answer("message", Answer::Code(code, "Rate limit hit"));
    }
    account.send(&ann(), &Outgoing::text("one")).await.unwrap();
    assert_eq!(rig.whatsapp.count("message"), 5);
    assert_eq!(rig.whatsapp.count_sent(), 1);
    rig.whatsapp.answer("message", Answer::Raw(503, ""));
    account.send(&ann(), &Outgoing::text("two")).await.unwrap();
    // It may have arrived, and is not repeated.
    for is_done in [true, false] {
        rig.whatsapp
            .answer("message", Answer::HangUp { done: is_done });
        let error = account
            .send(&ann(), &Outgoing::text("three"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, SendError::Unavailable { reason } if reason.contains("may have been sent"))
        );
    }
    rig.whatsapp
        .answer("message", Answer::Code(131_016, "Service unavailable"));
    let error = account
        .send(&ann(), &Outgoing::text("four"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("131016"), "{error}");
    assert_eq!(rig.whatsapp.count_sent(), 3);
    // A picture may be uploaded twice.
    rig.whatsapp.answer("media", Answer::HangUp { done: true });
    let mut picture = Outgoing::text("");
    picture.picture = Some(vec![1]);
    account.send(&ann(), &picture).await.unwrap();
    assert_eq!(
        (rig.whatsapp.count("media"), rig.whatsapp.count_sent()),
        (2, 4)
    );
}

#[tokio::test]
async fn limits_that_last_are_said_within_the_time_that_there_is() {
    let mut rig = Rig::new().await;
    rig.pace.patience = std::time::Duration::ZERO;
    let account = rig.account();
    rig.whatsapp
        .answer("message", Answer::Code(131_056, "Pair rate limit hit"));
    let error = account
        .send(&ann(), &Outgoing::text("one"))
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("131056") && said.contains("too many messages to one person"),
        "{said}"
    );
    assert_eq!(rig.whatsapp.count("message"), 1);
}

#[tokio::test]
async fn the_window_of_24_hours_is_named_at_once_or_afterwards() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let running = rig.listening().await;
    rig.whatsapp
        .answer("message", Answer::Code(131_047, "Re-engagement message"));
    let error = running
        .adapter
        .send(&ann(), &Outgoing::text("hello"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SendError::Chat { reason } if reason.contains("24 hours") && reason.contains("131047"))
    );

    // Meta takes it, and says later that it was not delivered.
    running
        .adapter
        .send(&ann(), &Outgoing::text("hello"))
        .await
        .unwrap();
    let sent = rig.whatsapp.sent().await;
    for status in ["sent", "delivered", "read"] {
        delivered(&running, &rig.whatsapp.status(&sent, status, &json!(null)));
    }
    let errors = json!([{ "code": 131_047, "title": "Re-engagement message" }]);
    for _ in 0..3 {
        delivered(&running, &rig.whatsapp.status(&sent, "failed", &errors));
    }
    logs.until("another message was not delivered", 2).await;
    assert_eq!(logs.count("whatsapp: a message was not delivered"), 1);
    assert!(logs.text().contains("they have to write first"));
    let status = running.adapter.status();
    assert!(status.last_error.unwrap().contains("131047"));
    assert_eq!(status.connection, channel_kit::Connection::Connected);
    running.stop().await;
    assert!(!logs.text().contains("hello"));
}

#[tokio::test]
async fn a_token_that_expires_mid_send_ends_the_account_and_is_named() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.whatsapp.without_window();
    let running = rig.listening().await;
    running
        .adapter
        .send(&ann(), &Outgoing::text("one"))
        .await
        .unwrap();
    rig.whatsapp.set_token("EAAGanothertokenanothertoken");
    let error = running
        .adapter
        .send(&ann(), &Outgoing::text("two"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("code 190"), "{error}");
    let account = running.adapter.clone();
    running.ended().await;
    assert_eq!(
        logs.count("whatsapp: the number is not accepted, the account is off"),
        1
    );
    assert!(account.status().last_error.unwrap().contains("code 190"));
    assert_eq!(rig.whatsapp.count_sent(), 1);
    // What is delivered meanwhile waits for another token.
    let note = rig.whatsapp.note(ANN, "still here?").to_string();
    assert_eq!(
        crate::rig::deliver_to(&account, &note),
        channel_kit::Delivery::Busy
    );
    assert!(!logs.text().contains(TOKEN));
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_and_not_tried() {
    let rig = Rig::new().await;
    let account = rig.account();
    for chat in ["", "15550001111", "ann@example.org", "+1555/../1", "group:"] {
        let sent = account
            .send(&Target::chat(chat), &Outgoing::text("x"))
            .await;
        assert!(matches!(sent, Err(SendError::Chat { .. })), "{chat}");
    }
    let mut many = asked("x");
    many.buttons.extend(many.buttons.clone());
    assert!(matches!(
        account.send(&ann(), &many).await,
        Err(SendError::Unable)
    ));
    assert!(matches!(
        account.send(&ann(), &Outgoing::text(" ")).await,
        Err(SendError::Unable)
    ));
    for (code, text) in [(131_026, "not on WhatsApp"), (131_030, "test number")] {
        rig.whatsapp.answer("message", Answer::Code(code, "no"));
        let error = account
            .send(&ann(), &Outgoing::text("x"))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, SendError::Chat { reason } if reason.contains(text)),
            "{error}"
        );
    }
    for (status, text) in [
        (200, "{}"),
        (200, "<html>"),
        (404, "nothing"),
        (200, "{\"messages\":[]}"),
    ] {
        rig.whatsapp.answer("message", Answer::Raw(status, text));
        let error = account
            .send(&ann(), &Outgoing::text("x"))
            .await
            .unwrap_err();
        assert!(matches!(error, SendError::Unavailable { .. }), "{error}");
    }
    let echo =
        "{\"error\":{\"code\":131009,\"message\":\"EAAGm0PX4ZCpsBAhunter2hunter2ZDZD is wrong\"}}";
    rig.whatsapp.answer("message", Answer::Raw(400, echo));
    let error = account
        .send(&ann(), &Outgoing::text("x"))
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
