//! What the webhook delivers.

use channel_kit::{Adapter as _, Connection, Delivery, Target, WebhookHead};
use pairing_core::{Clock as _, Timestamp};
use serde_json::json;
use test_support::bluebubbles::ANN;

use crate::rig::{Rig, Running, deliver, delivered};

#[tokio::test]
async fn direct_messages_and_those_of_groups() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let event = rig.server.notes(ANN, "hello\nyou");
    delivered(&running, &event);
    let message = running.message().await;
    assert_eq!(message.sender, ANN);
    assert_eq!(message.chat, Target::chat(format!("iMessage;-;{ANN}")));
    assert_eq!(message.id, event["data"]["guid"].as_str().unwrap());
    assert_eq!(message.text, "hello\nyou");
    let at = event["data"]["dateCreated"].as_i64().unwrap();
    assert_eq!(message.at, Timestamp::from_millis(at));
    assert!(message.is_direct && message.authenticated && !message.historical);
    let in_group = json!({ "text": "all of you", "handle": { "address": "Ben@Example.ORG" },
                           "chats": [{ "guid": "iMessage;+;chat12" }] });
    delivered(&running, &rig.server.notes_with(&in_group));
    let message = running.message().await;
    assert_eq!(message.sender, "ben@example.org");
    assert!(!message.is_direct);
    assert_eq!(message.chat, Target::chat("iMessage;+;chat12"));
    let status = running.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert_eq!(status.last_received, Some(rig.clock.now()));
    running.stop().await;
}

#[tokio::test]
async fn what_is_no_new_message_of_a_person_is_left_out() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    for changes in [
        json!({ "isFromMe": true }),
        json!({ "associatedMessageType": "love", "associatedMessageGuid": "p:0/00000001" }),
        json!({ "associatedMessageType": 3001 }),
        json!({ "itemType": 2, "groupActionType": 1 }),
        json!({ "dateEdited": 1 }),
        json!({ "dateRetracted": 1 }),
        json!({ "handle": null }),
        json!({ "handle": { "address": "262966" } }),
        json!({ "chats": [] }),
    ] {
        let mut event = rig.server.notes(ANN, "x");
        for (key, value) in changes.as_object().unwrap() {
            event["data"][key] = value.clone();
        }
        delivered(&running, &event);
    }
    for kind in [
        "updated-message",
        "typing-indicator",
        "chat-read-status-changed",
        "of 2027",
    ] {
        delivered(
            &running,
            &json!({ "type": kind, "data": rig.server.notes(ANN, "x")["data"] }),
        );
    }
    delivered(&running, &rig.server.notes(ANN, "a message"));
    assert_eq!(running.text().await, "a message");
    assert!(running.is_quiet());
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_replayed_is_delivered_once_also_after_a_restart() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let event = rig.server.notes(ANN, "once");
    for _ in 0..10 {
        delivered(&running, &event);
    }
    delivered(&running, &rig.server.notes(ANN, "next"));
    assert_eq!(running.text().await, "once");
    assert_eq!(running.text().await, "next");
    running.stop().await;
    let mut running = rig.listening().await;
    delivered(&running, &event);
    // With another time it is the same message.
    let mut later = event.clone();
    later["data"]["dateCreated"] = json!(1_795_353_799_000_i64);
    delivered(&running, &later);
    delivered(&running, &rig.server.notes(ANN, "after a restart"));
    assert_eq!(running.text().await, "after a restart");
    running.stop().await;
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_and_harm_nothing() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let webhook = running.adapter.webhook().unwrap();
    let deep = "[".repeat(1 << 20);
    for body in ["", "{", "null", "[]", "{\"type\":\"new-message\"}", &deep] {
        assert_eq!(webhook.receive(body.as_bytes()), Delivery::Malformed);
    }
    assert_eq!(webhook.receive(b"\xff\xfe"), Delivery::Malformed);
    delivered(&running, &rig.server.notes(ANN, &"ä".repeat(100_000)));
    assert_eq!(running.text().await.len(), 64 << 10);
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_is_admitted_by_the_password_alone() {
    let rig = Rig::new().await;
    let account = rig.account();
    let webhook = account.webhook().unwrap();
    assert_eq!(webhook.path(), "/bluebubbles-webhook");
    let none = |_: &str| None;
    let admits = |query| webhook.admits(&WebhookHead::new(query, &none));
    assert!(admits(Some("password=hunter2%20%26%20co")));
    assert!(!admits(Some("password=hunter2")) && !admits(None));
}

#[tokio::test]
async fn a_flood_loses_nothing_and_keeps_its_order() {
    let rig = Rig::new().await;
    let mut running = Running::run(rig.account(), 1);
    rig.asked().await;
    let mut busy = 0;
    for number in 0..1000 {
        let event = rig.server.notes(ANN, &number.to_string());
        busy += usize::from(deliver(&running, &event) == Delivery::Busy);
    }
    assert!(busy > 0);
    for number in 0..1000 {
        assert_eq!(running.text().await, number.to_string());
    }
    running.stop().await;
}

#[tokio::test]
async fn the_sender_of_a_text_message_counts_only_where_the_owner_says_so() {
    let rig = Rig::new().await;
    for trusts_sms in [false, true] {
        let mut running = Running::run(rig.account().trusts_sms(trusts_sms), 16);
        rig.asked().await;
        let mut event = rig.server.notes(ANN, "by SMS");
        event["data"]["chats"] = json!([{ "guid": format!("SMS;-;{ANN}"), "style": 45 }]);
        delivered(&running, &event);
        let message = running.message().await;
        assert_eq!(
            (message.text.as_str(), message.authenticated),
            ("by SMS", trusts_sms)
        );
        running.stop().await;
    }
}
