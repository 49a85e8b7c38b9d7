//! `openclaw pairing approve` and `reject`.

use std::time::Duration;

use crate::session::{Session, minutes};

const JUST_NOW: Duration = Duration::ZERO;

#[test]
fn approving() {
    let mut session = Session::recorded();
    session.person("pairing approve telegram M8NGT2AA");
    session.person("pairing approve --channel whatsapp arzj-qwv8");
    session.person("pairing approve umksKDC8 --account work");
    session.pipe("pairing approve R8M42HK4 --json");
    session.person("pairing list");
    session.person("pairing allowed list telegram");
    session.person("pairing allowed list telegram --account work");
    session.finish("approve");
}

#[test]
fn approving_what_cannot_be() {
    let mut session = Session::recorded();
    session.person("pairing approve telegram AAAAAAAA");
    session.person("pairing approve AAAAAAAA");
    session.person("pairing approve telegram M8NGT2A");
    session.person("pairing approve M8NGT2A0");
    session.person("pairing approve telegram UMKSKDC8 --account home");
    session.person("pairing approve UMKSKDC8 --account home");
    session.person("pairing approve telegram UMKSKDC8");
    // Once is enough.
    session.person("pairing approve telegram UMKSKDC8");
    session.person("pairing approve UMKSKDC8");
    session.pipe("pairing approve telegram UMKSKDC8 --json");
    session.wait(minutes(57));
    session.person("pairing approve telegram M8NGT2AA");
    session.person("pairing approve M8NGT2AA");
    session.finish("approve-refused");
}

#[test]
fn rejecting() {
    let mut session = Session::recorded();
    session.person("pairing reject telegram M8NGT2AA");
    session.person("pairing reject telegram M8NGT2AA");
    session.person("pairing reject telegram tg:777");
    session.person("pairing reject +15550000002");
    session.pipe("pairing reject --channel imessage ME@example.org --json");
    session.person("pairing reject ME@example.org");
    session.person("pairing reject telegram @ann");
    session.person("pairing reject *");
    session.person("pairing list");
    session.finish("reject");
}

#[test]
fn one_code_in_several_channels() {
    let mut session = Session::new();
    for (channel, account) in [("discord", "default"), ("slack", "work")] {
        session.write_requests(channel, &[(account, "U1", "ABCDEFGH", JUST_NOW)]);
    }
    session.person("pairing approve ABCDEFGH");
    session.person("pairing reject ABCDEFGH");
    session.person("pairing reject U1");
    session.person("pairing approve ABCDEFGH --account home");
    session.person("pairing approve ABCDEFGH --account work");
    session.person("pairing approve ABCDEFGH");
    session.finish("several-channels");
}

#[test]
fn one_code_in_several_accounts() {
    let mut session = Session::new();
    session.write_requests(
        "telegram",
        &[
            ("default", "1", "ABCDEFGH", JUST_NOW),
            ("work", "2", "ABCDEFGH", JUST_NOW),
        ],
    );
    session.person("pairing approve telegram ABCDEFGH");
    session.person("pairing approve ABCDEFGH");
    session.person("pairing reject telegram ABCDEFGH");
    session.person("pairing approve telegram ABCDEFGH --account work");
    session.person("pairing approve telegram ABCDEFGH");
    session.finish("several-accounts");
}

#[test]
fn a_channel_that_cannot_be_searched() {
    let mut session = Session::recorded();
    session.write("slack-pairing.json", "[]");
    session.person("pairing approve AAAAAAAA");
    session.person("pairing approve M8NGT2AA");
    session.finish("approve-unread");
}

#[test]
fn t67_without_a_gateway_nobody_can_tell_the_sender() {
    let mut session = Session::recorded();
    session.person("pairing approve telegram M8NGT2AA --notify");
    session.pipe("pairing approve R8M42HK4 --notify --json");
    session.finish("approve-notify");
}

#[test]
fn t38_the_first_owner_is_made_by_saying_so_and_once() {
    let mut session = Session::recorded();
    session.write_in(
        ".",
        "openclaw.json",
        "{ commands: { ownerAllowFrom: ['discord:1'] } }",
    );
    session.person("pairing approve telegram M8NGT2AA --make-owner");
    session.write_in(".", "openclaw.json", "{}");
    session.person("pairing approve umksKDC8 --account work");
    let owners = session.state().join("owners.json");
    assert!(!owners.exists());
    session.person("pairing approve telegram M8NGT2AA --make-owner");
    let made = std::fs::read_to_string(&owners).unwrap();
    assert!(made.contains("\"telegram:"), "{made}");
    session.pipe("pairing approve R8M42HK4 --make-owner --json");
    assert_eq!(std::fs::read_to_string(&owners).unwrap(), made);
    session.person("pairing list");
    session.finish("make-owner");
}
