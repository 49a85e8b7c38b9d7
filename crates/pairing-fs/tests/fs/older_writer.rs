//! Devices that an older release approves and rotates: it keeps the members of a token that it does not know, and
//! changes what it does know.

use pairing_core::device::Role;
use pairing_core::{
    Approver, Channels, DeviceId, Devices, Limits, ManualClock, Pairing, Scope, ScopeSet, Timestamp,
};
use pairing_fs::SystemEntropy;
use serde_json::{Value, json};

use crate::state::{ADMIN, OPERATOR, State, request};

/// After everything in the recorded files.
const LATER: i64 = 1_795_354_080_000;

fn id(device: &str) -> DeviceId {
    DeviceId::parse(device).unwrap()
}

fn owner() -> Approver {
    Approver::terminal("ann")
}

fn scopes(names: &[&str]) -> ScopeSet {
    let full = names.iter().map(|name| format!("operator.{name}"));
    full.map(|name| Scope::parse(&name).unwrap()).collect()
}

/// The present program on the same files.
fn devices(state: &State, now: i64) -> Devices {
    let clock = ManualClock::new(Timestamp::from_millis(now));
    let (store, channels) = (state.reopened(), Channels::builtin());
    let pairing = Pairing::with(store, clock, SystemEntropy, channels, Limits::default());
    pairing.devices()
}

/// Changes a device in the file.
fn edit(state: &State, device: &str, change: impl FnOnce(&mut Value)) {
    let mut file: Value = serde_json::from_str(&state.read("devices/paired.json")).unwrap();
    change(&mut file[device]);
    state.write(
        "devices/paired.json",
        serde_json::to_string_pretty(&file).unwrap(),
    );
}

/// Approves a scope as the older release does: it knows of no scopes of a next token.
fn approves(state: &State, device: &str, scope: &str, at: i64) {
    edit(state, device, |device| {
        let mut approved = device["approvedScopes"].clone();
        if approved.is_null() {
            approved = device["scopes"].clone();
        }
        approved.as_array_mut().unwrap().push(json!(scope));
        device["scopes"] = approved.clone();
        device["approvedScopes"] = approved;
        device["approvedAtMs"] = json!(at);
        if device["approvals"]["operator"].is_object() {
            device["approvals"]["operator"]["atMs"] = json!(at);
        }
    });
}

/// The scopes that the next token has.
fn next(state: &State, device: &str) -> ScopeSet {
    let rotated = devices(state, LATER + 60_000).rotate(id(device), Role::Operator, None, &owner());
    rotated.unwrap().scopes
}

#[test]
fn t126_a_narrowed_token_gains_only_what_an_older_release_approved() {
    let state = State::recorded();
    let narrow = scopes(&["read"]);
    let devices = devices(&state, LATER);
    devices
        .rotate(id(OPERATOR), Role::Operator, Some(&narrow), &owner())
        .unwrap();
    approves(&state, OPERATOR, "operator.talk.secrets", LATER + 1);
    assert_eq!(next(&state, OPERATOR), scopes(&["read", "talk.secrets"]));
}

#[test]
fn t126_what_an_older_release_narrowed_is_not_widened_by_its_next_approval() {
    let state = State::recorded();
    edit(&state, OPERATOR, |device| {
        device["tokens"]["operator"]["scopes"] = json!(["operator.read"]);
    });
    approves(&state, OPERATOR, "operator.talk.secrets", LATER);
    assert_eq!(next(&state, OPERATOR), scopes(&["read"]));
}

#[test]
fn t126_an_approval_by_an_older_release_adds_to_one_of_ours() {
    let state = State::recorded();
    let asked = request(&state.store, ADMIN).unwrap();
    let now = asked.refreshed_at.as_millis() + 1;
    devices(&state, now).approve(&asked.id, &owner()).unwrap();
    approves(&state, ADMIN, "operator.write", LATER);
    assert_eq!(next(&state, ADMIN), scopes(&["admin", "read", "write"]));
}

#[test]
fn t126_a_rotation_by_an_older_release_is_the_last_word() {
    let state = State::recorded();
    let narrow = scopes(&["read", "write"]);
    let devices = devices(&state, LATER);
    devices
        .rotate(id(OPERATOR), Role::Operator, Some(&narrow), &owner())
        .unwrap();
    approves(&state, OPERATOR, "operator.talk.secrets", LATER + 1);
    edit(&state, OPERATOR, |device| {
        let token = &mut device["tokens"]["operator"];
        token["scopes"] = json!(["operator.read"]);
        token["rotatedAtMs"] = json!(LATER + 2);
    });
    assert_eq!(next(&state, OPERATOR), scopes(&["read"]));
}
