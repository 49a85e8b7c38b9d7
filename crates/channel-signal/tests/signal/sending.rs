//! What is sent, and what becomes of it.

use channel_kit::{
    Adapter as _, Button, MessageId, Outgoing, ProbeError, Probed, SendError, Target,
};
use serde_json::json;
use test_support::signal::{ACCOUNT, ANN};

use crate::rig::Rig;

fn ann() -> Target {
    Target::chat(ANN.number.unwrap())
}

#[tokio::test]
async fn texts_pictures_and_deletion() {
    let rig = Rig::new().await;
    let account = rig.account();
    let sent = account
        .send(&ann(), &Outgoing::text("*hello* @ann"))
        .await
        .unwrap();
    let call = rig.signal.called("send").await;
    assert_eq!(
        call,
        json!({ "account": ACCOUNT, "recipient": [ANN.number], "message": "*hello* @ann" })
    );
    account.delete(&ann(), &sent).await.unwrap();
    let call = rig.signal.called("remoteDelete").await;
    assert_eq!(call["targetTimestamp"].to_string(), sent.0);
    let picture = Outgoing::text("look").picture(b"png".to_vec());
    let person = Target::chat(format!("uuid:{}", ANN.uuid));
    account.send(&person, &picture).await.unwrap();
    let call = rig.signal.called("send").await;
    assert_eq!(call["recipient"], json!([ANN.uuid]));
    assert_eq!(call["message"], "look");
    let data = "data:image/png;filename=picture.png;base64,cG5n";
    assert_eq!(call["attachments"], json!([data]));
    account
        .send(&Target::chat("group:YWJj"), &Outgoing::text("all"))
        .await
        .unwrap();
    let call = rig.signal.called("send").await;
    assert_eq!(
        (&call["groupId"], &call["recipient"]),
        (&json!("YWJj"), &json!(null))
    );
}

#[tokio::test]
async fn a_long_text_is_several_messages_and_one_id() {
    let rig = Rig::new().await;
    let account = rig.account();
    let text = "word ".repeat(1000);
    let sent = account.send(&ann(), &Outgoing::text(&text)).await.unwrap();
    let mut arrived = Vec::new();
    for _ in 0..3 {
        let call = rig.signal.called("send").await;
        let part = call["message"].as_str().unwrap().to_owned();
        assert!(part.len() <= 2000);
        arrived.push(part);
    }
    assert_eq!(arrived.join(" ").trim(), text.trim());
    account.delete(&ann(), &sent).await.unwrap();
    for _ in 0..3 {
        rig.signal.called("remoteDelete").await;
    }
    assert_eq!(rig.signal.calls(), 0);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not() {
    let rig = Rig::new().await;
    let account = rig.account();
    let buttons = vec![Button::new("Approve", "a")];
    let with_buttons = Outgoing::text("x").buttons(buttons);
    for what in [with_buttons, Outgoing::text("")] {
        let error = account.send(&ann(), &what).await.unwrap_err();
        assert!(matches!(error, SendError::Unable), "{error}");
    }
    for chat in ["ann", "--help", "group:", "uuid:1"] {
        let error = account
            .send(&Target::chat(chat), &Outgoing::text("x"))
            .await;
        assert!(matches!(error, Err(SendError::Chat { .. })), "{chat}");
    }
    let error = account.delete(&ann(), &MessageId("soon".into())).await;
    assert!(matches!(error, Err(SendError::Unable)));
    assert_eq!(rig.signal.calls(), 0);
}

#[tokio::test]
async fn refusals_name_what_mends_them() {
    let rig = Rig::new().await;
    let account = rig.account();
    for (code, kind, is_about_chat, named) in [
        (
            -4,
            "IDENTITY_FAILURE",
            true,
            "signal-cli -a <account> trust",
        ),
        (
            -1,
            "UNREGISTERED_FAILURE",
            true,
            "cannot be reached on Signal",
        ),
        (
            -5,
            "PROOF_REQUIRED_FAILURE",
            false,
            "submitRateLimitChallenge",
        ),
        (-5, "RATE_LIMIT_FAILURE", false, "Failed to send message"),
        (-1, "NETWORK_FAILURE", false, "Failed to send message"),
    ] {
        rig.signal
            .refuse(code, "Failed to send message", Some(kind));
        let error = account
            .send(&ann(), &Outgoing::text("hunter2"))
            .await
            .unwrap_err();
        assert_eq!(
            matches!(error, SendError::Chat { .. }),
            is_about_chat,
            "{error}"
        );
        assert!(error.to_string().contains(named), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
        // It is sent once.
        rig.signal.called("send").await;
        assert_eq!(rig.signal.calls(), 0);
    }
    // The account is not there any more, at Signal or at the daemon.
    rig.signal
        .refuse(-1, "User +15550000001 is not registered.", None);
    for _ in 0..2 {
        let error = account
            .send(&ann(), &Outgoing::text("x"))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("openclaw channels login signal"),
            "{error}"
        );
        rig.signal.set_accounts(&[]);
    }
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_again() {
    let rig = Rig::new().await;
    let account = rig.account();
    for status in [500, 404] {
        rig.signal.answer_with(status);
        let error = account
            .send(&ann(), &Outgoing::text("x"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("may have been sent"), "{error}");
        assert!(matches!(error, SendError::Unavailable { .. }));
        assert_eq!(rig.signal.calls(), 0);
    }
    let gone = rig.account_at("http://127.0.0.1:1", Some(ACCOUNT));
    let error = gone.send(&ann(), &Outgoing::text("x")).await.unwrap_err();
    assert!(error.to_string().contains("does not run"), "{error}");
}

#[tokio::test]
async fn the_daemon_is_asked_whether_it_has_the_account() {
    let rig = Rig::new().await;
    for number in [Some(ACCOUNT), None] {
        let account = rig.account_at(rig.signal.root(), number);
        assert_eq!(account.probe().await, Ok(Probed::named(ACCOUNT)));
    }
    rig.signal.set_accounts(&["+15550009999", "+15550008888"]);
    for number in [Some(ACCOUNT), None] {
        let error = rig
            .account_at(rig.signal.root(), number)
            .probe()
            .await
            .unwrap_err();
        assert!(matches!(error, ProbeError::Refused { .. }), "{error}");
    }
    let away = rig
        .account_at("http://127.0.0.1:1", None)
        .probe()
        .await
        .unwrap_err();
    assert!(matches!(away, ProbeError::Unavailable { .. }), "{away}");
}
