//! Linking an account: through the daemon, and by the program where none runs.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::{Adapter as _, Linked, LoginError, LoginStep};
use channel_signal::{Daemon, Signal as Account};
use test_support::Logs;
use test_support::signal::{ACCOUNT, ANN};

use crate::child::script;
use crate::rig::{Rig, Running};

/// An address at which nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Links an account; the codes that were shown, and the end.
async fn link(account: &Account) -> (Vec<String>, Result<Linked, LoginError>) {
    let codes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&codes);
    let tell = move |step: LoginStep| {
        if let LoginStep::Code(code) = step {
            told.lock().unwrap().push(code.expose().to_owned());
        }
    };
    let end = account.login().unwrap().link("OpenClaw", &tell).await;
    let codes = codes.lock().unwrap().clone();
    (codes, end)
}

#[tokio::test]
async fn through_the_daemon_and_the_account_is_used_at_once() {
    let mut rig = Rig::new().await;
    rig.signal.set_accounts(&[]);
    // Without being told, the adapter would look for the account after an hour.
    rig.pace.backoff = [Duration::from_secs(3600); 2];
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut running = Running::run(rig.account(), 16);
    logs.until("signal: no messages, retrying", 1).await;
    let ((codes, end), ()) = tokio::join!(link(&running.adapter), rig.signal.scans(ACCOUNT));
    assert_eq!(end, Ok(Linked::to(ACCOUNT)));
    let call = rig.signal.called("finishLink").await;
    assert_eq!(call["deviceName"], "OpenClaw");
    assert_eq!(codes, [call["deviceLinkUri"].as_str().unwrap()]);
    rig.signal.opened(1).await;
    rig.signal.says(ANN, "welcome");
    assert_eq!(running.text().await, "welcome");
    running.stop().await;
    assert!(!logs.text().contains("linkdevice"), "{}", logs.text());
}

#[tokio::test]
async fn another_account_than_the_configured_one_is_named() {
    let rig = Rig::new().await;
    let account = rig.account();
    let ((_, end), ()) = tokio::join!(link(&account), rig.signal.scans("+15550009999"));
    let linked = end.unwrap();
    assert_eq!(linked.account, "+15550009999");
    let remark = linked.remark.unwrap();
    assert!(
        remark.contains(ACCOUNT) && remark.contains("+15550009999"),
        "{remark}"
    );
}

#[tokio::test]
async fn every_other_end_is_named_with_what_to_do() {
    let rig = Rig::new().await;
    let account = rig.account();
    for (code, message, expected, advice) in [
        (
            -1,
            "Link request timed out, please try again.",
            "the code was not used in time",
            "begin again",
        ),
        (
            -1,
            "The user +15550000001 already exists\nDelete \"/x\" before trying again.",
            "already exists",
            "listAccounts",
        ),
        (
            -3,
            "Link request error: Connection closed!",
            "Connection closed!",
            "network",
        ),
    ] {
        let ((codes, end), ()) =
            tokio::join!(link(&account), rig.signal.fails_to_link(code, message));
        assert_eq!(codes.len(), 1);
        let error = end.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.advice().contains(advice), "{}", error.advice());
        assert!(!format!("{error:?}").contains("secret-"), "{error:?}");
    }
    // It fails before there is a code, and where the daemon is for one account alone.
    for (code, message, advice) in [
        (-3, "Link request error: Connection closed!", "network"),
        (-32601, "Method not implemented", "without -a"),
    ] {
        rig.signal.refuse(code, message, None);
        let (codes, end) = link(&account).await;
        let error = end.unwrap_err();
        assert!(
            codes.is_empty() && error.advice().contains(advice),
            "{error:?}"
        );
    }
    // Something else answers, or nothing.
    rig.signal.answer_with(404);
    let (_, end) = link(&account).await;
    assert!(end.unwrap_err().advice().contains("httpUrl"));
    let (_, end) = link(&rig.account_at(NOWHERE, None)).await;
    assert!(end.unwrap_err().to_string().contains("does not run"));
}

#[tokio::test]
async fn whoever_does_not_scan_is_not_waited_for_without_end() {
    let mut rig = Rig::new().await;
    rig.pace.link = Duration::from_millis(20);
    let (codes, end) = link(&rig.account()).await;
    assert_eq!((codes.len(), end), (1, Err(LoginError::TimedOut)));
    // Nor is a program that says nothing more.
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path(), "exec cat /dev/zero >/dev/null");
    let account = rig
        .account_at(NOWHERE, None)
        .start(Daemon::new(program, "127.0.0.1:9"));
    let (codes, end) = link(&account).await;
    assert_eq!((codes.len(), end), (0, Err(LoginError::TimedOut)));
}

/// An account whose daemon does not run, and its program.
fn by_program(rig: &Rig, dir: &Path, text: &str) -> Account {
    let program = script(dir, text);
    let daemon = Daemon::new(program, "127.0.0.1:9").config(Some("/keys of ann".into()));
    rig.account_at(NOWHERE, Some(ACCOUNT)).start(daemon)
}

#[tokio::test]
async fn by_the_program_where_no_daemon_runs() {
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let text = format!(
        "echo \"$*\" >'{}'; echo 'INFO  LinkCommand - sgnl://linkdevice?x' >&2
         echo 'sgnl://linkdevice?uuid=secret-1&pub_key=BUvW'; echo 'Associated with: {ACCOUNT}'",
        told.display()
    );
    let logs = Logs::default();
    let _guard = logs.listen();
    let (codes, end) = link(&by_program(&rig, dir.path(), &text)).await;
    assert_eq!(end, Ok(Linked::to(ACCOUNT)));
    assert_eq!(codes, ["sgnl://linkdevice?uuid=secret-1&pub_key=BUvW"]);
    assert_eq!(
        std::fs::read_to_string(told).unwrap().trim(),
        "--config /keys of ann link --name OpenClaw"
    );
    assert!(!logs.text().contains("linkdevice"), "{}", logs.text());
}

#[tokio::test]
async fn a_program_that_fails_says_what_is_missing() {
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    for (text, reason, advice) in [
        (
            "echo 'Error: LinkageError occurred while loading main class' >&2
             echo 'java.lang.UnsupportedClassVersionError: org/asamk/signal/Main' >&2
             printf '\\tat java.base/x\\n' >&2; exit 1",
            "UnsupportedClassVersionError",
            "Java 21",
        ),
        (
            "echo \"ERROR: JAVA_HOME is not set and no 'java' command could be found in your PATH.\" >&2; exit 1",
            "JAVA_HOME",
            "no Java",
        ),
        (
            "echo 'Link request error: Connection closed!' >&2; exit 3",
            "Connection closed!",
            "network",
        ),
        (
            "echo 'sgnl://linkdevice?uuid=secret-1&pub_key=B'; echo 'no idea' >&2; exit 2",
            "exit status: 2: no idea",
            "by hand",
        ),
        ("exit 0", "exit status: 0", "by hand"),
    ] {
        let (_, end) = link(&by_program(&rig, dir.path(), text)).await;
        let error = end.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.advice().contains(advice), "{}", error.advice());
    }
    let none = Daemon::new(dir.path().join("none"), "127.0.0.1:9");
    let (_, end) = link(&rig.account_at(NOWHERE, None).start(none)).await;
    assert!(end.unwrap_err().advice().contains("install signal-cli"));
}

#[tokio::test]
async fn a_daemon_that_was_away_is_started_again_for_an_account_that_the_program_linked() {
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "case \"$*\" in *link*) echo 'Associated with: {ACCOUNT}';; *) echo ready >&2; exec cat /dev/zero >/dev/null;; esac"
    );
    let logs = Logs::default();
    let _guard = logs.listen();
    let program = script(dir.path(), &text);
    let account = rig
        .account_at(NOWHERE, Some(ACCOUNT))
        .start(Daemon::new(program, "127.0.0.1:9"));
    let running = Running::run(account, 16);
    logs.until("the daemon says", 1).await;
    let (_, end) = link(&running.adapter).await;
    assert_eq!(end, Ok(Linked::to(ACCOUNT)));
    logs.until("the daemon says", 2).await;
    assert_eq!(logs.count("signal: the daemon has ended"), 0);
    running.stop().await;
}

#[tokio::test]
async fn no_code_is_in_an_error_or_in_the_log_whatever_signal_cli_writes() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let dir = tempfile::tempdir().unwrap();
    for code in [
        "sgnl://linkdevice?uuid=secret-1&pub_key=B",
        "tsdevice:/?uuid=secret-1&pub_key=B",
    ] {
        let text = format!("echo 'cannot use {code}' >&2; exit 1");
        let (_, end) = link(&by_program(&rig, dir.path(), &text)).await;
        let error = end.unwrap_err();
        assert!(
            !format!("{error}{error:?}").contains("secret-"),
            "{error:?}"
        );
        let account = rig.account();
        let message = format!("Invalid device link uri: {code}");
        let ((_, end), ()) = tokio::join!(link(&account), rig.signal.fails_to_link(-1, &message));
        let error = end.unwrap_err();
        assert!(
            error.to_string().contains("Invalid device link uri"),
            "{error}"
        );
        assert!(
            !format!("{error}{error:?}").contains("secret-"),
            "{error:?}"
        );
    }
    assert!(!logs.text().contains("secret-"), "{}", logs.text());
}
