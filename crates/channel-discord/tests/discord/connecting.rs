//! Sessions: begun, resumed, replaced and lost, across connections and restarts.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection, SavedText as _};

use crate::rig::{ANN, Rig, Running};

#[tokio::test]
async fn a_message_comes_in() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    let id = rig.discord.says(ANN, "hello");
    let inbound = bot.message().await;
    assert_eq!((inbound.text.as_str(), inbound.id), ("hello", id));
    assert_eq!(inbound.sender, ANN.to_string());
    assert_eq!(inbound.chat.chat, rig.discord.chat_with(ANN));
    assert!(inbound.is_direct && inbound.authenticated && !inbound.historical);
    let status = bot.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.since.is_some() && status.last_error.is_none());
    // By the Date of its answers.
    assert!(status.clock_ahead_ms.is_some());
    bot.stop().await;
    rig.discord.left().await;
}

#[tokio::test]
async fn only_direct_messages_are_asked_for() {
    let rig = Rig::new().await;
    rig.discord.behave(|behaviour| behaviour.intents = 1 << 12);
    let mut bot = rig.connected().await;
    rig.discord.says(ANN, "direct");
    assert_eq!(bot.text().await, "direct");
    // Should something from a server come all the same, it is no direct message.
    rig.discord.says_in(5, ANN, "in a server");
    assert!(!bot.message().await.is_direct);
}

#[tokio::test]
async fn a_lost_connection_is_resumed_without_a_gap() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    for round in 0..5 {
        match round % 3 {
            0 => rig.discord.close(4000),
            1 => rig.discord.tear(),
            _ => rig.discord.asks_to_reconnect(),
        }
        // Said while nobody is connected, or just before.
        rig.discord.says(ANN, &format!("a{round}"));
        rig.discord.says(ANN, &format!("b{round}"));
        assert_eq!(bot.text().await, format!("a{round}"));
        assert_eq!(bot.text().await, format!("b{round}"));
        rig.discord
            .until_counts("the session is resumed", |counts| counts.resumes > round)
            .await;
    }
    assert!(bot.is_quiet());
    let counts = rig.discord.counts();
    assert_eq!((counts.identifies, counts.resumes), (1, 5));
}

#[tokio::test]
async fn a_restart_resumes_and_what_was_said_meanwhile_comes_once() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord.says(ANN, "before");
    assert_eq!(bot.text().await, "before");
    bot.stop().await;
    rig.discord.left().await;
    rig.discord.says(ANN, "meanwhile");

    let mut bot = rig.connected().await;
    assert_eq!(bot.text().await, "meanwhile");
    assert!(bot.is_quiet());
    assert_eq!(rig.discord.counts().identifies, 1);
    bot.stop().await;
}

#[tokio::test]
async fn what_no_reader_has_taken_comes_again_after_a_restart() {
    let rig = Rig::new().await;
    // Room for one message.
    let bot = Running::run(rig.bot(), 1);
    rig.discord.connected().await;
    for number in 0..5 {
        rig.discord.says(ANN, &number.to_string());
    }
    let (mut seen, mut bot) = (vec![], bot);
    seen.push(bot.text().await);
    // At most one more has been handed on, and is lost with its reader.
    bot.stop().await;
    let mut bot = rig.connected().await;
    while seen.last().is_none_or(|last| last != "4") {
        seen.push(bot.text().await);
    }
    seen.dedup();
    assert!(seen.len() >= 4, "{seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}

#[tokio::test]
async fn an_invalid_session_is_resumed_or_begun_anew_as_the_gateway_says() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord.invalidates(true);
    rig.discord
        .until_counts("it is resumed", |counts| counts.resumes == 1)
        .await;
    rig.discord.invalidates(false);
    rig.discord
        .until_counts("it is begun anew", |counts| counts.identifies == 2)
        .await;
    rig.discord.connected().await;
    rig.discord.says(ANN, "still there?");
    assert_eq!(bot.text().await, "still there?");
}

#[tokio::test]
async fn a_session_that_was_forgotten_meanwhile_is_begun_anew() {
    let rig = Rig::new().await;
    rig.connected().await.stop().await;
    rig.discord.left().await;
    rig.discord.forgets_sessions();
    let mut bot = rig.connected().await;
    assert_eq!(rig.discord.counts().identifies, 2);
    rig.discord.says(ANN, "hello");
    assert_eq!(bot.text().await, "hello");
}

#[tokio::test]
async fn close_codes_that_end_a_session_and_those_that_do_not() {
    let rig = Rig::new().await;
    let _bot = rig.connected().await;
    for (code, is_new) in [
        (1000, false),
        (1001, false),
        (4000, false),
        (4001, false),
        (4002, false),
        (4005, false),
        (4008, false),
        (4003, true),
        (4007, true),
        (4009, true),
    ] {
        let before = rig.discord.counts();
        rig.discord.close(code);
        rig.discord
            .until_counts("it comes back", |counts| {
                counts.identifies + counts.resumes > before.identifies + before.resumes
            })
            .await;
        rig.discord.connected().await;
        let now = rig.discord.counts();
        assert_eq!(now.identifies > before.identifies, is_new, "{code}");
    }
}

#[tokio::test]
async fn heartbeats_are_sent_and_a_connection_that_does_not_answer_is_replaced() {
    let rig = Rig::new().await;
    rig.discord
        .behave(|behaviour| behaviour.interval = Duration::from_millis(40));
    let mut bot = rig.connected().await;
    rig.discord
        .until_counts("hearts beat", |counts| counts.heartbeats >= 4)
        .await;
    assert_eq!(rig.discord.counts().connections, 1);
    rig.discord
        .behave(|behaviour| behaviour.acknowledges = false);
    rig.discord
        .until_counts("the connection is replaced", |counts| counts.resumes >= 1)
        .await;
    rig.discord
        .behave(|behaviour| behaviour.acknowledges = true);
    rig.discord.connected().await;
    rig.discord.says(ANN, "alive?");
    assert_eq!(bot.text().await, "alive?");
}

#[tokio::test]
async fn a_heartbeat_that_is_asked_for_is_sent_at_once() {
    let rig = Rig::new().await;
    let _bot = rig.connected().await;
    rig.discord.asks_for_heartbeat();
    rig.discord
        .until_counts("a heart beats", |counts| counts.heartbeats >= 1)
        .await;
}

#[tokio::test]
async fn sessions_are_not_begun_faster_than_allowed() {
    let mut rig = Rig::new().await;
    rig.pace.identify = Duration::from_millis(150);
    rig.discord
        .behave(|behaviour| behaviour.identify = Duration::from_millis(140));
    let _bot = rig.connected().await;
    for round in 2..4 {
        rig.discord.invalidates(false);
        rig.discord
            .until_counts("it is begun anew", |counts| counts.identifies == round)
            .await;
        rig.discord.connected().await;
    }
    // None of them was refused.
    assert_eq!(rig.discord.counts().identifies, 3);
}

#[tokio::test]
async fn the_daily_number_of_sessions_is_waited_for() {
    let rig = Rig::new().await;
    rig.discord.behave(|behaviour| {
        behaviour.sessions_left = 0;
        behaviour.sessions_again = Duration::from_millis(30);
    });
    let bot = rig.run();
    rig.discord.called("GET /gateway/bot").await;
    rig.discord.called("GET /gateway/bot").await;
    assert_eq!(rig.discord.counts().connections, 0);
    let error = bot.adapter.status().last_error.unwrap();
    assert!(error.contains("no more sessions"), "{error}");
    rig.discord.behave(|behaviour| behaviour.sessions_left = 1);
    rig.discord.connected().await;
}

#[tokio::test]
async fn a_configured_gateway_is_used_and_not_gone_around() {
    let rig = Rig::new().await;
    let at = format!("{}/own", rig.discord.gateway());
    let mut bot = Running::run(rig.at_gateway(&at), 16);
    rig.discord.connected().await;
    rig.discord.close(4000);
    rig.discord
        .until_counts("it is resumed", |counts| counts.resumes == 1)
        .await;
    rig.discord.says(ANN, "hello");
    assert_eq!(bot.text().await, "hello");
}

#[tokio::test]
async fn a_bot_does_not_take_over_the_session_of_another() {
    let rig = Rig::new().await;
    let mut bot = rig.connected().await;
    rig.discord.says(ANN, "hello");
    bot.message().await;
    bot.stop().await;
    let text = rig.saved.load().unwrap();
    let other = text.replace("\"bot\": \"", "\"bot\": \"0");
    assert_ne!(text, other);
    rig.saved.save(&other).unwrap();
    let _bot = rig.connected().await;
    assert_eq!(rig.discord.counts().resumes, 0);
}
