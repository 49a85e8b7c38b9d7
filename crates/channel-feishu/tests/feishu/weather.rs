//! Bad input and bad weather.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection};
use serde_json::json;
use test_support::Logs;
use test_support::feishu::{APP_ID, Answer, event_frame};

use crate::rig::{ANN, Rig, Running};

const MESSAGE: &str = "im.message.receive_v1";

#[tokio::test]
async fn a_wrong_secret_is_said_once_and_ends_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let running = Running::run(rig.bot_with(APP_ID, "anothersecretanothersecret"), 16);
    let bot = running.adapter.clone();
    running.ended().await;
    assert_eq!(logs.count("the app is not accepted"), 1);
    assert!(logs.text().contains("FEISHU_APP_SECRET"), "{}", logs.text());
    assert!(!logs.text().contains("anothersecret"));
    let status = bot.status();
    assert_eq!(status.connection, Connection::Stopped);
    assert!(status.last_error.unwrap().contains("app secret is invalid"));
    assert_eq!(rig.feishu.counts().connections, 0);
}

#[tokio::test]
async fn every_final_error_ends_it_and_is_named() {
    for code in [
        403,
        514,
        1_000_040_345,
        10_003,
        10_014,
        99_991_662,
        99_991_673,
    ] {
        let rig = Rig::new().await;
        rig.feishu.answers("endpoint", Answer::Code(code, "no"));
        let running = rig.run();
        let bot = running.adapter.clone();
        running.ended().await;
        let said = bot.status().last_error.unwrap();
        assert!(said.contains(&format!("no (code {code})")), "{said}");
    }
}

#[tokio::test]
async fn every_passing_error_is_ridden_out() {
    for code in [1, 1_000_040_343, 1_000_040_350, 99_991_400, 987_654_321] {
        let rig = Rig::new().await;
        rig.feishu.answers("endpoint", Answer::Code(code, "busy"));
        let mut bot = rig.connected().await;
        rig.feishu.says(ANN, "hello");
        assert_eq!(bot.text().await, "hello");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_acknowledged_or_passed_over() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for payload in [
        json!(null),
        json!({}),
        json!([1]),
        json!({ "header": { "event_id": "e", "event_type": MESSAGE }, "event": 7 }),
        json!({ "header": { "event_id": "e", "event_type": "card.action.trigger" }, "event": {} }),
    ] {
        rig.feishu.push(payload.to_string().as_bytes());
    }
    rig.feishu.push(b"");
    rig.feishu.push(b"\xff\xfe");
    rig.feishu.push("[".repeat(50_000).as_bytes());
    rig.feishu.event(
        "im.message.reaction.created_v1",
        &json!({ "user_id": { "open_id": ANN } }),
    );
    rig.feishu.event("something.new", &json!({}));
    let half = event_frame("x", "1", "0", b"{}");
    let half = &half[..half.len() / 2];
    for bytes in [&b""[..], half, b"{\"type\":\"event\"}", &[0xff; 100]] {
        rig.feishu.send_raw(bytes);
    }
    rig.feishu.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    rig.feishu.acknowledged().await;
    assert_eq!(
        (
            rig.feishu.counts().connections,
            rig.feishu.counts().repeated
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn parts_that_never_complete_and_make_no_sense_stop_nothing() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for number in 0..500 {
        rig.feishu.send_raw(&event_frame(
            &number.to_string(),
            "2",
            "0",
            &vec![b'x'; 20_000],
        ));
    }
    for (sum, seq) in [
        ("2", "2"),
        ("2", "-1"),
        ("x", "0"),
        ("99999999999999999999", "1"),
        ("4294967295", "0"),
    ] {
        rig.feishu.send_raw(&event_frame("y", sum, seq, b"x"));
    }
    rig.feishu.behave(|behaviour| behaviour.parts = 3);
    rig.feishu.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    rig.feishu.acknowledged().await;
    assert_eq!(rig.feishu.counts().connections, 1);
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_the_connection_alone() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.feishu.send_raw(&vec![0; 5 << 20]);
    rig.feishu
        .until_counts("it is opened again", |counts| counts.connections == 2)
        .await;
    rig.feishu.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    assert!(
        bot.adapter
            .status()
            .last_error
            .unwrap()
            .contains("too long")
    );
}

#[tokio::test]
async fn the_same_event_ten_times_and_long_ids() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let mut message = rig.feishu.message(ANN, "once");
    for _ in 0..10 {
        rig.feishu.event_as("e1", MESSAGE, &message);
    }
    let large = format!("ou_{}", "9".repeat(100));
    message["sender"]["sender_id"]["open_id"] = large.as_str().into();
    rig.feishu.event_as("e2", MESSAGE, &message);
    assert_eq!(bot.message().await.sender, ANN);
    assert_eq!(bot.message().await.sender, large);
    rig.feishu.acknowledged().await;
    assert!(bot.is_quiet());
    assert_eq!(rig.feishu.counts().acknowledged, 11);
}

#[tokio::test]
async fn t64_bots_are_not_heard_and_a_group_is_no_direct_chat() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let mut message = rig.feishu.message(ANN, "beep");
    message["sender"]["sender_type"] = "app".into();
    rig.feishu.event(MESSAGE, &message);
    let mut message = rig.feishu.message(ANN, "in a group");
    message["message"]["chat_type"] = "group".into();
    rig.feishu.event(MESSAGE, &message);
    let inbound = bot.message().await;
    assert_eq!(
        (inbound.text.as_str(), inbound.is_direct),
        ("in a group", false)
    );
    assert_eq!(inbound.chat.chat, rig.feishu.chat_with(ANN));
}

#[tokio::test]
async fn a_text_of_a_hundred_kilobytes() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let text = "x".repeat(100_000);
    rig.feishu.says(ANN, &text);
    assert_eq!(bot.text().await, text);
}

#[tokio::test]
async fn a_flood_comes_through_in_order() {
    let rig = Rig::new().await;
    let mut bot = Running::run(rig.bot(), 1);
    rig.feishu.connected().await;
    for number in 0..3000 {
        rig.feishu.says(ANN, &number.to_string());
    }
    for number in 0..3000 {
        // The queue, the inbox, one between them, and one that is on its way into the queue.
        let acknowledged = rig.feishu.counts().acknowledged;
        assert!(acknowledged <= number + 131, "{number}: {acknowledged}");
        assert_eq!(bot.text().await, number.to_string());
    }
    assert_eq!(rig.feishu.counts().connections, 1);
}

#[tokio::test]
async fn a_socket_that_is_closed_after_each_event() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.feishu
        .behave(|behaviour| behaviour.closes_after = Some(1));
    for number in 0..20 {
        rig.feishu.says(ANN, &number.to_string());
    }
    for number in 0..20 {
        assert_eq!(bot.text().await, number.to_string());
    }
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn clocks_that_are_apart_change_nothing() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for days in [0, 400] {
        rig.clock.advance(Duration::from_secs(days * 86_400));
        rig.feishu.says(ANN, "now");
        assert!(!bot.message().await.historical);
    }
}

#[tokio::test]
async fn a_network_that_goes_away_and_comes_back_is_said_once() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(200);
    for _ in 0..3 {
        rig.feishu
            .answers("endpoint", Answer::HangUp { done: false });
    }
    rig.feishu.answers("endpoint", Answer::Later("0.01"));
    rig.feishu.answers("endpoint", Answer::Silence);
    rig.feishu
        .answers("endpoint", Answer::Raw(503, "<html>".to_owned()));
    rig.feishu
        .answers("endpoint", Answer::Raw(200, "{\"code\":0}".to_owned()));
    rig.feishu
        .answers("endpoint", Answer::Code(1, "system busy"));
    let mut bot = rig.connected().await;
    rig.feishu.says(ANN, "hello");
    assert_eq!(bot.text().await, "hello");
    logs.until("messages come again", 1).await;
    // One line for the network, one for the limit, one for the server.
    assert_eq!(logs.count("no messages, retrying"), 3, "{}", logs.text());
    let status = bot.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.last_error.is_some() && status.last_received.is_some());
}

#[tokio::test]
async fn a_connection_that_is_not_safe_is_not_made() {
    let rig = Rig::new().await;
    for url in [
        "ws://example.org/ws/v2",
        "http://127.0.0.1",
        "",
        "wss://a@b/",
    ] {
        let answer = json!({ "code": 0, "data": { "URL": url, "ClientConfig": {} } }).to_string();
        rig.feishu.answers("endpoint", Answer::Raw(200, answer));
    }
    let bot = rig.connected().await;
    assert_eq!(
        (
            rig.feishu.counts().connections,
            rig.feishu.count("endpoint")
        ),
        (1, 5)
    );
    assert!(
        bot.adapter
            .status()
            .last_error
            .unwrap()
            .contains("encrypted")
    );
}

#[tokio::test]
async fn an_address_that_is_used_up_is_named_anew() {
    let rig = Rig::new().await;
    let stale = format!(
        "{}/ws/v2?service_id=1&ticket=old",
        rig.feishu.root().replace("http", "ws")
    );
    let answer = json!({ "code": 0, "data": { "URL": stale } }).to_string();
    rig.feishu.answers("endpoint", Answer::Raw(200, answer));
    let bot = rig.connected().await;
    assert!(bot.adapter.status().last_error.unwrap().contains("403"));
}
