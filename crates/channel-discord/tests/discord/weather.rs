//! Bad input and bad weather.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection};
use pairing_core::{Clock as _, Timestamp};
use serde_json::json;
use test_support::Logs;
use test_support::discord::Answer;

use crate::rig::{ANN, Rig, Running};

#[tokio::test]
async fn a_wrong_token_is_said_once_and_ends_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let wrong = rig.bot_with("MTAwMDAx.GhStand.another_secret_part");
    let running = Running::run(wrong, 16);
    let bot = running.adapter.clone();
    running.ended().await;
    assert_eq!(logs.count("the bot is not accepted"), 1);
    assert!(logs.text().contains("DISCORD_BOT_TOKEN"));
    assert!(!logs.text().contains("another_secret_part"));
    let status = bot.status();
    assert_eq!(status.connection, Connection::Stopped);
    assert!(status.last_error.unwrap().contains("401"));
    assert_eq!(rig.discord.counts().connections, 0);
}

#[tokio::test]
async fn a_token_that_is_revoked_meanwhile_ends_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let running = rig.connected().await;
    rig.discord.close(4004);
    running.ended().await;
    assert_eq!(logs.count("the bot is not accepted"), 1);
}

#[tokio::test]
async fn an_intent_that_is_not_allowed_is_named_and_ends_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.discord.behave(|behaviour| behaviour.intents = 0);
    let running = rig.run();
    let bot = running.adapter.clone();
    running.ended().await;
    assert!(logs.text().contains("direct messages"), "{}", logs.text());
    let error = bot.status().last_error.unwrap();
    assert!(
        error.contains("4014") && error.contains("DIRECT_MESSAGES"),
        "{error}"
    );
    assert_eq!(rig.discord.counts().identifies, 1);
}

#[tokio::test]
async fn every_other_final_close_code_ends_it() {
    for code in [4010, 4011, 4012, 4013] {
        let rig = Rig::new().await;
        let running = rig.connected().await;
        rig.discord.close(code);
        running.ended().await;
    }
}

#[tokio::test]
async fn a_gateway_that_accepts_and_never_says_hello_is_left() {
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(60);
    rig.discord.behave(|behaviour| behaviour.says_hello = false);
    let bot = rig.run();
    rig.discord
        .until_counts("it is tried again", |counts| counts.connections >= 3)
        .await;
    let error = bot.adapter.status().last_error.unwrap();
    assert!(error.contains("hello"), "{error}");
    rig.discord.behave(|behaviour| behaviour.says_hello = true);
    rig.discord.connected().await;
}

#[tokio::test]
async fn a_gateway_that_begins_no_session_is_left() {
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(60);
    rig.discord.behave(|behaviour| behaviour.begins = false);
    let bot = rig.run();
    rig.discord
        .until_counts("it is tried again", |counts| counts.identifies >= 2)
        .await;
    let error = bot.adapter.status().last_error.unwrap();
    assert!(error.contains("begin the session"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_passed_over() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord
        .push("SOMETHING_NEW", &json!({ "id": [1, 2, 3] }));
    rig.discord.push("MESSAGE_CREATE", &json!({ "id": 7 }));
    rig.discord.push("MESSAGE_CREATE", &json!(null));
    rig.discord
        .push("MESSAGE_UPDATE", &rig.discord.message(ANN, "edited"));
    let deep = "[".repeat(50_000);
    for text in [
        "",
        "{",
        "null",
        "[]",
        "{\"op\":250}",
        "\u{0}",
        deep.as_str(),
    ] {
        rig.discord.send_raw(text);
    }
    rig.discord.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    assert_eq!(rig.discord.counts().connections, 1);
}

#[tokio::test]
async fn the_same_event_ten_times_and_ids_beyond_64_bits() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let mut message = rig.discord.message(ANN, "once");
    for _ in 0..10 {
        rig.discord.push("MESSAGE_CREATE", &message);
    }
    let large = "9".repeat(30);
    message["id"] = large.as_str().into();
    message["author"]["id"] = large.as_str().into();
    rig.discord.push("MESSAGE_CREATE", &message);
    assert_eq!(bot.message().await.sender, ANN.to_string());
    assert_eq!(bot.message().await.sender, large);
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn other_bots_and_what_nobody_vouches_for() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let changed = |name: &str, value| {
        let mut message = rig.discord.message(ANN, name);
        message[name] = value;
        rig.discord.push("MESSAGE_CREATE", &message);
    };
    changed("author", json!({ "id": "5", "username": "b", "bot": true }));
    changed("webhook_id", json!("6"));
    changed("type", json!(7));
    changed("message_reference", json!({ "type": 1 }));
    rig.discord.says(ANN, "a person");
    assert_eq!(bot.text().await, "a person");
}

#[tokio::test]
async fn another_bot_where_that_is_configured() {
    let rig = Rig::new().await;
    let mut bot = Running::run(rig.bot().allow_bots(true), 16);
    rig.discord.connected().await;
    let mut message = rig.discord.message(ANN, "beep");
    message["author"]["bot"] = true.into();
    rig.discord.push("MESSAGE_CREATE", &message);
    assert_eq!(bot.text().await, "beep");
}

#[tokio::test]
async fn a_text_of_a_hundred_kilobytes() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let text = "x".repeat(100_000);
    rig.discord.says(ANN, &text);
    assert_eq!(bot.text().await, text);
}

/// Somebody writes every second, for an hour; all of it comes at once. What the bot holds is counted: a heartbeat
/// names the last event that it has received.
#[tokio::test]
async fn a_flood_comes_through_in_order_and_hearts_go_on_beating() {
    const FLOOD: u64 = 3600;
    /// The queue, the inbox, and one between them.
    const HELD: u64 = 64 + 1 + 1;
    let rig = Rig::new().await;
    rig.discord
        .behave(|behaviour| behaviour.interval = Duration::from_millis(40));
    let mut bot = Running::run(rig.bot(), 1);
    rig.discord.connected().await;
    for number in 0..FLOOD {
        rig.discord.says(ANN, &number.to_string());
    }
    // Nobody reads for a while; that is no reason to give the connection up.
    let beats = rig.discord.counts().heartbeats + 4;
    rig.discord
        .until_counts("hearts beat", |counts| counts.heartbeats >= beats)
        .await;
    // The first event of a session is its beginning.
    assert!(rig.discord.counts().received > 1);
    for number in 0..FLOOD {
        let received = rig.discord.counts().received;
        assert!(received <= 1 + number + HELD, "{number}: {received}");
        assert_eq!(bot.text().await, number.to_string());
    }
    let counts = rig.discord.counts();
    assert_eq!((counts.connections, counts.resumes), (1, 0));
}

#[tokio::test]
async fn half_a_frame_ends_the_connection_and_no_message_is_lost() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for number in 0..10 {
        rig.discord.says(ANN, &number.to_string());
        rig.discord.tear();
        rig.discord
            .until_counts("it is resumed", |counts| counts.resumes > number)
            .await;
        assert_eq!(bot.text().await, number.to_string());
    }
    assert!(bot.is_quiet());
    assert_eq!(rig.discord.counts().identifies, 1);
}

#[tokio::test]
async fn the_clock_of_the_server_may_be_apart_too() {
    const YEAR: i64 = 365 * 86_400_000;
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    // Years before and after ours, and back again.
    for years in [0, 9, -9, 0] {
        let at = rig.clock.now().as_millis() + years * YEAR;
        let mut message = rig.discord.message(ANN, "now");
        let id = u64::try_from(at - 1_420_070_400_000).unwrap() << 22;
        message["id"] = id.to_string().into();
        rig.discord.push("MESSAGE_CREATE", &message);
        let inbound = bot.message().await;
        assert_eq!(inbound.at.as_millis(), at);
        assert!(!inbound.historical);
        // The same one is the same one, whatever its time.
        rig.discord.push("MESSAGE_CREATE", &message);
        rig.clock.advance(Duration::from_secs(1));
    }
    rig.discord.says(ANN, "the last");
    assert_eq!(bot.text().await, "the last");
}

#[tokio::test]
async fn a_socket_that_is_closed_after_each_event() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord
        .behave(|behaviour| behaviour.closes_after = Some(1));
    for number in 0..20 {
        rig.discord.says(ANN, &number.to_string());
    }
    for number in 0..20 {
        assert_eq!(bot.text().await, number.to_string());
    }
    assert!(bot.is_quiet());
    assert_eq!(rig.discord.counts().identifies, 1);
}

#[tokio::test]
async fn clocks_that_are_apart_change_nothing() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let now = rig.clock.now().as_millis();
    for days in [0, 1, -1, 400] {
        let at = Timestamp::from_millis(now + days * 86_400_000);
        rig.clock.set(at);
        rig.discord.says(ANN, "now");
        let inbound = bot.message().await;
        assert!(!inbound.historical);
    }
}

#[tokio::test]
async fn a_network_that_goes_away_and_comes_back_is_said_once() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(100);
    for _ in 0..3 {
        rig.discord
            .answers("GET /gateway/bot", Answer::HangUp { done: false });
    }
    rig.discord
        .answers("GET /gateway/bot", Answer::Later(0.01, false));
    rig.discord.answers("GET /gateway/bot", Answer::Silence);
    let raw = Answer::Raw(503, ("x-test", "1"), "<html>".to_owned());
    rig.discord.answers("GET /gateway/bot", raw);
    let mut bot = rig.connected().await;
    rig.discord.says(ANN, "hello");
    assert_eq!(bot.text().await, "hello");
    logs.until("messages come again", 1).await;
    // One line for the network, one for the limit, one for the server.
    assert_eq!(logs.count("no messages, retrying"), 3);
    let status = bot.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.last_error.is_some() && status.last_received.is_some());
}

#[tokio::test]
async fn a_gateway_where_no_token_may_go_is_not_connected_to() {
    let rig = Rig::new().await;
    for url in [
        "ws://gateway.discord.gg",
        "http://127.0.0.1",
        "",
        "wss://a@b",
    ] {
        let body = json!({ "url": url }).to_string();
        rig.discord
            .answers("GET /gateway/bot", Answer::Raw(200, ("x-test", "1"), body));
    }
    let bot = rig.connected().await;
    assert_eq!(rig.discord.counts().connections, 1);
    assert_eq!(rig.discord.count("GET /gateway/bot"), 5);
    assert!(bot.adapter.status().last_error.unwrap().contains("gateway"));
}
