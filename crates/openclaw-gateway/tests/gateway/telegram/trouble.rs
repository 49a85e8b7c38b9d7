//! What goes wrong on the way: ridden out, said once, and the end only where there is no more to do.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection, ProbeError};
use pairing_core::{Clock as _, Timestamp};
use pairing_fs::SystemClock;

use super::Bot;
use super::Rig;
use super::server::{Answer, BOT_TOKEN};
use test_support::Logs;

#[tokio::test]
async fn a_wrong_token_is_said_once_and_is_the_end() {
    for (status, text) in [(401, "Unauthorized"), (404, "Not Found")] {
        let logs = Logs::default();
        let _guard = logs.listen();
        let rig = Rig::new().await;
        rig.api.answers("getMe", Answer::Error(status, text));
        rig.run().ended().await;
        assert_eq!(
            logs.count("the bot token is not accepted"),
            1,
            "{}",
            logs.text()
        );
        assert_eq!(logs.count("@BotFather"), 1);
        assert_eq!(
            (rig.api.count("getMe"), rig.api.count("getUpdates")),
            (1, 0)
        );
    }
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_the_end_too() {
    let rig = Rig::new().await;
    let mut bot = rig.run();
    rig.api.says(555, "hello");
    bot.text().await;
    rig.api
        .answers("getUpdates", Answer::Error(401, "Unauthorized"));
    rig.api.says(555, "wakes the poll that hangs");
    bot.ended().await;
}

#[tokio::test]
async fn a_page_of_somebody_else_is_no_verdict_on_the_token() {
    let rig = Rig::new().await;
    for status in [401, 404, 302] {
        let page = "<html>sign in to this network</html>".to_owned();
        rig.api.answers("getMe", Answer::Raw(status, page));
    }
    let mut bot = rig.run();
    rig.api.says(555, "hello");
    assert_eq!(bot.text().await, "hello");
    assert_eq!(rig.api.count("getMe"), 4);
    bot.stop().await;
}

#[tokio::test]
async fn the_status_tells_of_the_connection_and_of_the_last_error() {
    let rig = Rig::new().await;
    rig.api.answers("getMe", Answer::Error(502, "Bad Gateway"));
    let mut bot = rig.run();
    rig.api.says(555, "hello");
    bot.text().await;
    let status = bot.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.since.is_some() && status.last_received.is_some());
    assert!(status.last_error.unwrap().contains("Bad Gateway"));
    let adapter = bot.adapter.clone();
    bot.stop().await;
    assert_eq!(adapter.status().connection, Connection::Stopped);
}

#[tokio::test]
async fn a_direct_chat_has_the_id_of_the_person_and_a_long_text_fits_as_telegram_counts() {
    let bot = Rig::new().await.adapter();
    assert_eq!(bot.direct(&super::owner(7)).await.unwrap(), super::chat(7));
    let limit = bot.longest_text();
    assert!(limit.fits(&"a".repeat(4096)) && !limit.fits(&"a".repeat(4097)));
    assert!(limit.fits(&"😀".repeat(2048)) && !limit.fits(&"😀".repeat(2049)));
}

#[tokio::test]
async fn bad_weather_is_ridden_out_and_said_once() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.api.answers("getMe", Answer::HangUp);
    rig.api.answers("getMe", Answer::Error(502, "Bad Gateway"));
    for answer in [
        Answer::HangUp,
        Answer::HangUp,
        Answer::Error(500, "Internal Server Error"),
        Answer::Raw(503, "down".to_owned()),
        Answer::Raw(200, "{ no JSON".to_owned()),
        Answer::Raw(200, "{}".to_owned()),
        Answer::Raw(200, r#"{"ok":true}"#.to_owned()),
        Answer::Result("no list".into()),
        Answer::Result(serde_json::json!([null])),
        Answer::Later(0),
    ] {
        rig.api.answers("getUpdates", answer);
    }
    let mut bot = rig.run();
    rig.api.says(555, "at last");
    assert_eq!(bot.text().await, "at last");
    // Networks, servers and limits: one line each.
    assert_eq!(logs.count("WARN"), 3, "{}", logs.text());
    assert_eq!(logs.count("updates come again"), 1);
    bot.stop().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_the_deadline() {
    let mut rig = Rig::new().await;
    rig.pace.call = Duration::from_millis(20);
    rig.pace.poll = Duration::ZERO;
    rig.api.answers("getMe", Answer::Silence);
    rig.api.answers("getUpdates", Answer::Silence);
    rig.api.says(555, "hello");
    let bot = rig.run();
    rig.api.confirmed().await;
    assert!(rig.api.count("getMe") >= 2 && rig.api.count("getUpdates") >= 2);
    bot.stop().await;
}

#[tokio::test]
async fn what_the_server_asks_for_is_waited_for() {
    let rig = Rig::new().await;
    let bot = rig.run();
    let begun = tokio::time::Instant::now();
    rig.api.answers("getUpdates", Answer::Later(1));
    rig.api.push(serde_json::json!({ "a_new_kind": 1 }));
    // One that hangs, the one that is turned away, and one after it.
    for _ in 0..3 {
        rig.api.called("getUpdates").await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
    bot.stop().await;
}

#[tokio::test]
async fn another_poller_and_a_webhook_are_told_apart_and_said_once() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let other = "Conflict: terminated by other getUpdates request; make sure that only one bot \
                 instance is running";
    let webhook = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook \
                   to delete the webhook first";
    for _ in 0..3 {
        rig.api.answers("getUpdates", Answer::Error(409, other));
        rig.api.answers("getUpdates", Answer::Error(409, webhook));
    }
    let mut bot = rig.run();
    rig.api.says(555, "at last");
    assert_eq!(bot.text().await, "at last");
    assert_eq!(
        logs.count("another program polls with this token"),
        1,
        "{}",
        logs.text()
    );
    assert_eq!(logs.count("a webhook is set for this bot"), 1);
    assert_eq!(
        rig.api.count("deleteWebhook"),
        0,
        "it is not ours to take away"
    );
    bot.stop().await;
}

#[tokio::test]
async fn where_nobody_is_it_goes_on_trying_until_told_to_stop() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    // A port that was free a moment ago, and is held without being listened to.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let root = format!("http://{}", socket.local_addr().unwrap());
    let bot = Bot::run(rig.adapter_at(&root, BOT_TOKEN), 1);
    logs.until("still no updates", 5).await;
    assert_eq!(logs.count("WARN"), 1, "{}", logs.text());
    bot.stop().await;
}

#[tokio::test]
async fn a_long_wait_is_over_at_once_when_told_to_stop() {
    let mut rig = Rig::new().await;
    rig.pace.backoff = [Duration::from_secs(3600); 2];
    rig.api.answers("getMe", Answer::HangUp);
    let bot = rig.run();
    rig.api.called("getMe").await;
    bot.stop().await;
}

#[tokio::test]
async fn where_nothing_can_be_noted_messages_come_in_nevertheless() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    // A file where the directory should be.
    std::fs::write(rig.state.path().join("telegram"), "").unwrap();
    let mut bot = rig.run();
    for text in ["one", "two"] {
        rig.api.says(555, text);
        assert_eq!(bot.text().await, text);
    }
    rig.api.confirmed().await;
    assert!(bot.is_quiet());
    assert_eq!(logs.count("cannot be noted"), 1, "{}", logs.text());
    assert!(bot.adapter.status().not_saved.is_some());
    bot.stop().await;
}

#[tokio::test]
async fn the_server_is_asked_whether_it_accepts_the_bot() {
    let rig = Rig::new().await;
    let named = rig.adapter().probe().await.unwrap().name;
    assert_eq!(named.as_deref(), Some("@the_bot"));
    rig.api.answers("getMe", Answer::Error(401, "Unauthorized"));
    let error = rig.adapter().probe().await.unwrap_err();
    assert!(
        matches!(&error, ProbeError::Refused { reason } if reason.contains("Unauthorized")),
        "{error}"
    );
    rig.api
        .answers("getMe", Answer::Raw(404, "<html>".to_owned()));
    let error = rig.adapter().probe().await.unwrap_err();
    assert!(matches!(error, ProbeError::Unavailable { .. }), "{error}");
    assert!(!format!("{error:?}").contains(BOT_TOKEN));
}

#[tokio::test]
async fn t132_messages_are_new_by_telegrams_clock_whatever_this_machines_shows() {
    let mut rig = Rig::new().await;
    let days = 2 * 24 * 60 * 60 * 1000;
    let service = SystemClock.now().as_millis();
    for ahead in [days, -days] {
        rig.now = Timestamp::from_millis(service + ahead);
        rig.api.says(555, "hello");
        let mut bot = rig.run();
        assert!(!bot.message().await.historical, "{ahead}");
        let told = bot.adapter.status().clock_ahead_ms.unwrap();
        // Telegram tells whole seconds, and the test takes a while.
        assert!((told - ahead).abs() < 600_000, "{told} {ahead}");
        bot.stop().await;
    }
}
