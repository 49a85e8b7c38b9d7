//! `openclaw pairing list`.

use openclaw_cli::Exit;

use crate::session::{Session, minutes};

/// A request whose names do what names should not.
const HOSTILE: &str = r#"{ "version": 1, "requests": [ {
    "id": "u\u200bser", "code": "ABCDEFGH",
    "createdAt": "2026-11-22T13:30:00.000Z", "lastSeenAt": "2026-11-22T13:30:00.000Z",
    "meta": { "name": "\u001b[2J\u202eevil\r\nerror: \u009b31m\tx", "k\u2066ey": "\u200fy" }
} ] }"#;

#[test]
fn of_a_recorded_install() {
    let mut session = Session::recorded();
    session.person("pairing list");
    session.person("pairing list telegram");
    session.person("pairing list --channel telegram --account work");
    session.person("pairing list --account work");
    session.person("pairing list discord");
    session.person("pairing list discord --account work");
    session.finish("list-person");
}

#[test]
fn in_a_pipe() {
    let mut session = Session::recorded();
    session.pipe("pairing list");
    session.pipe("pairing list telegram");
    session.pipe("pairing list discord");
    session.pipe("pairing list telegram --json");
    session.pipe("pairing list --channel telegram --account work --json");
    session.pipe("pairing list discord --json");
    session.pipe("pairing list --json");
    session.finish("list-pipe");
}

#[test]
fn fits_the_terminal() {
    let mut session = Session::recorded().columns(80);
    session.person("pairing list telegram");
    session.finish("list-narrow");
}

#[test]
fn nothing_at_all() {
    let mut session = Session::new();
    session.person("pairing list");
    session.person("pairing list telegram");
    session.pipe("pairing list");
    session.pipe("pairing list --json");
    session.finish("list-nothing");
}

#[test]
fn requests_expire() {
    let mut session = Session::recorded();
    session.wait(minutes(56));
    session.person("pairing list telegram");
    session.wait(minutes(1));
    session.person("pairing list telegram");
    session.finish("list-expired");
}

#[test]
fn says_who_was_turned_away() {
    let mut session = Session::new();
    let ask = |session: &Session, sender| {
        let ran = session.run(&["pairing", "request", "telegram", sender]);
        ran.exit
    };
    for sender in ["1", "2", "3"] {
        assert_eq!(ask(&session, sender), Exit::Done);
    }
    assert_eq!(ask(&session, "4"), Exit::Refused);
    session.person("pairing list telegram");
    session.wait(minutes(12));
    assert_eq!(ask(&session, "5"), Exit::Refused);
    session.wait(minutes(4));
    session.person("pairing list telegram");
    session.person("pairing list telegram --account work");
    session.pipe("pairing list telegram");
    session.pipe("pairing list telegram --json");
    // A day later, nobody needs to know any more.
    session.wait(minutes(24 * 60));
    session.person("pairing list telegram");
    session.finish("list-turned-away");
}

#[test]
fn hostile_names_are_spelled_out_for_people() {
    let mut session = Session::new();
    session.write("discord-pairing.json", HOSTILE);
    session.person("pairing list discord");
    session.pipe("pairing list discord");
    session.pipe("pairing approve discord ABCDEFGH");
    session.person("pairing allowed list discord");
    session.finish("list-hostile");
}

#[test]
fn values_that_are_no_texts_are_shown_as_json() {
    let session = Session::new();
    let file = serde_json::json!({ "version": 1, "requests": [{
        "id": "1", "code": "ABCDEFGH",
        "createdAt": "2026-11-22T13:30:00.000Z", "lastSeenAt": "2026-11-22T13:30:00.000Z",
        "meta": { "username": "bob", "level": 3, "tags": ["\u{1b}[2J", "a, b=c"] },
    }] });
    session.write("discord-pairing.json", file.to_string());
    let ran = session.run(&["pairing", "list", "discord"]);
    let shown = r#"level=3, tags="[\"\\u001b[2J\",\"a, b=c\"]", username=bob"#;
    assert!(ran.stdout.contains(shown), "{}", ran.stdout);
}

#[test]
fn t113_hostile_names_are_one_value_each_in_lists() {
    let session = Session::new();
    let requests = test_support::HOSTILE_NAMES
        .iter()
        .zip("ABCDEFGHJKLMNPQR".chars());
    let requests: Vec<_> = requests
        .clone()
        .map(|(name, letter)| {
            serde_json::json!({
                "id": format!("90{}", u32::from(letter)), "code": format!("ABCDEFG{letter}"),
                "createdAt": "2026-11-22T13:30:00.000Z", "lastSeenAt": "2026-11-22T13:30:00.000Z",
                "meta": { "name": name, "username": "bob" },
            })
        })
        .collect();
    let file = serde_json::json!({ "version": 1, "requests": requests });
    session.write("discord-pairing.json", file.to_string());
    let ran = session.run(&["pairing", "list", "discord"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    for (name, letter) in test_support::HOSTILE_NAMES
        .iter()
        .zip("ABCDEFGHJKLMNPQR".chars())
    {
        let code = format!("ABCDEFG{letter}");
        let row = ran
            .stdout
            .lines()
            .find(|line| line.contains(&code))
            .unwrap();
        let cells: Vec<_> = row.split('\t').collect();
        assert_eq!(cells.len(), 7, "{row}");
        let mut values = test_support::values_of(cells[4]);
        values.sort();
        let expected = [("name", *name), ("username", "bob")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(values, expected, "{row}");
        let decided = session.run(&["pairing", "reject", "discord", &code]);
        assert_eq!(decided.stdout.lines().count(), 1, "{}", decided.stdout);
    }
}

#[test]
fn hostile_names_stay_intact_in_json() {
    let session = Session::new();
    session.write("discord-pairing.json", HOSTILE);
    let ran = session.run(&["pairing", "list", "discord", "--json"]);
    assert_eq!(ran.exit, Exit::Done);
    let read: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let stored: serde_json::Value = serde_json::from_str(HOSTILE).unwrap();
    assert_eq!(read["requests"], stored["requests"]);
    // Nor do they command the terminal on which JSON is looked at.
    let harmless = |c: char| c == '\n' || !c.is_control();
    assert!(ran.stdout.chars().all(harmless), "{:?}", ran.stdout);
}

#[test]
fn a_bad_record_among_good_ones() {
    let mut session = Session::new();
    session.write(
        "telegram-pairing.json",
        r#"{ "version": 1, "requests": [
            { "id": "1", "code": "ABCDEFGH", "createdAt": "2026-11-22T13:30:00.000Z", "lastSeenAt": "2026-11-22T13:30:00.000Z" },
            { "id": "2", "code": "short", "createdAt": "2026-11-22T13:30:00.000Z" },
            { "id": "3", "code": "HGFEDCBA", "createdAt": "yesterday" }
        ] }"#,
    );
    session.person("pairing list telegram");
    session.pipe("pairing list telegram --json");
    session.finish("list-bad-record");
}

#[test]
fn a_broken_channel_hides_no_other() {
    let mut session = Session::recorded();
    session.write("whatsapp-pairing.json", "{\n  \"version\": 1,\n  oops");
    session.person("pairing list");
    session.pipe("pairing list --json");
    session.person("pairing list whatsapp");
    session.pipe("pairing list whatsapp --json");
    session.person("pairing list telegram");
    session.finish("list-broken");
}
