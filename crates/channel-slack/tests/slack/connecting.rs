//! Connections: opened, replaced without a gap, lost; and what comes again across them and across restarts.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection, SavedText as _};

use crate::rig::{ANN, Rig, Running};

#[tokio::test]
async fn a_message_comes_in() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let ts = rig.slack.says(ANN, "a &lt; b");
    let inbound = bot.message().await;
    assert_eq!((inbound.text.as_str(), inbound.id), ("a < b", ts));
    assert_eq!(inbound.sender, ANN);
    assert_eq!(inbound.chat.chat, rig.slack.chat_with(ANN));
    assert!(inbound.is_direct && inbound.authenticated && !inbound.historical);
    let names = [("username", "u0ann"), ("name", "Person U0ANN")];
    assert_eq!(
        inbound.meta,
        names.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let status = bot.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.since.is_some() && status.last_error.is_none());
    // By the Date of its answers.
    assert!(status.clock_ahead_ms.is_some());
    rig.slack.acknowledged().await;
    bot.stop().await;
    rig.slack.left().await;
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_never_without_the_scope() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for _ in 0..3 {
        rig.slack.says(ANN, "hello");
        assert_eq!(bot.message().await.meta.len(), 2);
    }
    assert_eq!(rig.slack.count("users.info"), 1);
    let missing = test_support::slack::Answer::Scope("users:read", "chat:write");
    rig.slack.answers("users.info", missing);
    for person in ["U1", "U2", "U3"] {
        rig.slack.says(person, "hello");
        assert!(bot.message().await.meta.is_empty());
    }
    assert_eq!(rig.slack.count("users.info"), 2);
}

#[tokio::test]
async fn the_next_connection_is_there_before_the_old_one_ends() {
    for reason in ["warning", "refresh_requested", "something_new"] {
        let rig = Rig::new().await;
        let mut bot = rig.connected().await;
        for round in 0..4 {
            rig.slack.disconnects(reason);
            rig.slack.says(ANN, &format!("a{round}"));
            assert_eq!(bot.text().await, format!("a{round}"));
            rig.slack
                .until_counts("the old one is closed", |counts| counts.open == 1)
                .await;
        }
        let counts = rig.slack.counts();
        // Two at a time, and nothing had to be sent again.
        assert_eq!(
            (counts.most_open, counts.connections, counts.repeated),
            (2, 5, 0)
        );
        assert!(bot.is_quiet() && bot.adapter.status().last_error.is_none());
    }
}

#[tokio::test]
async fn what_still_comes_on_the_old_connection_is_received() {
    let mut rig = Rig::new().await;
    rig.pace.linger = Duration::from_secs(60);
    let mut bot = rig.connected().await;
    // Slack announces the end, and goes on for a while.
    rig.slack
        .send_raw(r#"{"type":"disconnect","reason":"warning"}"#);
    rig.slack
        .until_counts("there are two", |counts| counts.open == 2)
        .await;
    let event = rig.slack.message(ANN, "late");
    let payload =
        serde_json::json!({ "event_id": "Ev7", "type": "event_callback", "event": event });
    let envelope =
        serde_json::json!({ "envelope_id": "x", "type": "events_api", "payload": payload });
    // On both of them, the old and the new one.
    rig.slack.send_raw(&envelope.to_string());
    assert_eq!(bot.text().await, "late");
    rig.slack.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    assert!(bot.is_quiet());
    bot.stop().await;
    rig.slack.left().await;
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_and_nothing_is_missed() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for round in 0..6 {
        if round % 2 == 0 {
            rig.slack.close();
        } else {
            rig.slack.tear();
        }
        for part in ["a", "b"] {
            rig.slack.says(ANN, &format!("{part}{round}"));
        }
        for part in ["a", "b"] {
            assert_eq!(bot.text().await, format!("{part}{round}"));
        }
    }
    rig.slack.acknowledged().await;
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn what_was_handed_on_is_not_handed_on_again_after_a_restart() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let event = rig.slack.message(ANN, "once");
    rig.slack.event_as("Ev1", &event);
    assert_eq!(bot.text().await, "once");
    bot.stop().await;
    rig.slack.left().await;
    // Slack takes it for lost, and something new comes.
    rig.slack.event_as("Ev1", &event);
    rig.slack.says(ANN, "meanwhile");
    let mut bot = rig.connected().await;
    assert_eq!(bot.text().await, "meanwhile");
    assert!(bot.is_quiet());
    let text = rig.saved.load().unwrap();
    assert!(
        text.contains("Ev1") && !text.contains("once") && !text.contains(ANN),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_acknowledged_is_handed_on_before_it_ends() {
    let rig = Rig::new().await;
    // Room for one message at a time.
    let mut bot = Running::run(rig.bot(), 1);
    rig.slack.connected().await;
    for number in 0..20 {
        rig.slack.says(ANN, &number.to_string());
    }
    rig.slack.acknowledged().await;
    bot.tell_to_stop();
    for number in 0..20 {
        assert_eq!(bot.text().await, number.to_string());
    }
    bot.ended().await;
}

#[tokio::test]
async fn a_connection_is_asked_whether_it_is_alive_and_dropped_if_not() {
    let mut rig = Rig::new().await;
    rig.pace.ping = Duration::from_millis(30);
    rig.pace.silence = Duration::from_millis(60);
    // Slack's own pings are answered.
    rig.slack
        .behave(|behaviour| behaviour.pings = Duration::from_millis(20));
    let mut bot = rig.connected().await;
    rig.slack
        .until_counts("it answers", |counts| counts.pongs >= 3)
        .await;
    rig.slack
        .behave(|behaviour| behaviour.pings = Duration::from_secs(60));
    rig.slack
        .until_counts("it is asked", |counts| counts.pings >= 3)
        .await;
    assert_eq!(rig.slack.counts().connections, 1);
    rig.slack
        .behave(|behaviour| behaviour.answers_pings = false);
    rig.slack
        .until_counts("it is dropped", |counts| counts.connections >= 2)
        .await;
    rig.slack.behave(|behaviour| behaviour.answers_pings = true);
    rig.slack.says(ANN, "alive?");
    assert_eq!(bot.text().await, "alive?");
    assert!(bot.adapter.status().last_error.unwrap().contains("answer"));
}

#[tokio::test]
async fn an_app_does_not_take_over_what_another_has_noted() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let event = rig.slack.message(ANN, "hello");
    rig.slack.event_as("Ev1", &event);
    bot.message().await;
    bot.stop().await;
    let other = rig
        .saved
        .load()
        .unwrap()
        .replace("\"app\":\"", "\"app\":\"0");
    rig.saved.save(&other).unwrap();
    let mut bot = rig.connected().await;
    rig.slack.event_as("Ev1", &event);
    assert_eq!(bot.text().await, "hello");
}
