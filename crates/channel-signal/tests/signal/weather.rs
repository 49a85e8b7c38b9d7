//! A daemon that is away, closes, is silent, or is something else.

use std::time::Duration;

use channel_kit::{Adapter as _, Connection};
use test_support::Logs;
use test_support::signal::{ACCOUNT, ANN, Person, Signal};

use crate::rig::{Rig, Running};

#[tokio::test]
async fn closed_streams_are_opened_again_and_each_message_comes_once() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    for number in 0..40 {
        rig.signal.says(ANN, &number.to_string());
        assert_eq!(running.text().await, number.to_string());
        rig.signal.close_streams();
        rig.signal.opened(number + 2).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_daemon_that_is_not_right_is_named_once_and_retried() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.signal.set_accounts(&["+15550009999"]);
    let mut running = Running::run(rig.account(), 16);
    logs.until("signal: connecting again", 3).await;
    let status = running.adapter.status();
    assert_eq!(status.connection, Connection::Failing);
    let error = status.last_error.unwrap();
    assert!(error.contains("does not have this account"), "{error}");
    assert_eq!(logs.count("signal: no messages, retrying"), 1);
    assert!(logs.text().contains("openclaw channels login signal"));
    // The account is linked now.
    rig.signal.set_accounts(&[ACCOUNT]);
    rig.signal.opened(1).await;
    rig.signal.says(ANN, "at last");
    assert_eq!(running.text().await, "at last");
    assert_eq!(logs.count("signal: messages come again"), 1);
    for (again, status) in [(1, 404), (2, 502)] {
        rig.signal.answer_with(status);
        rig.signal.close_streams();
        logs.until("something else answers", again).await;
        rig.signal.opened(again + 1).await;
        logs.until("signal: messages come again", again + 1).await;
    }
    running.stop().await;
    assert!(!logs.text().contains("at last"));
}

#[tokio::test]
async fn a_silent_stream_is_dropped() {
    let mut rig = Rig::new().await;
    rig.pace.silence = Duration::from_millis(5);
    let running = rig.listening(1).await;
    rig.signal.opened(4).await;
    let error = running.adapter.status().last_error.unwrap();
    assert!(error.contains("does not answer any more"), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn what_is_too_long_or_hostile_harms_nothing() {
    let rig = Rig::new().await;
    let mut running = rig.listening(1).await;
    rig.signal
        .raw(&[b"data:".to_vec(), vec![b'x'; 3 << 20], b"\n\n".to_vec()].concat());
    rig.signal
        .raw(b"data:\xff\xfe\n\ndata:{\"envelope\":{\"timestamp\":1e400}}\n\n");
    rig.signal.says(ANN, &"ä".repeat(100_000));
    assert_eq!(running.text().await.len(), 64 << 10);
    let hostile = Person {
        name: "Ann\u{1b}[31m\u{202e}",
        ..ANN
    };
    rig.signal.says(hostile, "x");
    assert_eq!(running.text().await, "x");
    running.stop().await;
}

#[tokio::test]
async fn a_daemon_that_comes_later_is_found() {
    let rig = Rig::new().await;
    let account = rig.account_at("http://127.0.0.1:1", Some(ACCOUNT));
    let logs = Logs::default();
    let _guard = logs.listen();
    let running = Running::run(account, 16);
    logs.until("signal: no messages, retrying", 1).await;
    assert!(logs.text().contains("autoStart"));
    running.stop().await;
    let other = Signal::start().await;
    let running = Running::run(rig.account_at(other.root(), None), 16);
    other.opened(1).await;
    running.stop().await;
}
