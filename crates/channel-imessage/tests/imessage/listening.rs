//! What is received, and what is not.

use channel_kit::SavedText as _;
use std::path::Path;

use channel_kit::{Adapter as _, Connection, Target};
use serde_json::{Value, json};
use test_support::imsg::ANN;

use crate::rig::{Rig, now};

#[tokio::test]
async fn direct_messages_and_those_of_groups() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    rig.imsg.message(
        "Ann@Example.ORG",
        &json!({ "text": "hello", "created_at": "2026-11-22T13:22:06.325Z" }),
    );
    let message = running.message().await;
    assert_eq!(message.sender, "ann@example.org");
    assert_eq!(message.chat, Target::chat("ann@example.org"));
    assert_eq!(
        (message.text.as_str(), message.id.as_str()),
        ("hello", "GUID-1")
    );
    assert_eq!(message.at, now());
    assert!(message.is_direct && message.authenticated && !message.from_me && !message.historical);
    for members in [
        json!({ "is_group": true }),
        json!({ "chat_guid": "iMessage;+;chat1" }),
        json!({ "participants": [ANN, "ben@example.org"] }),
    ] {
        let mut members = members;
        members["text"] = "all".into();
        rig.imsg.message(ANN, &members);
        let message = running.message().await;
        assert!(!message.is_direct, "{members}");
        assert_eq!(message.chat, Target::chat("chat_id:7"));
    }
    let status = running.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert_eq!(status.last_received, Some(now()));
    let first = rig.imsg.children()[0].clone();
    let (pid, arguments) = first.split_once(' ').unwrap();
    assert_eq!(arguments, "rpc --db /a chat.db");
    running.stop().await;
    assert!(!Path::new("/proc").join(pid).exists());
}

#[tokio::test]
async fn what_is_no_new_message_of_a_person_is_left_out() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    let with = |members: Value| {
        let mut members = members;
        if members.get("text").is_none() {
            members["text"] = "x".into();
        }
        rig.imsg.message(ANN, &members);
    };
    with(json!({ "is_from_me": true }));
    with(json!({ "is_reaction": true }));
    with(json!({ "text": "" }));
    with(json!({ "sender": null }));
    with(json!({ "is_from_me": null }));
    with(json!({ "guid": null, "id": null }));
    with(json!({ "guid": "x".repeat(1000) }));
    with(json!({ "is_group": true, "chat_id": null, "chat_guid": null }));
    // Short codes and local numbers: with another country they are somebody else's.
    for sender in ["262966", "15550001111", "Amazon", ""] {
        rig.imsg.says(sender, "x");
    }
    with(json!({ "text": "a message" }));
    assert_eq!(running.text().await, "a message");
    running.stop().await;
}

#[tokio::test]
async fn text_messages_are_not_vouched_for_unless_they_are_wanted() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    for members in [
        json!({ "service": "SMS" }),
        json!({ "chat_guid": format!("SMS;-;{ANN}") }),
        json!({ "service": "RCS" }),
    ] {
        let mut members = members;
        members["text"] = "x".into();
        rig.imsg.message(ANN, &members);
        assert!(!running.message().await.authenticated, "{members}");
    }
    running.stop().await;
    let account = rig
        .account(rig.imsg.program())
        .service(channel_imessage::Service::Sms);
    let mut running = crate::rig::Running::run(account, 16);
    rig.imsg.watching(2).await;
    rig.imsg
        .message(ANN, &json!({ "service": "SMS", "text": "x" }));
    assert!(running.message().await.authenticated);
    running.stop().await;
}

#[tokio::test]
async fn a_message_comes_once_and_the_next_child_is_asked_for_those_after_it() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    assert_eq!(rig.imsg.watching(1).await, json!({}));
    for _ in 0..10 {
        rig.imsg
            .message(ANN, &json!({ "guid": "A", "id": 41, "text": "once" }));
    }
    rig.imsg.says(ANN, "next");
    assert_eq!(running.text().await, "once");
    assert_eq!(running.text().await, "next");
    rig.imsg.end();
    assert_eq!(rig.imsg.watching(2).await, json!({ "since_rowid": 41 }));
    running.stop().await;
    let mut running = rig.watching(3).await;
    assert_eq!(rig.imsg.watching(3).await, json!({ "since_rowid": 41 }));
    rig.imsg
        .message(ANN, &json!({ "guid": "A", "id": 41, "text": "once" }));
    rig.imsg.message(
        ANN,
        &json!({ "guid": "B", "id": 42, "text": "old", "created_at": "2026-11-22T11:22:06Z" }),
    );
    let old = running.message().await;
    assert!(old.historical && old.text == "old");
    running.stop().await;
    // A day later the number says nothing any more.
    rig.clock.advance(std::time::Duration::from_secs(25 * 3600));
    let running = rig.watching(4).await;
    assert_eq!(rig.imsg.watching(4).await, json!({}));
    running.stop().await;
}

#[tokio::test]
async fn a_quiet_day_costs_no_message_that_comes_in_a_restart() {
    let mut rig = Rig::new().await;
    rig.pace.silence = std::time::Duration::from_millis(2);
    let day = std::time::Duration::from_secs(25 * 3600);
    let mut running = rig.watching(1).await;
    rig.imsg
        .message(ANN, &json!({ "id": 41, "text": "the last one" }));
    assert_eq!(running.text().await, "the last one");
    let saved = rig.seen.load().unwrap();
    // Nobody writes, and the child answers all the same. That is saved even if the gateway crashes.
    rig.clock.advance(day);
    for _ in 0..1000 {
        rig.imsg.called("chats.list").await;
        if rig.seen.load().unwrap() != saved {
            break;
        }
    }
    running.stop().await;
    let running = rig.watching(2).await;
    assert_eq!(rig.imsg.watching(2).await, json!({ "since_rowid": 41 }));
    running.stop().await;
}

#[tokio::test]
async fn a_flood_is_taken_in_pieces_and_answers_come_through_it() {
    let rig = Rig::new().await;
    let mut running = crate::rig::Running::run(rig.account(rig.imsg.program()), 1);
    rig.imsg.watching(1).await;
    for number in 0..200 {
        rig.imsg.says(ANN, &number.to_string());
    }
    // The inbox is full, and a request is answered all the same.
    running.adapter.probe().await.unwrap();
    for number in 0..200 {
        assert_eq!(running.text().await, number.to_string());
    }
    for number in 0..1000 {
        rig.imsg.says(ANN, &number.to_string());
    }
    let mut next = 0;
    let since = loop {
        tokio::select! {
            since = rig.imsg.watching(2) => break since,
            text = running.text() => {
                assert_eq!(text, next.to_string());
                next += 1;
            }
        }
    };
    // The next child is asked for the rest; one message may be in the inbox still.
    let asked = since["since_rowid"].as_i64().unwrap() - 200;
    assert!(
        next < 1000 && (next..=next + 1).contains(&asked),
        "{next} {asked}"
    );
    running.stop().await;
}
