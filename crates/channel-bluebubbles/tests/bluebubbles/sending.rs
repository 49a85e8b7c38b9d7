//! What is sent, and how it fails.

use channel_kit::{Adapter as _, Outgoing, ProbeError, SendError, Target};
use pairing_core::Channels;
use serde_json::json;
use test_support::bluebubbles::{ANN, PASSWORD};

use crate::rig::Rig;

fn to_ann() -> Target {
    Target::chat(format!("iMessage;-;{ANN}"))
}

#[tokio::test]
async fn texts_go_to_their_chat_and_long_ones_in_parts() {
    let rig = Rig::new().await;
    rig.server.notes(ANN, "hello");
    let account = rig.account();
    let sent = account
        .send(&to_ann(), &Outgoing::text("*yes*"))
        .await
        .unwrap();
    assert!(sent.0.starts_with("p:0/"), "{}", sent.0);
    let request = rig.server.requested("POST message/text").await;
    assert_eq!(request["message"], "*yes*");
    assert_eq!(request["chatGuid"], format!("iMessage;-;{ANN}"));
    let first = request["tempGuid"].as_str().unwrap().to_owned();
    account
        .send(&to_ann(), &Outgoing::text("a".repeat(9000)))
        .await
        .unwrap();
    for length in [4000, 4000, 1000] {
        let request = rig.server.requested("POST message/text").await;
        assert_eq!(request["message"].as_str().unwrap().len(), length);
        assert_ne!(request["tempGuid"], first.as_str());
    }
    let empty = account.send(&to_ann(), &Outgoing::text("")).await;
    assert!(matches!(empty, Err(SendError::Unable)));
}

#[tokio::test]
async fn a_picture_follows_its_text() {
    let rig = Rig::new().await;
    rig.server.notes(ANN, "hello");
    let mut what = Outgoing::text("scan this");
    what.picture = Some(b"\x89PNG".to_vec());
    rig.account().send(&to_ann(), &what).await.unwrap();
    assert_eq!(
        rig.server.requested("POST message/text").await["message"],
        "scan this"
    );
    let request = rig.server.requested("POST message/attachment").await;
    assert_eq!(request["chatGuid"], format!("iMessage;-;{ANN}"));
    assert_eq!(request["name"], "picture.png");
}

#[tokio::test]
async fn a_person_is_written_to_in_their_chat_or_in_a_new_one() {
    let rig = Rig::new().await;
    let sms = json!({ "chats": [{ "guid": "SMS;-;+15550002222" }] });
    rig.server.notes_with(&sms);
    let account = rig.account();
    let channels = Channels::builtin();
    let send = async |person: &str| {
        let sender = channels
            .get(account.channel())
            .unwrap()
            .sender(person)
            .unwrap();
        let to = account.direct(&sender).await.unwrap();
        account.send(&to, &Outgoing::text("a".repeat(5000))).await
    };
    send("+15550002222").await.unwrap();
    for _ in 0..2 {
        let request = rig.server.requested("POST message/text").await;
        assert_eq!(request["chatGuid"], "SMS;-;+15550002222");
    }
    // The first part begins the chat, and the second one is said in it.
    send("ann@example.org").await.unwrap();
    let request = rig.server.requested("POST chat/new").await;
    assert_eq!(request["addresses"], json!(["ann@example.org"]));
    let request = rig.server.requested("POST message/text").await;
    assert_eq!(request["chatGuid"], "iMessage;-;ann@example.org");
    rig.server.without_private_api();
    let refused = send("ben@example.org").await.unwrap_err();
    let SendError::Chat { reason } = refused else {
        panic!("{refused}");
    };
    assert!(reason.contains("let them write first"), "{reason}");
    for none in ["", "ann", "262966", "chat12", "iMessage;*;x"] {
        let sent = account
            .send(&Target::chat(none), &Outgoing::text("x"))
            .await;
        assert!(matches!(sent, Err(SendError::Chat { .. })), "{none}");
    }
}

#[tokio::test]
async fn failures_say_whether_the_person_or_the_server_is_meant() {
    let rig = Rig::new().await;
    rig.server.notes(ANN, "hello");
    let account = rig.account();
    let send = async || {
        account
            .send(&to_ann(), &Outgoing::text("x"))
            .await
            .unwrap_err()
    };
    rig.server.refuse(
        500,
        "iMessage Error",
        "not registered with iMessage\u{1b}[31m",
    );
    let error = send().await;
    assert!(matches!(error, SendError::Chat { .. }), "{error}");
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    rig.server.refuse(500, "Server Error", "no disk");
    let error = send().await;
    assert!(matches!(error, SendError::Unavailable { .. }), "{error}");
    assert!(!error.to_string().contains("may have been sent"), "{error}");
    rig.server.answer_with(502);
    let error = send().await.to_string();
    assert!(
        error.contains("not as BlueBubbles does: it may have been sent"),
        "{error}"
    );
    let unreached = rig.account_at("http://127.0.0.1:1", PASSWORD);
    let error = unreached.send(&to_ann(), &Outgoing::text("x")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("does not run at serverUrl"), "{error}");
    for text in [error, format!("{unreached:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_probe_names_the_account_and_a_wrong_password() {
    let rig = Rig::new().await;
    let probed = rig.account().probe().await.unwrap();
    assert_eq!(probed.name.as_deref(), Some("bot@example.org"));
    let wrong = rig.account_at(rig.server.root(), "wrong").probe().await;
    assert!(matches!(wrong, Err(ProbeError::Refused { .. })));
    rig.server.answer_with(502);
    let down = rig.account().probe().await;
    assert!(matches!(down, Err(ProbeError::Unavailable { .. })));
}
