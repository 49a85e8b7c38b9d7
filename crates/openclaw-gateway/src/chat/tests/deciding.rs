//! Decisions are about exactly what was meant.

use std::fs;

use pairing_core::device::RequestId;
use pairing_core::{Approver, Channels};
use pairing_fs::{FsStore, StateDir};

use super::super::STORE_FAILED;
use super::chat::{EVERYTHING, LOCAL, Phone, World};

#[tokio::test]
async fn t19_t20_without_an_id_only_what_came_with_this_chats_code() {
    let world = World::new().await;
    let (own, other) = (world.code().await, world.code_in("5").await);
    let none = world.answer("/pair approve").await;
    assert!(
        none.starts_with("Nothing that waits came with a setup code of this chat"),
        "{none}"
    );
    // Somebody else's request is newer, and there with no code or with another chat's.
    let other = Phone::new(2).asks(&other).await;
    let none = world.answer("/pair approve").await;
    assert!(
        none.starts_with("Nothing that waits") && none.contains(&other),
        "{none}"
    );
    let mine = Phone::new(1).asks(&own).await;
    let latest = world.answer("/pair approve latest").await;
    assert!(latest.contains("Nothing has been decided"), "{latest}");
    assert_eq!(world.waiting().len(), 2);
    let said = world.answer("/pair approve").await;
    assert!(said.starts_with("Approved by telegram:1"), "{said}");
    assert_eq!(world.waiting(), [other]);
    let again = world.answer(&format!("/pair approve {mine}")).await;
    assert!(
        again.starts_with("No request with this id waits"),
        "{again}"
    );
    world.stop().await;
}

#[tokio::test]
async fn t19_several_of_this_chat_are_listed() {
    let world = World::new().await;
    let mut requests = Vec::new();
    for seed in [1, 2] {
        requests.push(Phone::new(seed).asks(&world.code().await).await);
    }
    let said = world.answer("/pair approve").await;
    assert!(said.starts_with("Several came"), "{said}");
    assert!(
        requests
            .iter()
            .all(|id| said.contains(&format!("/pair approve {id}"))),
        "{said}"
    );
    assert_eq!(world.waiting().len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn an_id_or_its_beginning_decides_exactly_that() {
    let world = World::new().await;
    let mut requests = Vec::new();
    for seed in [1, 2, 3] {
        requests.push(Phone::new(seed).asks(&world.code().await).await);
    }
    let said = world
        .answer(&format!(
            "/pair approve {}",
            &requests[1][..8].to_uppercase()
        ))
        .await;
    assert!(said.starts_with("Approved"), "{said}");
    let said = world.answer(&format!("/pair reject {}", requests[0])).await;
    assert!(
        said.starts_with("Rejected by telegram:1: device "),
        "{said}"
    );
    for typed in [&requests[2][..3], "ffffffff", "****", "\u{202e}abc"] {
        let said = world.answer(&format!("/pair approve {typed}")).await;
        assert!(said.starts_with("No request with this id waits"), "{said}");
    }
    assert_eq!(world.waiting(), [requests[2].clone()]);
    world.stop().await;
}

#[tokio::test]
async fn senders_are_decided_by_their_code() {
    let world = World::new().await;
    let (ann, bob) = (world.stranger("2"), world.stranger("3"));
    let pending = world.answer("/pair pending").await;
    assert!(
        pending.contains("telegram sender 2") && pending.contains(&ann),
        "{pending}"
    );
    let said = world
        .answer(&format!("/pair approve {}", ann.to_lowercase()))
        .await;
    assert!(said.contains("talk to the bot directly"), "{said}");
    let said = world.answer(&format!("/pair reject {bob}")).await;
    assert!(said.starts_with("Rejected"), "{said}");
    assert!(world.is_allowed("2") && !world.is_allowed("3"));
    assert_eq!(world.answer("/pair pending").await, "Nobody waits.");
    world.stop().await;
}

#[tokio::test]
async fn t70_names_are_shown_as_what_they_are() {
    let world = World::new().await;
    let channel = world.pairing.channel("telegram").unwrap();
    let sender = pairing_core::Sender::new("9").with("name", "Ann\n/pair approve x\u{202e}");
    channel
        .account("default")
        .unwrap()
        .request_or_reuse(sender)
        .unwrap();
    let pending = world.answer("/pair pending").await;
    assert!(
        pending.contains("name=\"Ann\\u{a}/pair approve x\\u{202e}\""),
        "{pending}"
    );
    world.stop().await;
}

#[tokio::test]
async fn t113_hostile_names_are_one_value_each_in_a_chat() {
    for name in test_support::HOSTILE_NAMES {
        let world = World::new().await;
        let channel = world.pairing.channel("telegram").unwrap();
        let sender = pairing_core::Sender::new("9")
            .with("name", name)
            .with("username", "bob");
        channel
            .account("default")
            .unwrap()
            .request_or_reuse(sender)
            .unwrap();
        let pending = world.answer("/pair pending").await;
        let line = pending
            .lines()
            .find(|line| line.contains("sender 9 ("))
            .unwrap();
        let (_, said) = line.split_once("sender 9 (").unwrap();
        let (said, _) = said.rsplit_once(')').unwrap();
        let values = test_support::values_of(said);
        assert_eq!(values[0], ("name".to_owned(), name.to_owned()), "{pending}");
        assert_eq!(
            values[1],
            ("username".to_owned(), "bob".to_owned()),
            "{pending}"
        );
        assert_eq!(values.len(), 2, "{pending}");
        world.stop().await;
    }
}

#[tokio::test]
async fn what_was_decided_elsewhere_is_seen_here() {
    let world = World::new().await;
    let code = world.code().await;
    let phone = Phone::new(1);
    let request = RequestId::parse(&phone.asks(&code).await).unwrap();
    let owner = Approver::terminal("ann");
    world.pairing.devices().approve(&request, &owner).unwrap();
    let said = world.answer("/pair approve").await;
    assert!(said.starts_with("Nothing that waits"), "{said}");
    phone.comes(&code).await;
    let status = world.answer("/pair status").await;
    assert!(status.contains("Paired: 1 device."), "{status}");
    world.stop().await;
}

#[tokio::test]
async fn every_command_says_that_the_store_fails() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path());
    for file in [
        "devices/pending.json",
        "devices/paired.json",
        "devices/bootstrap.json",
        "credentials/telegram-pairing.json",
    ] {
        let file = dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "{").unwrap();
    }
    let store = FsStore::new(&state, Channels::builtin());
    let world = World::over(store, ("", LOCAL), EVERYTHING, None).await;
    for command in [
        "/pair",
        "/pair qr",
        "/pair approve",
        "/pair approve latest",
        "/pair approve 01234567",
        "/pair reject ABCDEFGH",
        "/pair status",
        "/pair cleanup",
    ] {
        let said = world.answer(command).await;
        assert!(said.contains(STORE_FAILED), "{command}: {said}");
    }
    let said = world.answer("/pair pending").await;
    assert!(said.contains("Not everything could be read"), "{said}");
    world.stop().await;
}
