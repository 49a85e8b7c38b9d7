//! Messages that no webhook delivered.

use std::time::Duration;

use channel_kit::Adapter as _;
use channel_kit::Connection;
use serde_json::json;
use test_support::bluebubbles::ANN;

use crate::rig::{Rig, Running, deliver, delivered};

#[tokio::test]
async fn what_was_there_before_the_first_start_is_history() {
    let rig = Rig::new().await;
    for number in 0..200 {
        rig.server.notes(ANN, &format!("history {number}"));
    }
    // The latest ones say nothing of the time, or a time to come.
    for changes in [
        json!({ "dateCreated": null }),
        json!({ "dateCreated": 4_102_444_800_000_i64 }),
    ] {
        rig.server.notes_with(&changes);
    }
    let mut running = rig.listening().await;
    delivered(&running, &rig.server.notes(ANN, "new"));
    assert_eq!(running.text().await, "new");
    running.stop().await;
}

#[tokio::test]
async fn what_came_while_the_gateway_was_away_is_fetched_in_order_and_once() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    delivered(&running, &rig.server.notes(ANN, "before"));
    assert_eq!(running.text().await, "before");
    running.stop().await;
    for number in 0..250 {
        rig.server.notes(ANN, &number.to_string());
    }
    rig.server
        .notes_with(&json!({ "text": "of mine", "isFromMe": true }));
    let mut running = Running::run(rig.account(), 1);
    for number in 0..250 {
        assert_eq!(running.text().await, number.to_string());
    }
    running.stop().await;
    let mut running = rig.listening().await;
    delivered(&running, &rig.server.notes(ANN, "after"));
    assert_eq!(running.text().await, "after");
    running.stop().await;
}

#[tokio::test]
async fn a_day_is_the_longest_absence() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    delivered(&running, &rig.server.notes(ANN, "before"));
    assert_eq!(running.text().await, "before");
    running.stop().await;
    rig.server.notes(ANN, "two days ago");
    let two_days = Duration::from_secs(2 * 24 * 3600);
    rig.clock.advance(two_days);
    rig.server
        .set_now(1_795_353_800_000 + 2 * 24 * 3_600_000 - 1000);
    rig.server.notes(ANN, "just now");
    let mut running = rig.listening().await;
    assert_eq!(running.text().await, "just now");
    assert!(running.is_quiet());
    running.stop().await;
}

#[tokio::test]
async fn without_a_webhook_messages_come_by_asking() {
    let mut rig = Rig::new().await;
    rig.pace.poll = Duration::from_millis(5);
    let mut running = rig.listening().await;
    for number in 0..20 {
        rig.server.notes(ANN, &number.to_string());
        assert_eq!(running.text().await, number.to_string());
    }
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_is_broken_hides_no_other() {
    let rig = Rig::new().await;
    let running = rig.listening().await;
    running.stop().await;
    for broken in [
        json!({ "guid": null }),
        json!({ "guid": "a\u{0}b" }),
        json!({ "dateCreated": "soon" }),
        json!({ "handle": 7 }),
        json!({ "chats": "all" }),
    ] {
        rig.server.notes_with(&broken);
    }
    rig.server.notes(ANN, "whole");
    let mut running = rig.listening().await;
    assert_eq!(running.text().await, "whole");
    assert_eq!(running.adapter.status().connection, Connection::Connected);
    running.stop().await;
}

#[tokio::test]
async fn a_message_from_the_future_does_not_hide_the_next_one() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let far = json!({ "text": "from 2100", "dateCreated": 4_102_444_800_000_i64,
                      "handle": { "address": ANN }, "chats": [{ "guid": format!("iMessage;-;{ANN}") }] });
    delivered(&running, &rig.server.notes_with(&far));
    assert_eq!(running.text().await, "from 2100");
    running.stop().await;
    rig.server.notes(ANN, "from now");
    let mut running = rig.listening().await;
    assert_eq!(running.text().await, "from now");
    assert!(running.is_quiet());
    running.stop().await;
}

#[tokio::test]
async fn a_crowd_of_messages_from_the_future_hides_none_of_now() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let chats = json!([{ "guid": format!("iMessage;-;{ANN}") }]);
    let far = |number: i64| {
        rig.server.notes_with(
            &json!({ "text": "from 2100", "dateCreated": 4_102_444_800_000_i64 + number,
                     "handle": { "address": ANN }, "chats": chats }),
        )
    };
    for number in 0..128 {
        delivered(&running, &far(number));
        assert_eq!(running.text().await, "from 2100");
    }
    for number in 128..400 {
        deliver(&running, &far(number));
    }
    deliver(&running, &rig.server.notes(ANN, "from now"));
    assert_eq!(running.text().await, "from now");
    running.stop().await;
}
