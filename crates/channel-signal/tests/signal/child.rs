//! The daemon as a child process, played by a script.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use channel_signal::Daemon;
use test_support::Logs;
use test_support::signal::ANN;

use crate::rig::Rig;

/// A program with this text.
pub(crate) fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("signal-cli");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn it_is_started_with_its_arguments_and_ends_with_the_adapter() {
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let text = format!(
        "echo \"$$ $*\" >'{0}.new'; mv '{0}.new' '{0}'; echo ready >&2; exec cat /dev/zero >/dev/null",
        told.display()
    );
    let program = script(dir.path(), &text);
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let daemon = Daemon::new(program, "127.0.0.1:1234").config(Some("/keys of ann".into()));
    let mut running = rig.with_daemon(daemon);
    logs.until("the daemon says", 1).await;
    let told = std::fs::read_to_string(told).unwrap();
    let (pid, arguments) = told.trim().split_once(' ').unwrap();
    assert_eq!(
        arguments,
        "--config /keys of ann daemon --http 127.0.0.1:1234 --receive-mode on-connection"
    );
    rig.signal.says(ANN, "x");
    rig.signal.opened(1).await;
    rig.signal.says(ANN, "y");
    running.text().await;
    let process = Path::new("/proc").join(pid);
    assert!(process.exists());
    running.stop().await;
    assert!(!process.exists());
}

#[tokio::test]
async fn one_that_ends_is_started_again_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let text = "echo 'Config file is in use by another instance \u{1b}[31m' >&2; exit 3";
    let program = script(dir.path(), text);
    let logs = Logs::default();
    let _guard = logs.listen();
    let mut rig = Rig::new().await;
    rig.pace.steady = std::time::Duration::from_secs(3600);
    let running = rig.with_daemon(Daemon::new(program, "127.0.0.1:1234"));
    logs.until("signal: starting the daemon again", 3).await;
    assert_eq!(logs.count("signal: the daemon has ended"), 1);
    assert!(
        logs.text()
            .contains("exit status: 3: Config file is in use")
    );
    assert!(!logs.text().contains('\u{1b}'));
    running.stop().await;
    let running = rig.with_daemon(Daemon::new(dir.path().join("none"), "127.0.0.1:1234"));
    logs.until("it cannot be started", 1).await;
    running.stop().await;
}
