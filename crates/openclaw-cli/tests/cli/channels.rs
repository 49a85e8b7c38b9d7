//! `openclaw channels`.

use crate::live::Live;
use crate::session::Session;

#[test]
fn channels_as_configured_and_as_they_run() {
    let mut session = Session::new();
    session.mask(r"--token-file \S+/token", "--token-file TOKEN");
    session.person("channels list");
    session.write_in(
        ".",
        "openclaw.json",
        "{ channels: {
             telegram: { dmPolicy: 'pairing', accounts: { work: { enabled: false }, home: {} } },
             discord: { dmPolicy: 'everybody' },
           } }",
    );
    session.person("channels list");
    session.pipe("channels list --json");
    let live = Live::on(&mut session);
    let named = live.named(&session);
    session.person(&format!("channels status {named}"));
    session.person(&format!("channels status --json {named}"));
    session.person(&format!("channels status --probe {named}"));
    drop(live);
    session.finish("channels");
}

/// A program in the place of signal-cli.
fn signal_cli(session: &Session, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = session.outside("signal-cli");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

const CODE: &str =
    "sgnl://linkdevice?uuid=kQz1mYsHn0Gd4vC2&pub_key=BUvWxYz0123456789abcdefghijklmnopqrstuvw";

#[test]
fn an_account_is_linked_without_a_gateway() {
    let mut session = Session::new();
    session.person("channels login");
    session.person("channels login signal");
    session.write_in(
        ".",
        "openclaw.json",
        "{ channels: { telegram: { botToken: '1:x' } } }",
    );
    session.person("channels login telegram");
    session.person("channels login telegrm");
    // The phone scans the code when it is shown.
    let scanned = session.outside("scanned");
    let linked = format!(
        "rm -f '{scanned}'; echo '{CODE}'; while ! [ -e '{scanned}' ]; do :; done; echo 'Associated with: +15550001111'"
    );
    session.on_flush = Some(Box::new(move |shown| {
        if shown.contains('█') || shown.contains("sgnl://") {
            std::fs::write(&scanned, "").unwrap();
        }
    }));
    let program = signal_cli(&session, &linked);
    // Nothing listens there.
    let settings = format!("httpPort: 9, cliPath: '{program}'");
    let config =
        |account: &str| format!("{{ channels: {{ signal: {{ {account} {settings} }} }} }}");
    session.write_in(".", "openclaw.json", config(""));
    session.person("channels login signal");
    session.pipe("channels login signal");
    session.pipe("channels login --channel signal --account default --json");
    session.write_in(".", "openclaw.json", config("account: '+15550009999',"));
    session.pipe("channels login signal");
    signal_cli(
        &session,
        "echo 'Link request error: Connection closed!' >&2; exit 3",
    );
    session.pipe("channels login signal");
    session.pipe("channels login signal --json");
    session.finish("channels-login");
}

#[test]
fn an_account_is_logged_out_without_a_gateway() {
    let mut session = Session::new();
    session.person("channels logout");
    session.person("channels logout signal");
    let program = signal_cli(
        &session,
        "case \"$*\" in *removeDevice*) echo \"This command doesn't work on linked devices.\" >&2; exit 1;; esac",
    );
    // Nothing listens there.
    let config = format!(
        "{{ channels: {{
             signal: {{ account: '+15550009999', httpPort: 9, cliPath: '{program}' }},
             telegram: {{ botToken: '1:x' }},
         }} }}"
    );
    session.write_in(".", "openclaw.json", config);
    session.person("channels logout telegram");
    session.person("channels logout signal");
    session.pipe("channels logout signal --account default --json");
    signal_cli(
        &session,
        "case \"$*\" in *delete*) exit 0;; esac; echo 'User +15550009999 is not registered.' >&2; exit 1",
    );
    session.person("channels logout signal");
    signal_cli(
        &session,
        "echo 'Error while removing device: no route' >&2; exit 3",
    );
    session.person("channels logout signal");
    let count = |session: &Session| {
        let log = session.state().join("pairing-audit.jsonl");
        let log = std::fs::read_to_string(log).unwrap();
        log.matches(r#""action":"logged-out""#).count()
    };
    assert_eq!(count(&session), 3);
    // It is not linked any more, and the keys are still there.
    signal_cli(
        &session,
        "case \"$*\" in
             *removeDevice*) echo \"This command doesn't work on linked devices.\" >&2; exit 1;;
             *delete*) echo 'Deletion error: /x' >&2; exit 3;;
         esac",
    );
    session.person("channels logout signal");
    assert_eq!(count(&session), 4);
    session.finish("channels-logout");
}

#[cfg(not(feature = "whatsapp-web"))]
#[test]
fn a_program_without_personal_accounts_says_how_to_get_one_that_has_them() {
    let mut session = Session::new();
    session.write_in(".", "openclaw.json", "{ channels: { whatsapp: {} } }");
    session.person("channels login whatsapp");
    session.finish("channels-login-not-built");
}
