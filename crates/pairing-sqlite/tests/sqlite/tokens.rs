//! Device tokens: never written in clear, found in clear, hashed with their device, and kept where told.

use pairing_core::device::{Device, Role};
use pairing_core::store::{Batch, Change};
use pairing_core::{DeviceId, Key, PairingStore, Range, Record, SecretToken, TokenHash};
use pairing_sqlite::OpenClawStore;
use proptest::prelude::*;

use crate::install::{Install, settings};
use crate::real::range;

const PHONE: &str = "8110e45971ac4b5c1d46390656f99136ffb66be14f0d1f53fa8b81b224f0c7e3";
const PHONES_TOKEN: &str = "kuDJaf2V_I_8VsIHrnbK1QUDl7AqbfWT2NkGUo1Bgn0";

fn phone(store: &OpenClawStore) -> Device {
    let device = DeviceId::parse(PHONE).unwrap();
    let read = store.read(&Key::Device { device }).unwrap();
    read.record.unwrap().as_device().unwrap().clone()
}

fn put(store: &OpenClawStore, record: impl Into<Record>) {
    let changes = vec![Change::Put(record.into())];
    let conditions = Vec::new();
    store
        .commit(&Batch {
            conditions,
            changes,
        })
        .unwrap();
}

fn hash(token: &str) -> TokenHash {
    TokenHash::of(&SecretToken::parse(token).unwrap())
}

fn tokens(install: &Install) -> String {
    let rows = install.rows(&format!(
        "SELECT tokens_json FROM device_pairing_paired WHERE device_id = '{PHONE}'"
    ));
    rows.concat()
}

#[test]
fn a_token_in_clear_counts_and_is_hashed_with_the_next_write_of_its_device() {
    let install = Install::recorded();
    let store = install.open();
    let mut device = phone(&store);
    let token = device.roles[&Role::Node].token.clone().unwrap();
    assert_eq!(token.hash, Some(hash(PHONES_TOKEN)));

    device.info.display_name = Some("My phone".to_owned());
    put(&store, device.clone());
    let stored = tokens(&install);
    assert!(!stored.contains(PHONES_TOKEN), "{stored}");
    assert!(stored.contains(&hash(PHONES_TOKEN).to_string()), "{stored}");
    // Theirs needs a text there.
    assert!(stored.contains("\"token\":\"hashed."), "{stored}");
    assert_eq!(phone(&store), device);
    assert_eq!(phone(&install.open()).roles, device.roles);
    // Nobody else's was touched.
    assert_eq!(store.clear_tokens().unwrap(), 4);
}

#[test]
fn a_token_in_clear_stays_where_told() {
    let install = Install::recorded();
    let store = OpenClawStore::open(
        &install.database(),
        &install.beside(),
        settings().keep_clear_tokens(true),
    )
    .unwrap();
    let mut device = phone(&store);
    device.info.display_name = Some("My phone".to_owned());
    put(&store, device.clone());
    assert!(tokens(&install).contains(PHONES_TOKEN));
    // Another token is not written in clear, even there.
    let token = device
        .roles
        .get_mut(&Role::Node)
        .unwrap()
        .token
        .as_mut()
        .unwrap();
    token.hash = Some(hash("another"));
    put(&store, device.clone());
    let stored = tokens(&install);
    assert!(
        !stored.contains(PHONES_TOKEN) && !stored.contains("another"),
        "{stored}"
    );
    assert_eq!(phone(&store), device);
}

#[test]
fn what_stands_in_a_tokens_place_lets_nobody_in() {
    let install = Install::recorded();
    let store = install.open();
    let mut device = phone(&store);
    let token = device
        .roles
        .get_mut(&Role::Node)
        .unwrap()
        .token
        .as_mut()
        .unwrap();
    token.hash = None;
    put(&store, device);
    let stored: serde_json::Value = serde_json::from_str(&tokens(&install)).unwrap();
    let decoy = stored["node"]["token"].as_str().unwrap().to_owned();
    // Even where a program that does not know the hash has dropped it.
    let dropped = format!(r#"{{"node":{{"token":"{decoy}","role":"node","scopes":[]}}}}"#);
    install.sql(&format!(
        "UPDATE device_pairing_paired SET tokens_json = '{dropped}' WHERE device_id = '{PHONE}'"
    ));
    let token = phone(&store).roles[&Role::Node].token.clone().unwrap();
    assert_eq!(token.hash, None);
}

#[test]
fn a_setup_code_of_theirs_is_used_once_and_leaves_their_table() {
    let install = Install::recorded();
    let store = install.open();
    let records = range(&store, &Range::PairingTokens);
    let mut token = records[0].as_pairing_token().unwrap().clone();
    assert_eq!(
        token.hash,
        hash("nyamNy2SRZe-4upZnDhsMRk89WLYQU90IzvDEuCcloU")
    );
    token.device = Some(DeviceId::parse(PHONE).unwrap());
    put(&store, token.clone());
    assert_eq!(
        install.rows("SELECT count(*) FROM device_bootstrap_tokens"),
        ["0"]
    );
    assert_eq!(
        range(&store, &Range::PairingTokens),
        [Record::from(token.clone())]
    );
    let changes = vec![Change::Delete(Key::PairingToken { hash: token.hash })];
    let conditions = Vec::new();
    store
        .commit(&Batch {
            conditions,
            changes,
        })
        .unwrap();
    assert_eq!(range(&store, &Range::PairingTokens), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What lets a device in is in OpenClaw's own rows: without the database beside it is all there still.
    #[test]
    fn losing_what_is_beside_loses_no_grant(
        operator in any::<bool>(), node in any::<bool>(), scope in "operator\\.(read|admin|pairing)",
        commands in proptest::option::of(proptest::collection::btree_set("[a-z]{1,8}\\.run", 0..3)),
        has_token in any::<bool>(), is_revoked in any::<bool>(),
    ) {
        let install = Install::recorded();
        let store = install.open();
        let mut device = phone(&store);
        let mut sample = device.roles[&Role::Node].clone();
        sample.token.as_mut().unwrap().hash = has_token.then(|| hash("secret"));
        if is_revoked {
            sample.token.as_mut().unwrap().revoked_at = Some(device.approved_at);
        }
        device.roles.clear();
        if operator {
            let mut role = sample.clone();
            role.scopes = [pairing_core::Scope::parse(&scope).unwrap()].into_iter().collect();
            role.token.as_mut().unwrap().scopes = role.scopes.clone();
            device.roles.insert(Role::Operator, role);
        }
        if node {
            sample.commands = commands;
            device.roles.insert(Role::Node, sample);
        }
        put(&store, device.clone());
        prop_assert_eq!(&phone(&store), &device);
        drop(store);
        std::fs::remove_dir_all(install.beside().parent().unwrap()).unwrap();
        prop_assert_eq!(phone(&install.open()).roles, device.roles);
    }
}
