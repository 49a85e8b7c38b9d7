//! Bad input and bad weather.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection};
use pairing_core::{Clock as _, Timestamp};
use serde_json::{Value, json};
use test_support::Logs;
use test_support::slack::{APP_TOKEN, Answer, BOT_TOKEN};

use crate::rig::{ANN, Rig, Running};

const OPEN: &str = "apps.connections.open";

#[tokio::test]
async fn a_wrong_token_is_said_once_and_ends_it() {
    for (bot, app, named) in [
        ("xoxb-1-2-anothersecret", APP_TOKEN, "SLACK_BOT_TOKEN"),
        (BOT_TOKEN, "xapp-1-A0-2-anothersecret", "SLACK_APP_TOKEN"),
    ] {
        let logs = Logs::default();
        let _guard = logs.listen();
        let rig = Rig::new().await;
        let running = Running::run(rig.bot_with(bot, app), 16);
        let bot = running.adapter.clone();
        running.ended().await;
        assert_eq!(logs.count("the app is not accepted"), 1);
        assert!(logs.text().contains(named), "{}", logs.text());
        assert!(!logs.text().contains("anothersecret"));
        let status = bot.status();
        assert_eq!(status.connection, Connection::Stopped);
        assert!(status.last_error.unwrap().contains("invalid_auth"));
        assert_eq!(rig.slack.counts().connections, 0);
    }
}

#[tokio::test]
async fn every_final_error_ends_it_and_is_named() {
    for error in [
        "not_authed",
        "account_inactive",
        "token_revoked",
        "not_allowed_token_type",
    ] {
        for method in [OPEN, "auth.test"] {
            let rig = Rig::new().await;
            rig.slack.answers(method, Answer::Error(error));
            let running = rig.run();
            let bot = running.adapter.clone();
            running.ended().await;
            let said = bot.status().last_error.unwrap();
            assert!(said.contains(error), "{said}");
        }
    }
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named_and_ends_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.slack.answers(
        OPEN,
        Answer::Scope("connections:write", "authorizations:read"),
    );
    let running = rig.run();
    let bot = running.adapter.clone();
    running.ended().await;
    let error = bot.status().last_error.unwrap();
    assert!(error.contains("needed: connections:write"), "{error}");
    let text = logs.text();
    assert!(
        text.contains("needed: connections:write; there are: authorizations:read"),
        "{text}"
    );
    assert!(text.contains("add the scope"), "{text}");
}

#[tokio::test]
async fn scopes_that_the_bot_lacks_are_named_before_they_are_needed() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.slack
        .behave(|behaviour| behaviour.scopes = "commands, im:write");
    let bot = rig.connected().await;
    let error = bot.adapter.status().last_error.unwrap();
    assert!(error.contains("needed: chat:write, im:history"), "{error}");
    assert_eq!(logs.count("lacks scopes"), 1);
    assert!(
        logs.text().contains("chat:write, im:history"),
        "{}",
        logs.text()
    );
    // It is connected, and looks again when it connects anew.
    logs.until("slack: connected", 1).await;
    assert_eq!(bot.adapter.status().connection, Connection::Connected);
    rig.slack
        .behave(|behaviour| behaviour.scopes = "commands, im:write, chat:write");
    rig.slack.disconnects("refresh_requested");
    logs.until("lacks scopes", 2).await;
    let error = bot.adapter.status().last_error.unwrap();
    assert!(error.ends_with("needed: im:history"), "{error}");
    // What was added is found at the next look, which a probe is.
    rig.slack
        .behave(|behaviour| behaviour.scopes = test_support::slack::SCOPES);
    bot.adapter.probe().await.unwrap();
    assert_eq!(bot.adapter.status().last_error, None);
    assert_eq!(logs.count("has the scopes that it lacked"), 1);
    assert_eq!(logs.count("lacks scopes"), 2);
}

#[tokio::test]
async fn socket_mode_that_is_turned_off_ends_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let running = rig.connected().await;
    rig.slack.disconnects("link_disabled");
    running.ended().await;
    assert_eq!(logs.count("the app is not accepted"), 1);
    assert!(logs.text().contains("Socket Mode"), "{}", logs.text());
}

#[tokio::test]
async fn a_server_that_accepts_and_never_says_hello_is_left() {
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(60);
    rig.slack.behave(|behaviour| behaviour.says_hello = false);
    let bot = rig.run();
    rig.slack
        .until_counts("it is tried again", |counts| counts.connections >= 3)
        .await;
    assert!(bot.adapter.status().last_error.unwrap().contains("hello"));
    rig.slack.behave(|behaviour| behaviour.says_hello = true);
    rig.slack.connected().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_acknowledged_or_passed_over() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for kind in [
        "events_api",
        "interactive",
        "slash_commands",
        "something_new",
    ] {
        for payload in [
            json!(null),
            json!({}),
            json!([1]),
            json!({ "event_id": "E", "event": 7 }),
        ] {
            rig.slack.push(kind, &payload);
        }
    }
    rig.slack
        .event(&json!({ "type": "reaction_added", "user": ANN }));
    let deep = "[".repeat(50_000);
    for text in [
        "",
        "{",
        "null",
        "[]",
        "{\"type\":7}",
        "\u{0}",
        deep.as_str(),
    ] {
        rig.slack.send_raw(text);
    }
    rig.slack.says(ANN, "and on");
    assert_eq!(bot.text().await, "and on");
    rig.slack.acknowledged().await;
    assert_eq!(rig.slack.counts().connections, 1);
}

#[tokio::test]
async fn the_same_event_ten_times_and_long_ids() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let mut message = rig.slack.message(ANN, "once");
    for _ in 0..10 {
        rig.slack.event_as("Ev1", &message);
    }
    let large = format!("U{}", "9".repeat(40));
    message["user"] = large.as_str().into();
    rig.slack.event_as("Ev2", &message);
    assert_eq!(bot.message().await.sender, ANN);
    assert_eq!(bot.message().await.sender, large);
    rig.slack.acknowledged().await;
    assert!(bot.is_quiet());
    assert_eq!(rig.slack.counts().acknowledged, 11);
}

#[tokio::test]
async fn t64_bots_edits_and_what_nobody_vouches_for() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let changed = |name: &str, value| {
        let mut message = rig.slack.message(ANN, name);
        message[name] = value;
        rig.slack.event(&message);
    };
    changed("bot_id", json!("B9"));
    changed("user", json!(test_support::slack::BOT_USER));
    changed("subtype", json!("message_changed"));
    changed("subtype", json!("message_deleted"));
    changed("hidden", json!(true));
    rig.slack.says(ANN, "a person");
    assert_eq!(bot.text().await, "a person");
    // A group is no direct chat.
    changed("channel_type", json!("mpim"));
    assert!(!bot.message().await.is_direct);
}

#[tokio::test]
async fn another_bot_where_that_is_configured() {
    let rig = Rig::new().await;
    let mut bot = Running::run(rig.bot().allow_bots(true), 16);
    rig.slack.connected().await;
    let mut message = rig.slack.message("U0OTHER", "beep");
    message["bot_id"] = "B9".into();
    rig.slack.event(&message);
    assert_eq!(bot.text().await, "beep");
}

#[tokio::test]
async fn a_text_of_a_hundred_kilobytes() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let text = "x".repeat(100_000);
    rig.slack.says(ANN, &text);
    assert_eq!(bot.text().await, text);
}

/// Somebody writes every second, for an hour; all of it comes at once. What the app holds is counted: it has
/// acknowledged that, and no more.
#[tokio::test]
async fn a_flood_comes_through_in_order() {
    const FLOOD: usize = 3600;
    /// The queue, the inbox, one between them, and one that is on its way into the queue.
    const HELD: usize = 128 + 1 + 1 + 1;
    let rig = Rig::new().await;
    // Nobody reads for longer than Slack waits; it sends again what is not acknowledged.
    rig.slack
        .behave(|behaviour| behaviour.acknowledge = Duration::from_secs(3600));
    let mut bot = Running::run(rig.bot(), 1);
    rig.slack.connected().await;
    for number in 0..FLOOD {
        rig.slack.says(ANN, &number.to_string());
    }
    rig.slack
        .until_counts("it is full", |counts| counts.acknowledged >= HELD - 1)
        .await;
    for number in 0..FLOOD {
        let acknowledged = rig.slack.counts().acknowledged;
        assert!(acknowledged <= number + HELD, "{number}: {acknowledged}");
        assert_eq!(bot.text().await, number.to_string());
    }
    assert_eq!(rig.slack.counts().connections, 1);
}

#[tokio::test]
async fn a_connection_that_is_replaced_in_a_flood_keeps_the_order() {
    let rig = Rig::new().await;
    rig.slack
        .behave(|behaviour| behaviour.acknowledge = Duration::from_secs(3600));
    let mut bot = Running::run(rig.bot(), 1);
    rig.slack.connected().await;
    for number in 0..1600 {
        // The old connection still has what nobody has read.
        if number % 400 == 399 {
            rig.slack.disconnects("warning");
        }
        rig.slack.says(ANN, &number.to_string());
    }
    for number in 0..1600 {
        assert_eq!(bot.text().await, number.to_string());
    }
    rig.slack.acknowledged().await;
    assert!(rig.slack.counts().connections > 1);
}

#[tokio::test]
async fn half_a_frame_ends_the_connection_and_no_message_is_lost() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for number in 0..10 {
        rig.slack.says(ANN, &number.to_string());
        rig.slack.tear();
        rig.slack
            .until_counts("it is opened again", |counts| {
                counts.connections > number + 1
            })
            .await;
        assert_eq!(bot.text().await, number.to_string());
    }
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn the_clock_of_the_server_may_be_apart_too() {
    const YEAR: i64 = 365 * 86_400;
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    // Years before and after ours, and back again.
    for years in [0, 9, -9, 0] {
        let at = rig.clock.now().as_millis() / 1000 + years * YEAR;
        let mut message = rig.slack.message(ANN, "now");
        message["ts"] = format!("{at}.000100").into();
        rig.slack.event(&message);
        let inbound = bot.message().await;
        assert_eq!(inbound.at.as_millis(), at * 1000);
        assert!(!inbound.historical);
    }
    rig.slack.says(ANN, "the last");
    assert_eq!(bot.text().await, "the last");
}

#[tokio::test]
async fn t54_what_the_app_sees_for_others_was_not_said_to_the_bot() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let event = |authorizations: Value| {
        let message = rig.slack.message(ANN, "to somebody else");
        json!({
            "team_id": "T0", "api_app_id": "A0", "type": "event_callback", "event": message,
            "event_id": format!("Ev{authorizations}"), "authorizations": authorizations,
        })
    };
    for authorizations in [
        // A person of the same workspace has let the app read their direct chats.
        json!([{ "team_id": "T0", "user_id": "U0BEN", "is_bot": false }]),
        // The same app is installed in another workspace, with another bot.
        json!([{ "team_id": "T0THER", "user_id": "U0OTHERBOT", "is_bot": true }]),
    ] {
        rig.slack.push("events_api", &event(authorizations));
    }
    // A button and a command of that workspace, under the id that the owner has here.
    rig.slack.push(
        "interactive",
        &json!({
            "type": "block_actions", "user": { "id": ANN }, "team": { "id": "T0THER" }, "enterprise": null,
            "container": { "type": "message", "message_ts": "1.2", "channel_id": "D1" },
            "actions": [{ "type": "button", "value": "a:1" }],
        }),
    );
    rig.slack.push(
        "slash_commands",
        &json!({
            "command": "/pair", "text": "", "user_id": ANN, "channel_id": "D1", "team_id": "T0THER",
        }),
    );
    rig.slack.says(ANN, "to the bot");
    assert_eq!(bot.text().await, "to the bot");
    rig.slack.acknowledged().await;
    assert!(bot.is_quiet());
}

#[tokio::test]
async fn a_socket_that_is_closed_after_each_event() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.slack
        .behave(|behaviour| behaviour.closes_after = Some(1));
    for number in 0..20 {
        rig.slack.says(ANN, &number.to_string());
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
    let now = rig.clock.now().as_millis();
    for days in [0, 1, -1, 400] {
        let at = Timestamp::from_millis(now + days * 86_400_000);
        rig.clock.set(at);
        rig.slack.says(ANN, "now");
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
        rig.slack.answers(OPEN, Answer::HangUp { done: false });
    }
    rig.slack.answers(OPEN, Answer::Later("0.01"));
    rig.slack.answers(OPEN, Answer::Silence);
    rig.slack
        .answers(OPEN, Answer::Raw(503, "<html>".to_owned()));
    rig.slack.answers(OPEN, Answer::Error("internal_error"));
    let mut bot = rig.connected().await;
    rig.slack.says(ANN, "hello");
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
        "ws://example.org/link",
        "http://127.0.0.1",
        "",
        "wss://a@b/",
    ] {
        let answer = json!({ "ok": true, "url": url }).to_string();
        rig.slack.answers(OPEN, Answer::Raw(200, answer));
    }
    let bot = rig.connected().await;
    assert_eq!(
        (rig.slack.counts().connections, rig.slack.count(OPEN)),
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
