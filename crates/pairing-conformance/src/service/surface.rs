//! The commands that a node may be asked to run: those it declares and the owner approved, and no others.

use std::time::Duration;

use pairing_core::device::{Credential, Device, Role, SetupProfile, Silence};
use pairing_core::store::{Change, Position};
use pairing_core::{Key, PairingStore, Record};

use crate::Fixture;
use crate::bot::{Bot, MINUTE, owner};
use crate::fixture::{read, write};
use crate::phone::{Phone, asks, asks_by, by, enters, phone};
use crate::registry::commands;

const NOTHING: [&str; 0] = [];

fn stored(fixture: &Fixture, phone: &Phone) -> Device {
    let key = Key::Device { device: phone.id() };
    let record = read(&*fixture.open(), &key).unwrap();
    record.as_device().unwrap().clone()
}

fn is_waiting(fixture: &Fixture, phone: &Phone) -> bool {
    let key = Key::DeviceRequest { device: phone.id() };
    read(&*fixture.open(), &key).is_some()
}

/// Returns the approved commands, as seen by a gateway with its own handle.
fn approved(fixture: &Fixture, phone: &Phone) -> Option<Vec<String>> {
    let bot = Bot::new(fixture);
    let commands = bot.pairing.devices().commands(phone.id()).unwrap();
    commands.map(|commands| commands.into_iter().collect())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn position(store: &dyn PairingStore) -> Position {
    store.changes(None, Duration::ZERO).unwrap().position
}

/// Makes the node look as if another program had approved it, which does not record commands.
fn approved_by_another(fixture: &Fixture, bot: &Bot, phone: &Phone) {
    phone.pairs(bot, &[]);
    let mut device = stored(fixture, phone);
    device.roles.get_mut(&Role::Node).unwrap().commands = None;
    write(&*fixture.open(), [Change::Put(Record::from(device))]);
}

pub(crate) fn t33_asking_for_more_commands_is_another_request(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let first = asks(&bot, &phone.node(&bot, &["a"]));
    let wider = asks(&bot, &phone.node(&bot, &["a", "b"]));
    assert!(wider.is_new && wider.request.id != first.request.id);
    assert_eq!(wider.superseded, Some(first.request.id.clone()));
    let devices = bot.pairing.devices();
    devices.approve(&first.request.id, &owner()).unwrap_err();
    // Declaring the same commands or fewer refers to the same request.
    for (declared, is_new) in [(&["b", "a"][..], false), (&["b"], false), (&["a"], true)] {
        let again = asks(&bot, &phone.node(&bot, declared));
        assert_eq!(again.is_new, is_new, "{declared:?}");
        assert_eq!(again.request.ask.commands, commands(declared));
    }
}

pub(crate) fn an_operators_ask_leaves_the_nodes_commands(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    asks(&bot, &phone.node(&bot, &["a", "b"]));
    let operator = phone.operator(&bot, &["operator.read"]);
    let both = asks(&bot, &operator.with_commands(["c"])).request;
    assert_eq!(both.ask.commands, commands(&["a", "b"]));
    let narrower = asks(&bot, &phone.node(&bot, &["a"])).request;
    assert_eq!((&narrower.id, narrower.ask.roles.len()), (&both.id, 2));
    phone.is_approved(&bot);
    assert_eq!(approved(fixture, &phone), Some(names(&["a"])));
}

pub(crate) fn t33_a_node_does_what_was_approved_and_waits_for_the_rest(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = phone.pairs(&bot, &["a", "b"]);
    bot.wait(1);
    let before = stored(fixture, &phone);
    let wider = phone.returns(&bot, &["b", "c"], &token);
    assert_eq!(wider.commands, ["b"]);
    assert!(wider.minted.is_none());
    let asked = wider.wants();
    assert!(asked.is_new);
    assert_eq!(asked.request.ask.commands, commands(&["b", "c"]));
    // Until the approval nothing changes, however often the node reconnects.
    let again = phone.returns(&bot, &["b", "c"], &token);
    assert_eq!(again.commands, ["b"]);
    assert_eq!(again.wants().request.id, asked.request.id);
    assert!(!again.wants().is_new);
    assert_eq!(stored(fixture, &phone), before);
    assert_eq!(approved(fixture, &phone), Some(names(&["a", "b"])));
    let widest = phone.returns(&bot, &["b", "c", "d"], &token);
    let superseded = widest.wants().superseded.clone();
    assert_eq!(superseded, Some(asked.request.id.clone()));
}

pub(crate) fn t33_approving_adds_the_commands_and_nothing_else(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = phone.pairs(&bot, &["a", "b"]);
    bot.wait(1);
    let mut before = stored(fixture, &phone);
    phone.returns(&bot, &["b", "c"], &token);
    bot.wait(1);
    phone.is_approved(&bot);
    assert_eq!(approved(fixture, &phone), Some(names(&["a", "b", "c"])));
    assert!(!is_waiting(fixture, &phone));
    let after = stored(fixture, &phone);
    // Only the approved commands, their approver and the time of the approval are new.
    let node = before.roles.get_mut(&Role::Node).unwrap();
    let approved = &after.roles[&Role::Node];
    assert_ne!(node.grant, approved.grant);
    node.commands.clone_from(&approved.commands);
    node.grant.clone_from(&approved.grant);
    before.approved_at = after.approved_at;
    assert_eq!(after, before);
    // The token stays valid, and no other is issued.
    let back = phone.returns(&bot, &["b", "c"], &token);
    assert_eq!(back.commands, ["b", "c"]);
    assert!(back.asked.is_none() && back.minted.is_none());
}

pub(crate) fn declaring_less_changes_nothing(fixture: &Fixture) {
    let store = fixture.open();
    let (bot, phone) = (Bot::over(store.clone()), phone(1));
    let token = phone.pairs(&bot, &["a", "b"]);
    phone.returns(&bot, &["a", "b"], &token);
    let before = position(&*store);
    for declared in [&["a"][..], &[], &["b"], &["a", "b"]] {
        bot.wait(MINUTE);
        let session = phone.returns(&bot, declared, &token);
        assert_eq!(session.commands, declared);
        assert!(session.asked.is_none());
    }
    assert_eq!(position(&*store), before);
    assert_eq!(approved(fixture, &phone), Some(names(&["a", "b"])));
}

pub(crate) fn what_is_declared_no_more_is_asked_no_more(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = phone.pairs(&bot, &["a"]);
    phone.returns(&bot, &["a", "b", "c"], &token);
    let asked = phone.returns(&bot, &["b", "c"], &token).wants().clone();
    assert_eq!(asked.request.ask.commands, commands(&["b", "c"]));
    phone.returns(&bot, &["a"], &token);
    assert!(!is_waiting(fixture, &phone));
    // The operator's half of the request stays pending.
    phone.returns(&bot, &["a", "b"], &token);
    let operator = asks(&bot, &phone.operator(&bot, &["operator.read"]));
    phone.returns(&bot, &["a"], &token);
    phone.is_approved(&bot);
    let device = stored(fixture, &phone);
    assert!(operator.request.ask.roles.len() == 2 && device.roles.len() == 2);
    assert_eq!(approved(fixture, &phone), Some(names(&["a"])));
}

pub(crate) fn rejecting_leaves_the_commands_that_were_approved(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = phone.pairs(&bot, &["a"]);
    let session = phone.returns(&bot, &["a", "b"], &token);
    let asked = session.wants().request.id.clone();
    bot.pairing.devices().reject(&asked, &owner()).unwrap();
    assert_eq!(approved(fixture, &phone), Some(names(&["a"])));
    let again = phone.returns(&bot, &["a", "b"], &token);
    assert_eq!(again.commands, ["a"]);
    assert!(again.wants().is_new);
}

pub(crate) fn the_first_names_of_a_node_approved_without_any_count(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    approved_by_another(fixture, &bot, &phone);
    let bot = bot.another(fixture, 2);
    assert_eq!(approved(fixture, &phone), Some(names(&[])));
    let silent = enters(&bot, &phone.node(&bot, &[]));
    assert_eq!(silent.commands, NOTHING);
    assert_eq!(stored(fixture, &phone).roles[&Role::Node].commands, None);
    let first = enters(&bot, &phone.node(&bot, &["a", "b"]));
    assert_eq!(first.commands, ["a", "b"]);
    assert!(first.asked.is_none());
    assert_eq!(approved(fixture, &phone), Some(names(&["a", "b"])));
    let second = enters(&bot, &phone.node(&bot, &["a", "c"]));
    assert_eq!(second.commands, ["a"]);
    second.wants();
}

pub(crate) fn t33_a_node_that_named_nothing_was_approved_for_nothing(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = phone.pairs(&bot, &[]);
    let session = phone.returns(&bot, &["system.run"], &token);
    assert_eq!(session.commands, NOTHING);
    session.wants();
    assert_eq!(approved(fixture, &phone), Some(names(&[])));
}

pub(crate) fn a_code_asks_for_what_the_node_declares(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let issue = || {
        let devices = bot.pairing.devices();
        let issued = devices.issue_pairing_token(SetupProfile::Limited, None, &owner());
        issued.unwrap().0
    };
    // The node connects first: the owner sees the commands it declares.
    let (code, one) = (issue(), phone(1));
    let credential = Credential::PairingToken(&code);
    let node = asks_by(&bot, &one.node(&bot, &["a"]), credential).request;
    let operator = one.operator(&bot, &["operator.read"]);
    let both = asks_by(&bot, &operator, credential).request;
    assert_eq!(
        (&both.id, &both.ask.commands),
        (&node.id, &commands(&["a"]))
    );
    one.is_approved(&bot);
    let session = by(&bot, &one.node(&bot, &["a", "b"]), credential);
    assert_eq!(session.commands, ["a"]);
    // The operator connects first and is approved before the node connects: the node's first commands count.
    let (code, other) = (issue(), phone(2));
    let credential = Credential::PairingToken(&code);
    let operator = other.operator(&bot, &["operator.read"]);
    asks_by(&bot, &operator, credential);
    other.is_approved(&bot);
    assert_eq!(approved(fixture, &other), Some(names(&[])));
    let session = by(&bot, &other.node(&bot, &["b"]), credential);
    assert_eq!(session.commands, ["b"]);
    assert_eq!(approved(fixture, &other), Some(names(&["b"])));
}

pub(crate) fn a_node_of_a_known_network_has_what_it_came_with(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let here = |declared| {
        let node = phone.node(&bot, declared);
        enters(&bot, &node.with_silence(Silence::Network))
    };
    assert_eq!(here(&["a"]).commands, ["a"]);
    let wider = here(&["a", "b"]);
    assert_eq!(wider.commands, ["a"]);
    wider.wants();
}

pub(crate) fn t33_a_revoked_node_starts_afresh(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    phone.pairs(&bot, &["a", "b"]);
    let devices = bot.pairing.devices();
    devices.revoke(phone.id(), Role::Node, &owner()).unwrap();
    assert_eq!(approved(fixture, &phone), None);
    bot.wait(1);
    let token = phone.pairs(&bot, &["b"]);
    assert_eq!(approved(fixture, &phone), Some(names(&["b"])));
    // A rotation changes only the token.
    let role = Role::Node;
    devices.rotate(phone.id(), role, None, &owner()).unwrap();
    assert_eq!(approved(fixture, &phone), Some(names(&["b"])));
    let node = phone.node(&bot, &["b"]);
    let refused = devices.connect(&node, Credential::DeviceToken(&token));
    assert!(refused.is_err());
    devices.remove(phone.id(), &owner()).unwrap();
    assert_eq!(approved(fixture, &phone), None);
}

pub(crate) fn who_is_no_node_has_no_commands(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    assert_eq!(approved(fixture, &phone), None);
    let operator = || {
        let operator = phone.operator(&bot, &["operator.read"]);
        operator.with_commands(["a"])
    };
    let asked = asks(&bot, &operator());
    assert_eq!(asked.request.ask.commands, commands(&[]));
    phone.is_approved(&bot);
    let session = enters(&bot, &operator());
    assert_eq!(session.commands, NOTHING);
    assert!(session.asked.is_none());
    assert_eq!(approved(fixture, &phone), None);
}

pub(crate) fn t88_what_a_connected_node_waits_for_does_not_expire(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let devices = bot.pairing.devices();
    let token = phone.pairs(&bot, &["a"]);
    let session = phone.returns(&bot, &["a"], &token);
    assert!(!devices.hold(&session.device).unwrap());
    let session = phone.returns(&bot, &["a", "b"], &token);
    let asked = session.wants().request.clone();
    for _ in 0..30 {
        bot.wait(2 * MINUTE);
        assert!(devices.hold(&session.device).unwrap());
    }
    let waiting = devices.list(&owner()).unwrap().pending.remove(0);
    assert_eq!((&waiting.id, waiting.asked_at), (&asked.id, asked.asked_at));
    devices.approve(&asked.id, &owner()).unwrap();
    assert!(!devices.hold(&session.device).unwrap());
    assert_eq!(approved(fixture, &phone), Some(names(&["a", "b"])));
}

pub(crate) fn t88_holding_is_written_once_a_minute_and_revives_nothing(fixture: &Fixture) {
    let store = fixture.open();
    let (bot, phone) = (Bot::over(store.clone()), phone(1));
    let devices = bot.pairing.devices();
    let token = phone.pairs(&bot, &["a"]);
    let session = phone.returns(&bot, &["a", "b"], &token);
    let before = position(&*store);
    for _ in 0..3 {
        bot.wait(MINUTE / 3 - 1);
        assert!(devices.hold(&session.device).unwrap());
    }
    assert_eq!(position(&*store), before);
    bot.wait(3);
    assert!(devices.hold(&session.device).unwrap());
    assert_ne!(position(&*store), before);
    bot.wait(5 * MINUTE);
    assert!(!devices.hold(&session.device).unwrap());
    assert!(devices.list(&owner()).unwrap().pending.is_empty());
}
