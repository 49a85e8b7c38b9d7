//! Children that end, say nothing, or say what is not right.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use channel_kit::{Adapter as _, Connection};
use test_support::Logs;
use test_support::imsg::ANN;

use crate::rig::{Rig, Running};

#[tokio::test]
async fn a_child_that_writes_half_a_line_and_dies_is_started_again() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    rig.imsg.says(ANN, "whole");
    rig.imsg
        .raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"message\",\"params\":{\"mess");
    assert_eq!(running.text().await, "whole");
    rig.imsg.end();
    rig.imsg.watching(2).await;
    rig.imsg.says(ANN, "after it");
    assert_eq!(running.text().await, "after it");
    let error = running.adapter.status().last_error.unwrap();
    assert!(error.contains("exit status: 3: gone"), "{error}");
    assert_eq!(logs.count("imessage: no messages, retrying"), 1);
    assert_eq!(logs.count("imessage: messages come again"), 1);
    assert!(!logs.text().contains('\u{1b}') && !logs.text().contains("whole"));
    running.stop().await;
}

#[tokio::test]
async fn children_that_end_again_and_again_lose_nothing() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    for number in 0..12 {
        rig.imsg.says(ANN, &number.to_string());
        assert_eq!(running.text().await, number.to_string());
        rig.imsg.end();
        rig.imsg.watching(number + 2).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn lines_that_are_too_long_or_hostile_harm_nothing() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    rig.imsg
        .raw(&[vec![b'x'; 3 << 20], b"\n".to_vec()].concat());
    rig.imsg.raw(b"[]\nnull\n\xff\xfe\n{}\n{\"id\":99,\"result\":1}\n{\"id\":-1}\n{\"method\":\"message\"}\n");
    rig.imsg.raw(
        b"{\"method\":\"message\",\"params\":{\"message\":{\"is_from_me\":false,\"id\":1e400}}}\n",
    );
    rig.imsg.says(ANN, &"\u{e4}".repeat(100_000));
    assert_eq!(running.text().await.len(), 64 << 10);
    assert_eq!(rig.imsg.children().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_child_that_answers_nothing_is_replaced() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut rig = Rig::new().await;
    // Long enough for a child to start on a busy machine.
    rig.pace.call = Duration::from_secs(3);
    rig.imsg.set_silent(true);
    let mut running = rig.watching(2).await;
    logs.until("imsg does not answer", 1).await;
    assert_eq!(running.adapter.status().connection, Connection::Failing);
    rig.imsg.set_silent(false);
    logs.until("imessage: messages come again", 1).await;
    rig.imsg.says(ANN, "at last");
    assert_eq!(running.text().await, "at last");
    running.stop().await;
}

#[tokio::test]
async fn t137_a_child_that_falls_silent_while_it_watches_is_replaced() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut rig = Rig::new().await;
    rig.pace.silence = Duration::from_millis(5);
    rig.pace.call = Duration::from_secs(3);
    let mut running = rig.watching(1).await;
    rig.imsg.says(ANN, "before");
    assert_eq!(running.text().await, "before");
    rig.imsg.set_silent(true);
    logs.until("imsg does not answer", 1).await;
    rig.imsg.set_silent(false);
    logs.until("imessage: messages come again", 1).await;
    rig.imsg.says(ANN, "at last");
    assert_eq!(running.text().await, "at last");
    running.stop().await;
}

#[tokio::test]
async fn a_watch_that_fails_begins_again() {
    let rig = Rig::new().await;
    let mut running = rig.watching(1).await;
    rig.imsg.raw(
        b"{\"method\":\"error\",\"params\":{\"error\":{\"message\":\"authorization denied\"}}}\n",
    );
    rig.imsg.watching(2).await;
    rig.imsg.says(ANN, "again");
    assert_eq!(running.text().await, "again");
    running.stop().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_or_ends_at_once_is_named() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    let running = Running::run(rig.account(&dir.path().join("none")), 16);
    logs.until("imessage: starting imsg again", 2).await;
    assert!(logs.text().contains("imsg cannot be started"));
    assert!(logs.text().contains("brew install"));
    running.stop().await;
    let program = dir.path().join("imsg");
    let text =
        "#!/bin/sh\necho 'first' >&2\nprintf 'unable to open database \\033[31m' >&2\nexit 1\n";
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let running = Running::run(rig.account(&program), 16);
    logs.until("exit status: 1: unable to open database", 3)
        .await;
    assert!(logs.text().contains("Full Disk Access"));
    assert!(!logs.text().contains('\u{1b}'));
    running.stop().await;
}
