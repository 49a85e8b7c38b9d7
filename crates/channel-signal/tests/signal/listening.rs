//! What is received, and what is not.

use channel_kit::{Adapter as _, Connection, Target};
use pairing_core::{Clock as _, Timestamp};
use serde_json::json;
use test_support::Logs;
use test_support::signal::{ANN, Person};

use crate::rig::Rig;

/// Ann, who hides her number.
const HIDDEN: Person = Person {
    number: None,
    ..ANN
};

#[tokio::test]
async fn direct_messages_and_those_of_groups() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    let at = rig.signal.says(ANN, "hello\nyou");
    let message = running.message().await;
    assert_eq!(message.sender, ANN.number.unwrap());
    assert_eq!(message.also, [format!("uuid:{}", ANN.uuid)]);
    assert_eq!(message.chat, Target::chat(ANN.number.unwrap()));
    assert_eq!(
        (message.text.as_str(), message.id),
        ("hello\nyou", at.to_string())
    );
    assert_eq!(message.at, Timestamp::from_millis(at));
    assert!(message.is_direct && message.authenticated);
    assert!(!message.from_me && !message.historical);
    rig.signal.says_in_group(ANN, "YWJj", "all of you");
    let message = running.message().await;
    assert!(!message.is_direct);
    assert_eq!(message.chat, Target::chat("group:YWJj"));
    let status = running.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert_eq!(status.last_received, Some(rig.clock.now()));
    running.stop().await;
}

#[tokio::test]
async fn one_person_by_number_and_by_id_also_after_a_restart() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    rig.signal.says(ANN, "with a number");
    assert_eq!(running.message().await.sender, ANN.number.unwrap());
    rig.signal.says(HIDDEN, "without");
    assert_eq!(running.message().await.sender, ANN.number.unwrap());
    running.stop().await;
    let mut running = rig.listening(2).await;
    rig.signal.says(HIDDEN, "after a restart");
    let message = running.message().await;
    assert_eq!(message.sender, ANN.number.unwrap());
    assert_eq!(message.also, [format!("uuid:{}", ANN.uuid)]);
    running.stop().await;
}

#[tokio::test]
async fn what_is_no_new_message_of_a_person_is_left_out() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    let said = json!({ "message": "x" });
    rig.signal.event(
        ANN,
        "editMessage",
        |at| json!({ "targetSentTimestamp": at, "dataMessage": said }),
    );
    rig.signal
        .event(ANN, "syncMessage", |_| json!({ "sentMessage": said }));
    rig.signal.event(
        ANN,
        "receiptMessage",
        |at| json!({ "isRead": true, "timestamps": [at] }),
    );
    rig.signal
        .event(ANN, "typingMessage", |_| json!({ "action": "STARTED" }));
    rig.signal.event(ANN, "callMessage", |_| json!({}));
    rig.signal.event(
        ANN,
        "storyMessage",
        |_| json!({ "textAttachment": { "text": "x" } }),
    );
    rig.signal.event(
        ANN,
        "dataMessage",
        |_| json!({ "message": null, "reaction": { "emoji": "x" } }),
    );
    rig.signal.event(
        ANN,
        "dataMessage",
        |at| json!({ "remoteDelete": { "timestamp": at } }),
    );
    rig.signal.event(
        ANN,
        "dataMessage",
        |_| json!({ "isExpirationUpdate": true, "expiresInSeconds": 60 }),
    );
    rig.signal
        .raw(b":\nevent:receive\ndata:{half\n\nevent:other\ndata:[]\n\n");
    rig.signal.says(ANN, "a message");
    assert_eq!(running.text().await, "a message");
    let own = Person {
        number: Some(test_support::signal::ACCOUNT),
        ..ANN
    };
    rig.signal.says(own, "from me");
    assert!(running.message().await.from_me);
    running.stop().await;
}

#[tokio::test]
async fn a_message_comes_once_however_often_it_is_delivered() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    let said = json!({ "message": "once" });
    for _ in 0..10 {
        rig.signal.event_at(ANN, "dataMessage", 7, &said);
    }
    rig.signal.says(ANN, "next");
    assert_eq!(running.text().await, "once");
    assert_eq!(running.text().await, "next");
    running.stop().await;
    let mut running = rig.listening(2).await;
    rig.signal.event_at(ANN, "dataMessage", 7, &said);
    // Another person at the same time.
    let ben = Person {
        number: None,
        uuid: "00000000-0000-4000-8000-000000000002",
        name: "Ben",
    };
    rig.signal
        .event_at(ben, "dataMessage", 7, &json!({ "message": "of another" }));
    assert_eq!(running.text().await, "of another");
    running.stop().await;
}

#[tokio::test]
async fn a_full_inbox_holds_the_stream_and_loses_nothing() {
    let rig = Rig::new().await;
    let mut running = crate::rig::Running::run(rig.account(), 1);
    rig.signal.opened(1).await;
    for number in 0..300 {
        rig.signal.says(ANN, &number.to_string());
    }
    for number in 0..300 {
        assert_eq!(running.text().await, number.to_string());
    }
    running.stop().await;
}

#[tokio::test]
async fn a_number_that_moves_to_another_person_takes_no_approval_along() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    rig.signal.says(ANN, "from Ann");
    assert_eq!(running.message().await.sender, ANN.number.unwrap());
    let ben = Person {
        uuid: "00000000-0000-4000-8000-000000000002",
        name: "Ben",
        ..ANN
    };
    let by_id = format!("uuid:{}", ben.uuid);
    for _ in 0..2 {
        rig.signal.says(ben, "with her old number");
        let message = running.message().await;
        assert_eq!(
            (&message.sender, &message.chat),
            (&by_id, &Target::chat(&by_id))
        );
        assert!(message.also.is_empty(), "{:?}", message.also);
    }
    rig.signal
        .says(ANN, "Ann again, by the number that is Ben's now");
    let message = running.message().await;
    assert_eq!(message.sender, format!("uuid:{}", ANN.uuid));
    assert!(message.also.is_empty());
    assert_eq!(logs.count("signal: a phone number has moved"), 2);
    assert!(!logs.text().contains(ANN.number.unwrap()));
    running.stop().await;
}

#[tokio::test]
async fn what_another_account_of_the_daemon_received_is_left_out() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    let envelope = json!({
        "sourceNumber": ANN.number, "sourceUuid": ANN.uuid, "timestamp": 7,
        "dataMessage": { "timestamp": 7, "message": "to another account" },
    });
    let event = json!({ "envelope": envelope, "account": "+15550009999" });
    rig.signal.raw(format!("data:{event}\n\n").as_bytes());
    rig.signal.says(ANN, "to this one");
    assert_eq!(running.text().await, "to this one");
    running.stop().await;
}
