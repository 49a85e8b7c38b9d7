//! `openclaw pairing request`.

use openclaw_cli::Exit;

use crate::session::{Session, minutes};

#[test]
fn asking() {
    let mut session = Session::recorded();
    session.person("pairing request telegram tg:4242 --meta username=bob --meta name=Bob");
    session.wait(minutes(2));
    session.person("pairing request telegram 4242");
    session.person("pairing request telegram 12345");
    session.person("pairing request --channel slack U1 --account Work");
    session.person("pairing list");
    session.finish("request");
}

#[test]
fn asking_from_a_program() {
    let mut session = Session::new();
    session.pipe("pairing request telegram tg:4242 --meta username=bob --json");
    session.pipe("pairing request telegram 4242 --json");
    session.pipe("pairing request telegram 2 --json");
    session.pipe("pairing request telegram 3");
    session.pipe("pairing request telegram 4 --json");
    session.pipe("pairing request telegram 4");
    session.pipe("pairing request telegram 4 --account work --json");
    session.done(&["pairing", "allowed", "add", "telegram", "4242"]);
    session.pipe("pairing request telegram 4242 --json");
    session.finish("request-json");
}

#[test]
fn asking_wrongly() {
    let mut session = Session::new();
    session.person("pairing request telegram ann");
    session.person("pairing request telegram *");
    session.person("pairing request telegram 1 --meta username");
    session.person("pairing request telegram 1 --meta =ann");
    session.person("pairing request telegram 1 --meta accountId=work");
    session.finish("request-wrong");
}

#[test]
fn the_reply_is_escaped_for_people_and_exact_in_json() {
    let session = Session::new();
    let ran = session.run(&["pairing", "request", "discord", "a\u{202e}b"]);
    assert!(ran.stdout.contains("Your Discord user id: a\\u{202e}b\n"));
    let ran = session.run(&["pairing", "request", "slack", "a\u{202e}b", "--json"]);
    assert_eq!(ran.exit, Exit::Done);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let reply = json["reply"].as_str().unwrap();
    assert!(reply.contains("Your Slack user id: a\u{202e}b\n"));
}
