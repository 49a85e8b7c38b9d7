//! A server that is away, refuses, or is something else.

use channel_kit::{Adapter as _, Connection, Delivery};
use test_support::Logs;
use test_support::bluebubbles::{ANN, PASSWORD};

use crate::rig::{Rig, Running, deliver, delivered};

#[tokio::test]
async fn a_wrong_password_is_said_once_and_ends_the_account() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let running = Running::run(rig.account_at(rig.server.root(), "hunter3"), 16);
    let adapter = running.adapter.clone();
    running.ended().await;
    assert_eq!(
        logs.count("bluebubbles: the password is not accepted, the account is off"),
        1
    );
    let status = adapter.status();
    assert_eq!(status.connection, Connection::Stopped);
    assert!(
        status
            .last_error
            .unwrap()
            .contains("does not accept the password")
    );
    assert!(!logs.text().contains("hunter3"));
}

#[tokio::test]
async fn a_password_that_is_changed_ends_the_account() {
    let rig = Rig::new().await;
    let running = rig.listening().await;
    rig.server.set_password("another");
    // It asks again, because it missed something.
    let event = rig.server.notes(ANN, "x");
    while deliver(&running, &event) == Delivery::Taken {}
    running.ended().await;
}

#[tokio::test]
async fn a_server_that_is_not_right_is_named_once_and_retried() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    for _ in 0..5 {
        rig.server.answer_with(502);
    }
    let mut running = rig.listening().await;
    assert_eq!(logs.count("bluebubbles: no messages, retrying"), 1);
    assert!(logs.text().contains("something else answers there"));
    logs.until("bluebubbles: messages come again", 1).await;
    delivered(&running, &rig.server.notes(ANN, "at last"));
    assert_eq!(running.text().await, "at last");
    let status = running.adapter.status();
    assert_eq!(status.connection, Connection::Connected);
    assert!(status.last_error.unwrap().contains("502"));
    running.stop().await;
    assert!(!logs.text().contains("at last") && !logs.text().contains("hunter2"));
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_webhooks_with_it() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let running = Running::run(rig.account_at("http://127.0.0.1:1", PASSWORD), 16);
    logs.until("bluebubbles: asking again", 2).await;
    assert_eq!(running.adapter.status().connection, Connection::Failing);
    // What cannot be answered is not taken; it is fetched when the server is back.
    assert_eq!(
        deliver(&running, &rig.server.notes(ANN, "x")),
        Delivery::Busy
    );
    running.stop().await;
}
