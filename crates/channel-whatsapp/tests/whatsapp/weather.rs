//! Meta away, slow to accept, or not accepting.

use channel_kit::{Adapter as _, Connection, ProbeError, Probed};
use test_support::Logs;
use test_support::whatsapp::{ANN, Answer, NUMBER_ID, TOKEN};

use crate::rig::{Rig, Running, connected, delivered};

#[tokio::test]
async fn a_wrong_token_is_said_once_and_ends_the_account() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let account = rig.account_of(NUMBER_ID, &rig.whatsapp.root(), "EAAGwrongwrongwrongwrong");
    let running = Running::run(account, 16);
    let account = running.adapter.clone();
    running.ended().await;
    assert_eq!(
        logs.count("whatsapp: the number is not accepted, the account is off"),
        1
    );
    assert!(logs.text().contains("make a token of a system user"));
    let status = account.status();
    assert_eq!(status.connection, Connection::Stopped);
    assert!(status.last_error.unwrap().contains("code 190"));
    assert!(!logs.text().contains("EAAGwrong"));
}

#[tokio::test]
async fn every_final_error_ends_it_and_is_named() {
    for code in [0, 10, 190, 200, 368, 131_005, 131_031, 133_010] {
        let logs = Logs::default();
        let _guard = logs.listen();
        let rig = Rig::new().await;
        rig.whatsapp.answer("number", Answer::Code(code, "no"));
        Running::run(rig.account(), 16).ended().await;
        assert!(logs.text().contains(&format!("(code {code})")), "{code}");
    }
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let account = rig.account_of("4711", &rig.whatsapp.root(), TOKEN);
    Running::run(account, 16).ended().await;
    assert!(
        logs.text().contains("and not the number"),
        "{}",
        logs.text()
    );
}

#[tokio::test]
async fn a_server_that_fails_is_named_once_retried_and_messages_come_meanwhile() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    for _ in 0..3 {
        rig.whatsapp.answer("number", Answer::Raw(502, "<html>"));
    }
    rig.whatsapp.answer(
        "number",
        Answer::Code(4, "Application request limit reached"),
    );
    rig.whatsapp
        .answer("number", Answer::HangUp { done: false });
    let mut running = Running::run(rig.account(), 16);
    logs.until("whatsapp: asking again", 2).await;
    logs.until("whatsapp: Meta answers again", 1).await;
    // One for each kind.
    assert_eq!(logs.count("whatsapp: Meta does not answer, retrying"), 3);
    connected(&running).await;
    delivered(&running, &rig.whatsapp.note(ANN, "hello"));
    assert_eq!(running.text().await, "hello");
    let status = running.adapter.status();
    assert!(status.last_error.is_some() && status.last_received.is_some());
    // By the Date of the answer, to the second.
    assert!(status.clock_ahead_ms.is_some());
    running.stop().await;
}

#[tokio::test]
async fn messages_come_while_meta_cannot_be_asked() {
    let rig = Rig::new().await;
    let logs = Logs::default();
    let _guard = logs.listen();
    let account = rig.account_of(NUMBER_ID, "http://127.0.0.1:1", TOKEN);
    let mut running = Running::run(account, 16);
    logs.until("whatsapp: asking again", 2).await;
    assert_eq!(running.adapter.status().connection, Connection::Failing);
    delivered(&running, &rig.whatsapp.note(ANN, "hello"));
    assert_eq!(running.text().await, "hello");
    running.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_it_is_or_why_not() {
    let rig = Rig::new().await;
    let account = rig.account();
    assert_eq!(account.probe().await, Ok(Probed::named("Ann's Assistant")));
    rig.whatsapp
        .answer("number", Answer::Code(190, "Session has expired"));
    let refused = account.probe().await.unwrap_err();
    assert!(matches!(&refused, ProbeError::Refused { reason } if reason.contains("190")));
    rig.whatsapp.answer("number", Answer::Raw(502, ""));
    let failed = account.probe().await.unwrap_err();
    assert!(matches!(failed, ProbeError::Unavailable { .. }));
    assert!(!format!("{account:?}").contains("hunter2"));
}
