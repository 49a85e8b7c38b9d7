//! `openclaw setup` and `openclaw status`: the first hour of a new owner.

use std::fs;

use openclaw_cli::{Exit, Manager};

use crate::run::gateway;
use crate::session::{Session, minutes, settings};

fn config(session: &Session) -> String {
    fs::read_to_string(session.state().join("openclaw.json")).unwrap()
}

#[test]
fn three_questions() {
    let mut session = Session::new();
    session.answer(&["\n", "telegram\n", "12345\n"]);
    session.person("setup");
    session.answers = None;
    session.person("config get commands.ownerAllowFrom\nconfig get channels.telegram");
    session.finish("setup-asked");
}

#[test]
fn every_question_has_an_option() {
    let mut session = Session::new();
    session.pipe("setup --channel telegram --owner telegram:12345");
    session.pipe("setup --channel telegram --owner none --json");
    session.pipe("setup --channel none");
    session.pipe("setup --channel discord --owner 23456");
    session.pipe("setup --channel signal --owner +15550001111");
    session.pipe("config get commands.ownerAllowFrom");
    session.finish("setup-unattended");
}

#[test]
fn nobody_to_answer_and_answers_that_make_no_sense() {
    let mut session = Session::new();
    session.pipe("setup");
    session.pipe("setup --channel telegram");
    session.pipe("setup --channel telegramm --owner none");
    session.pipe("setup --channel telegram --owner telegram:");
    session.pipe("setup --channel none --owner telegram:12345");
    assert!(!session.state().exists(), "nothing is written");
    session.finish("setup-refused");
}

#[test]
fn what_is_set_stays() {
    let session = Session::new();
    session.write_in(
        ".",
        "openclaw.json",
        "{\n  // mine\n  channels: { telegram: { dmPolicy: 'allowlist', enabled: false, botToken: '${BOT}' } },\n  \
         commands: { ownerAllowFrom: ['telegram:1'] },\n}\n",
    );
    let ran = session.run(&["setup", "--channel", "telegram", "--owner", "2"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    assert!(!ran.stdout.contains("botToken"), "{}", ran.stdout);
    let text = config(&session);
    for part in [
        "// mine",
        "'allowlist'",
        "enabled: true",
        "telegram:1",
        "telegram:2",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The second time nothing changes.
    session.done(&["setup", "--channel", "telegram", "--owner", "2"]);
    assert_eq!(config(&session), text);
}

#[test]
fn a_place_of_ones_own_is_said_again_at_the_end() {
    let mut session = Session::new();
    let place = session.outside("my state");
    session.answer(&[&format!("{place}\n"), "\n"]);
    let ran = session.run(&["setup"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("export OPENCLAW_STATE_DIR='[dir]/my state'\n"),
        "{}",
        ran.stdout
    );
    assert!(!session.state().exists());
}

#[test]
fn waiting_ends_with_the_first_sender_who_is_approved() {
    let session = Session::new();
    session.done(&["setup", "--channel", "telegram", "--owner", "none"]);
    let asked = session.run(&["pairing", "request", "telegram", "12345"]);
    assert_eq!(asked.exit, Exit::Done, "{}", asked.stderr);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            session.run(&[
                "setup",
                "--channel",
                "telegram",
                "--owner",
                "none",
                "--wait",
            ])
        });
        let code = asked
            .stdout
            .lines()
            .last()
            .unwrap()
            .rsplit(' ')
            .next()
            .unwrap();
        session.done(&["pairing", "approve", "telegram", code]);
        let ran = waiting.join().unwrap();
        assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
        assert!(ran.stdout.contains("12345 is approved"), "{}", ran.stdout);
    });
}

#[test]
fn the_status_of_nothing_and_of_what_waits() {
    let mut session = Session::new();
    session.person("status");
    session.person("setup --channel none");
    session.write_requests("telegram", &[("default", "12345", "ABCDEFGH", minutes(3))]);
    session.write("whatsapp-pairing.json", "{\n  oops");
    session.person("status");
    session.pipe("status");
    session.pipe("status --json");
    session.finish("status");
}

#[test]
fn the_status_of_a_service() {
    let mut session = Session::new();
    let home = session.outside("home");
    session.vars.push(("HOME", home));
    session.machine.manager = Some(Manager::Systemd);
    session.machine.answers = vec![
        ("loginctl", 0, "yes\n"),
        ("systemctl --user is-active", 3, "failed\n"),
    ];
    session.done(&["gateway", "install", "--no-start"]);
    session.done(&["setup", "--channel", "none"]);
    session.person("status");
    session.finish("status-service");
}

#[test]
fn the_status_of_a_gateway_that_runs() {
    let mut session = Session::new();
    let (_gateway, port) = gateway(&session.state());
    session.looks = true;
    session.vars.push(("OPENCLAW_GATEWAY_PORT", port.clone()));
    let ran = session.run_as_person(&["status"]);
    assert_eq!(ran.exit, Exit::Done, "{}{}", ran.stdout, ran.stderr);
    let facts = ran
        .stdout
        .replace(&port, "PORT")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let facts: Vec<_> = facts
        .lines()
        .map(|line| line.split(", for ").next().unwrap())
        .collect();
    settings().bind(|| insta::assert_snapshot!("status-running", facts.join("\n")));
}
