//! Connections: opened, kept alive, lost; and what comes again across them and across restarts.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection, SavedText as _};

use crate::rig::{ANN, Rig, Running};

const MESSAGE: &str = "im.message.receive_v1";

#[tokio::test]
async fn a_message_comes_in() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let id = rig.feishu.says(ANN, "a < b");
    let inbound = bot.message().await;
    assert_eq!((inbound.text.as_str(), inbound.id), ("a < b", id));
    assert_eq!(
        (inbound.sender.as_str(), inbound.also),
        (ANN, vec!["on_ann".to_owned()])
    );
    // A person is written to by their id.
    assert_eq!(inbound.chat.chat, ANN);
    assert!(inbound.is_direct && inbound.authenticated && !inbound.historical);
    let status = bot.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.since.is_some() && status.last_error.is_none());
    rig.feishu.acknowledged().await;
    assert_eq!(rig.feishu.counts().repeated, 0);
    bot.stop().await;
    rig.feishu.left().await;
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_and_nothing_is_missed() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for round in 0..6 {
        if round % 2 == 0 {
            rig.feishu.close();
        } else {
            rig.feishu.tear();
        }
        for part in ["a", "b"] {
            rig.feishu.says(ANN, &format!("{part}{round}"));
        }
        for part in ["a", "b"] {
            assert_eq!(bot.text().await, format!("{part}{round}"));
        }
    }
    rig.feishu.acknowledged().await;
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn what_was_handed_on_is_not_handed_on_again_after_a_restart() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let event = rig.feishu.message(ANN, "once");
    rig.feishu.event_as("e1", MESSAGE, &event);
    assert_eq!(bot.text().await, "once");
    bot.stop().await;
    rig.feishu.left().await;
    // Feishu takes it for lost, and something new comes.
    rig.feishu.event_as("e1", MESSAGE, &event);
    rig.feishu.says(ANN, "meanwhile");
    let mut bot = rig.connected().await;
    assert_eq!(bot.text().await, "meanwhile");
    assert!(bot.is_quiet());
    let text = rig.saved.load().unwrap();
    assert!(
        text.contains("e1") && !text.contains("once") && !text.contains(ANN),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_acknowledged_is_handed_on_before_it_ends() {
    let rig = Rig::new().await;
    // Room for one message at a time.
    let mut bot = Running::run(rig.bot(), 1);
    rig.feishu.connected().await;
    for number in 0..20 {
        rig.feishu.says(ANN, &number.to_string());
    }
    rig.feishu.acknowledged().await;
    bot.tell_to_stop();
    for number in 0..20 {
        assert_eq!(bot.text().await, number.to_string());
    }
    bot.ended().await;
}

#[tokio::test]
async fn a_connection_is_asked_whether_it_is_alive_and_dropped_if_not() {
    let mut rig = Rig::new().await;
    rig.pace.ping = Duration::from_millis(20);
    rig.pace.silence = Duration::from_millis(60);
    let mut bot = rig.connected().await;
    rig.feishu
        .until_counts("it is asked again and again", |counts| counts.pings >= 5)
        .await;
    assert_eq!(rig.feishu.counts().connections, 1);
    rig.feishu
        .behave(|behaviour| behaviour.answers_pings = false);
    rig.feishu
        .until_counts("it is dropped", |counts| counts.connections >= 2)
        .await;
    rig.feishu
        .behave(|behaviour| behaviour.answers_pings = true);
    rig.feishu.says(ANN, "alive?");
    assert_eq!(bot.text().await, "alive?");
    assert!(bot.adapter.status().last_error.unwrap().contains("answer"));
}

#[tokio::test]
async fn the_server_says_how_often_it_wants_a_ping() {
    let rig = Rig::new().await;
    rig.feishu.behave(|behaviour| behaviour.ping_interval = 1);
    let _bot = rig.connected().await;
    rig.feishu
        .until_counts("there is a second ping", |counts| counts.pings >= 2)
        .await;
}

#[tokio::test]
async fn an_app_does_not_take_over_what_another_has_noted() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let event = rig.feishu.message(ANN, "hello");
    rig.feishu.event_as("e1", MESSAGE, &event);
    bot.message().await;
    bot.stop().await;
    let other = rig
        .saved
        .load()
        .unwrap()
        .replace("\"app\":\"", "\"app\":\"0");
    rig.saved.save(&other).unwrap();
    let mut bot = rig.connected().await;
    rig.feishu.event_as("e1", MESSAGE, &event);
    assert_eq!(bot.text().await, "hello");
}

#[tokio::test]
async fn events_in_parts_are_joined_and_acknowledged_once() {
    let rig = Rig::new().await;
    rig.feishu.behave(|behaviour| behaviour.parts = 7);
    let mut bot = rig.connected().await;
    for number in 0..10 {
        rig.feishu.says(ANN, &format!("ä{number}"));
    }
    for number in 0..10 {
        assert_eq!(bot.text().await, format!("ä{number}"));
    }
    rig.feishu.acknowledged().await;
    let counts = rig.feishu.counts();
    assert_eq!(
        (counts.acknowledged, counts.repeated, counts.connections),
        (10, 0, 1)
    );
}

#[tokio::test]
async fn two_gateways_on_one_app_share_what_comes_and_one_too_many_is_named() {
    let logs = test_support::Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.feishu
        .behave(|behaviour| behaviour.most_connections = 1);
    let _first = rig.connected().await;
    let second = rig.run();
    logs.until("no messages, retrying", 1).await;
    assert!(
        logs.text()
            .contains("other programs are connected with this app"),
        "{}",
        logs.text()
    );
    let error = second.adapter.status().last_error.unwrap();
    assert!(error.contains("1000040350"), "{error}");
    // It waits for the other one to go.
    rig.feishu
        .behave(|behaviour| behaviour.most_connections = 2);
    rig.feishu
        .until_counts("both are connected", |counts| counts.open == 2)
        .await;
}
