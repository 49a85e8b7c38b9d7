//! Logging an account out: through the daemon, and by the program where none runs.

use channel_kit::{Adapter as _, Connection, LoggedOut, LogoutError};
use channel_signal::{Daemon, Signal as Account};
use serde_json::json;
use test_support::Logs;
use test_support::signal::{ACCOUNT, ANN};

use crate::child::script;
use crate::rig::{Rig, Running};

/// An address at which nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

async fn log_out(account: &Account) -> Result<LoggedOut, LogoutError> {
    account.login().unwrap().log_out().await
}

fn is_done(done: Result<LoggedOut, LogoutError>) {
    let done = done.unwrap();
    assert_eq!((done.account.as_str(), done.was_linked), (ACCOUNT, true));
    assert!(done.remark.unwrap().contains("Linked devices"));
}

#[tokio::test]
async fn through_the_daemon_and_the_account_is_looked_for_again() {
    let mut rig = Rig::new().await;
    rig.pace.backoff = [std::time::Duration::from_millis(2); 2];
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut running = rig.listening(1).await;
    is_done(log_out(&running.adapter).await);
    for (method, params) in [
        ("removeDevice", json!({ "account": ACCOUNT, "deviceId": 0 })),
        ("unregister", json!({ "account": ACCOUNT })),
        ("deleteLocalAccountData", json!({ "account": ACCOUNT })),
    ] {
        assert_eq!(rig.signal.called(method).await, params);
    }
    // The daemon has left its stream open: the adapter drops it, and says why no messages come.
    logs.until("signal: no messages, retrying", 1).await;
    let status = running.adapter.status();
    assert_ne!(status.connection, Connection::Connected);
    // It is heard again when it is linked again.
    rig.signal.set_accounts(&[ACCOUNT]);
    rig.signal.opened(2).await;
    rig.signal.says(ANN, "welcome back");
    assert_eq!(running.text().await, "welcome back");
    running.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_opened_after_a_logout_is_kept() {
    let rig = Rig::new().await;
    let logs = Logs::default();
    let _guard = logs.listen();
    let account = rig.account();
    is_done(log_out(&account).await);
    rig.signal.set_accounts(&[ACCOUNT]);
    let mut running = Running::run(account, 16);
    rig.signal.opened(1).await;
    rig.signal.says(ANN, "hello");
    assert_eq!(running.text().await, "hello");
    rig.signal.says(ANN, "again");
    assert_eq!(running.text().await, "again");
    assert_eq!(logs.count("signal: no messages, retrying"), 0);
    running.stop().await;
}

#[tokio::test]
async fn the_only_account_need_not_be_named_and_one_of_several_must() {
    let rig = Rig::new().await;
    let account = rig.account_at(rig.signal.root(), None);
    is_done(log_out(&account).await);
    for numbers in [&[][..], &["+15550000001", "+15550000002"]] {
        rig.signal.set_accounts(numbers);
        let error = log_out(&account).await.unwrap_err();
        assert!(error.advice().contains("set `account`"), "{error}");
    }
    // What happened was the first one.
    assert_eq!(rig.signal.calls(), 3);
}

#[tokio::test]
async fn an_account_that_was_removed_on_the_phone_is_deleted_here() {
    let rig = Rig::new().await;
    rig.signal.set_accounts(&["+15550000002"]);
    let done = log_out(&rig.account()).await.unwrap();
    assert_eq!(done, LoggedOut::of(ACCOUNT).was_not_linked());
    rig.signal.called("deleteLocalAccountData").await;
    assert_eq!(rig.signal.calls(), 0);
}

#[tokio::test]
async fn a_number_that_was_registered_here_is_left_alone() {
    let rig = Rig::new().await;
    rig.signal.registers();
    for network in [true, false] {
        if !network {
            rig.signal
                .refuse(-3, "Error while removing device: Connection closed!", None);
        }
        let error = log_out(&rig.account()).await.unwrap_err();
        assert!(error.to_string().contains("no linked device"), "{error}");
        assert!(
            error.advice().contains("enabled: false"),
            "{}",
            error.advice()
        );
        rig.signal.called("removeDevice").await;
        assert_eq!(rig.signal.calls(), 0);
    }
}

#[tokio::test]
async fn what_fails_is_named_and_can_be_tried_again() {
    let rig = Rig::new().await;
    let account = rig.account();
    // Signal is not reached: nothing was deleted, and the account is heard as before.
    let running = rig.listening(1).await;
    rig.signal
        .refuse(-3, "Unregister error: Connection closed!", None);
    let error = log_out(&account).await.unwrap_err();
    assert!(
        matches!(&error, LogoutError::Unavailable { reason, .. } if reason.contains("Connection closed")),
        "{error:?}"
    );
    assert!(
        error.advice().contains("did not reach Signal"),
        "{}",
        error.advice()
    );
    rig.signal.called("unregister").await;
    rig.signal.says(ANN, "still here");
    let mut running = running;
    assert_eq!(running.text().await, "still here");
    running.stop().await;
    rig.signal.called("removeDevice").await;
    assert_eq!(rig.signal.calls(), 0);
    is_done(log_out(&account).await);
    // The second half fails: the account is gone from Signal, and the next attempt deletes it.
    rig.signal.set_accounts(&[]);
    rig.signal.refuse(-3, "Deletion error: /x", None);
    assert!(log_out(&account).await.is_err());
    let done = log_out(&account).await.unwrap();
    assert!(!done.was_linked);
    // It is registered, says signal-cli.
    rig.signal.refuse(-1, "Not deleting account, it is still registered. Use --ignore-registered to delete it anyway.", None);
    let error = log_out(&account).await.unwrap_err();
    assert!(error.advice().contains("--ignore-registered"), "{error}");
    // Something else answers, or nothing.
    rig.signal.answer_with(404);
    assert!(
        log_out(&account)
            .await
            .unwrap_err()
            .advice()
            .contains("httpUrl")
    );
    let error = log_out(&rig.account_at(NOWHERE, None)).await.unwrap_err();
    assert!(error.to_string().contains("does not run"), "{error}");
}

/// An account whose daemon does not run, and its program.
fn by_program(rig: &Rig, dir: &std::path::Path, number: Option<&str>, text: &str) -> Account {
    let program = script(dir, text);
    let daemon = Daemon::new(program, "127.0.0.1:9").config(Some("/keys of ann".into()));
    rig.account_at(NOWHERE, number).start(daemon)
}

#[tokio::test]
async fn by_the_program_where_no_daemon_runs() {
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let text = format!(
        "echo \"$*\" >>'{}'
         case \"$*\" in
             *removeDevice*) echo \"This command doesn't work on linked devices.\" >&2; exit 1;;
             *listAccounts*) echo '[{{\"number\":\"{ACCOUNT}\"}}]';;
         esac",
        told.display()
    );
    let steps = |first: &str| {
        let account = format!("--config /keys of ann --output json --account {ACCOUNT}");
        format!(
            "{first}{account} removeDevice --device-id 0\n{account} unregister\n{account} deleteLocalAccountData\n"
        )
    };
    for (number, first) in [
        (Some(ACCOUNT), ""),
        (None, "--config /keys of ann --output json listAccounts\n"),
    ] {
        let _ = std::fs::remove_file(&told);
        is_done(log_out(&by_program(&rig, dir.path(), number, &text)).await);
        assert_eq!(std::fs::read_to_string(&told).unwrap(), steps(first));
    }
}

#[tokio::test]
async fn keys_that_are_not_deleted_are_named() {
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    let text = "case \"$*\" in
             *removeDevice*) echo \"This command doesn't work on linked devices.\" >&2; exit 1;;
             *delete*) echo 'Deletion error: /x' >&2; exit 3;;
         esac";
    let error = log_out(&by_program(&rig, dir.path(), Some(ACCOUNT), text))
        .await
        .unwrap_err();
    assert!(error.is_half_done(), "{error:?}");
    let reason = error.to_string();
    assert!(
        reason.contains("keys were not deleted") && reason.contains("Deletion error"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_program_that_fails_says_why() {
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    let linked =
        "*removeDevice*) echo \"This command doesn't work on linked devices.\" >&2; exit 1;;";
    for (text, reason, advice) in [
        (
            format!(
                "case \"$*\" in {linked} *unregister*) echo 'Unregister error: no route' >&2; exit 3;; esac"
            ),
            "Unregister error: no route",
            "did not reach Signal",
        ),
        (
            "echo 'Error while removing device: no route' >&2; exit 3".to_owned(),
            "no linked device",
            "enabled: false",
        ),
        ("exit 2".to_owned(), "does not say why", "by hand"),
    ] {
        let error = log_out(&by_program(&rig, dir.path(), Some(ACCOUNT), &text))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.advice().contains(advice), "{}", error.advice());
    }
    // An answer without end is not kept, and the program is not held up by it.
    let text =
        format!("head -c 200000 /dev/zero | tr '\\0' ' '; echo '[{{\"number\":\"{ACCOUNT}\"}}]'");
    let error = log_out(&by_program(&rig, dir.path(), None, &text))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("0 accounts"), "{error}");
    // One that it does not know is gone already.
    let text = format!(
        "case \"$*\" in *delete*) exit 0;; esac; echo 'User {ACCOUNT} is not registered.' >&2; exit 1"
    );
    let done = log_out(&by_program(&rig, dir.path(), Some(ACCOUNT), &text))
        .await
        .unwrap();
    assert!(!done.was_linked);
    // It is not waited for without end, and need not be there.
    let mut hasty = Rig::new().await;
    hasty.pace.call = std::time::Duration::from_millis(20);
    let account = by_program(
        &hasty,
        dir.path(),
        Some(ACCOUNT),
        "exec cat /dev/zero >/dev/null",
    );
    assert!(matches!(
        log_out(&account).await,
        Err(LogoutError::Unavailable { .. })
    ));
    let none = Daemon::new(dir.path().join("none"), "127.0.0.1:9");
    let error = log_out(&rig.account_at(NOWHERE, Some(ACCOUNT)).start(none))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cannot be started"), "{error}");
}
