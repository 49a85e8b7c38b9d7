//! Random histories of a node whose declaration changes: every live command was declared, and an owner
//! has seen it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use pairing_core::PairingStore as _;

#[derive(Debug, Clone)]
enum Event {
    Connect(BTreeSet<&'static str>),
    Operator,
    Approve,
    Reject,
    Hold,
    Revoke,
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let declared = proptest::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4);
    let event = prop_oneof![
        5 => declared.prop_map(|names| Event::Connect(names.into_iter().collect())),
        1 => Just(Event::Operator),
        3 => Just(Event::Approve),
        1 => Just(Event::Reject),
        1 => Just(Event::Hold),
        1 => Just(Event::Revoke),
        1 => (0..400u64).prop_map(Event::Wait),
    ];
    proptest::collection::vec(event, 1..30)
}

fn names(commands: &BTreeSet<String>) -> BTreeSet<&str> {
    commands.iter().map(String::as_str).collect()
}

fn live(events: &[Event]) {
    let gateway = gateway();
    let phone = phone(1);
    // Signed only once, since signatures are not randomised here.
    let node = phone.asks(&gateway, "node", &[]);
    let operator = phone.asks(&gateway, "operator", &["operator.read"]);
    // The commands approved since the node was last revoked; `None` if its role is not in force.
    let mut approved: Option<BTreeSet<String>> = None;
    let mut session = None;
    for event in events {
        match event {
            Event::Connect(declared) => {
                let connecting = node.clone().with_commands(declared.iter().copied());
                match gateway.connect(&connecting) {
                    Connection::Asked(asked) => {
                        assert_eq!(approved, None, "admitted without all that it declares");
                        assert_eq!(names(&asked.request.ask.commands), *declared);
                    }
                    Connection::Admitted {
                        device,
                        commands,
                        asked,
                        ..
                    } => {
                        session = Some(device);
                        let approved = names(approved.as_ref().unwrap());
                        assert_eq!(names(&commands), declared & &approved);
                        assert_eq!(asked.is_some(), !declared.is_subset(&approved));
                        if let Some(asked) = asked {
                            assert_eq!(names(&asked.request.ask.commands), *declared);
                            assert!(asked.request.is_repair);
                        }
                    }
                }
            }
            Event::Operator => {
                gateway.connect(&operator);
            }
            Event::Approve => {
                for request in gateway.pending() {
                    gateway.devices.approve(&request.id, &owner()).unwrap();
                    if request.ask.roles.contains(&Role::Node) {
                        let asked = request.ask.commands;
                        approved.get_or_insert_default().extend(asked);
                    }
                }
            }
            Event::Reject => {
                for request in gateway.pending() {
                    gateway.devices.reject(&request.id, &owner()).unwrap();
                }
            }
            Event::Hold => {
                if let Some(session) = &session {
                    let waits = !gateway.pending().is_empty();
                    assert_eq!(gateway.devices.hold(session).unwrap(), waits);
                }
            }
            Event::Revoke => {
                let revoked = gateway.devices.revoke(phone.id(), Role::Node, &owner());
                assert_eq!(revoked.is_ok(), approved.take().is_some());
            }
            Event::Wait(seconds) => gateway.wait(*seconds),
        }
        assert_eq!(gateway.devices.commands(phone.id()).unwrap(), approved);
        assert!(gateway.pending().len() <= 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn t33_what_is_live_has_been_approved(events in events()) {
        live(&events);
    }
}

#[test]
fn t33_t94_an_update_of_the_node_does_not_lock_it_out() {
    let gateway = gateway();
    let mut phone = phone(1);
    let node = |phone: &Phone, names: &[&str]| {
        let connecting = phone.asks(&gateway, "node", &[]);
        connecting.with_commands(names.iter().copied())
    };
    let (_, request) = asked(gateway.connect(&node(&phone, &["camera.snap"])));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    let (_, token) = admitted(gateway.connect(&node(&phone, &["camera.snap"])));
    phone.platform = "iOS 27.0";
    let updated = node(&phone, &["camera.snap", "screen.record"]);
    let (device, minted) = admitted(gateway.with_token(&updated, &token.unwrap()).unwrap());
    assert!(minted.is_none() && gateway.devices.still_holds(&device).unwrap());
}

#[test]
fn t33_another_kind_of_device_is_not_let_in_for_its_commands() {
    let gateway = gateway();
    let mut phone = phone(1);
    gateway.pair(&phone, "node", &[]);
    phone.platform = "android 17";
    let node = phone.asks(&gateway, "node", &[]).with_commands(["a"]);
    let (reason, request) = asked(gateway.connect(&node));
    assert_eq!(reason, UpgradeReason::MetadataUpgrade);
    gateway.wait(1);
    gateway.devices.approve(&request.id, &owner()).unwrap();
    let commands = gateway.devices.commands(phone.id()).unwrap().unwrap();
    assert_eq!(names(&commands), BTreeSet::from(["a"]));
    // That approval was also about the device itself, so it brings a token.
    let (_, minted) = admitted(gateway.connect(&node));
    assert!(minted.is_some());
}

#[test]
fn t77_a_node_with_commands_writes_nothing_where_nothing_changes() {
    let gateway = gateway();
    let phone = phone(1);
    let node = |names: &[&str]| {
        let connecting = phone.asks(&gateway, "node", &[]);
        connecting.with_commands(names.iter().copied())
    };
    let (_, request) = asked(gateway.connect(&node(&["a", "b"])));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    admitted(gateway.connect(&node(&["a", "b"])));
    let written = || {
        let changes = gateway.store.changes(None, Duration::ZERO).unwrap();
        changes.position
    };
    let before = written();
    for names in [&["a", "b"][..], &["b"], &[]] {
        admitted(gateway.connect(&node(names)));
    }
    assert_eq!(written(), before);
    // A node with a pending request writes once, not at every connection.
    admitted(gateway.connect(&node(&["c"])));
    let asked = written();
    assert_ne!(asked, before);
    admitted(gateway.connect(&node(&["c"])));
    assert_eq!(written(), asked);
}
