//! `openclaw pairing allowed`.

use crate::session::{Session, minutes};

#[test]
fn listing() {
    let mut session = Session::recorded();
    session.person("pairing allowed list telegram");
    session.person("pairing allowed list --channel whatsapp");
    session.person("pairing allowed list telegram --account work");
    session.person("pairing allowed list telegram --account home");
    session.pipe("pairing allowed list telegram");
    session.pipe("pairing allowed list telegram --account home");
    session.pipe("pairing allowed list telegram --json");
    session.pipe("pairing allowed list telegram --account home --json");
    session.finish("allowed-list");
}

#[test]
fn adding_and_removing() {
    let mut session = Session::recorded();
    session.person("pairing allowed add telegram tg:999");
    session.person("pairing allowed add telegram 999");
    session.pipe("pairing allowed add --channel telegram 1000 --account Work --json");
    session.pipe("pairing allowed add --channel telegram 1000 --account work --json");
    session.wait(minutes(5));
    session.person("pairing allowed list telegram");
    session.person("pairing allowed remove telegram 555");
    session.person("pairing allowed remove telegram 555");
    session.pipe("pairing allowed remove telegram 1000 --account work --json");
    session.pipe("pairing allowed remove telegram 1000 --account work --json");
    session.pipe("pairing allowed list telegram --json");
    session.finish("allowed-change");
}

#[test]
fn adding_ends_a_request() {
    let mut session = Session::recorded();
    session.person("pairing allowed add telegram 67890");
    session.person("pairing list telegram");
    session.finish("allowed-asked");
}

#[test]
fn entries_that_can_match_nobody() {
    let mut session = Session::new();
    session.person("pairing allowed add telegram *");
    session.person("pairing allowed add telegram tg:");
    session.person("pairing allowed add telegram tg:*");
    session.person("pairing allowed add telegram @ann");
    session.person("pairing allowed add whatsapp 123@lid");
    session.person("pairing allowed add signal ann");
    session.person("pairing allowed add imessage ann");
    session.person("pairing allowed remove discord user:");
    session.finish("allowed-bad-entry");
}

#[test]
fn stored_entries_that_can_match_nobody() {
    let mut session = Session::new();
    session.write(
        "telegram-allowFrom.json",
        r#"{ "version": 1, "allowFrom": ["1", "*", "@ann", 2, ""] }"#,
    );
    session.person("pairing allowed list telegram");
    session.pipe("pairing allowed list telegram --json");
    session.finish("allowed-problems");
}
