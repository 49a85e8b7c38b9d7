//! Sample devices, pairing tokens and legacy nodes for the cases.

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::device::{
    ApprovedRole, Ask, Device, DeviceInfo, DeviceRequest, DeviceToken, Node, NodeId, NodeInfo,
    NodeRequest, PairingToken, RequestId, Role, SetupProfile,
};
use pairing_core::store::{BearerClient, Change, Grant};
use pairing_core::{
    Approver, DeviceId, DeviceKey, Entropy, Key, Principal, Range, Record, Scope, ScopeSet,
    SecretToken, TokenHash,
};

use crate::fixture::{at, seeded};

/// Returns a public key that belongs to no real device: nobody knows its private half.
pub(crate) fn device_key(number: u64) -> DeviceKey {
    let entropy = seeded(number);
    loop {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes).unwrap();
        // Half of all byte strings are points on the curve.
        if let Ok(key) = DeviceKey::from_bytes(bytes) {
            return key;
        }
    }
}

pub(crate) fn hash(number: u64) -> TokenHash {
    TokenHash::of(&SecretToken::parse(&format!("token {number}")).unwrap())
}

pub(crate) fn request_id(number: u64) -> RequestId {
    RequestId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

pub(crate) fn scopes(names: &[&str]) -> ScopeSet {
    names.iter().map(|n| Scope::parse(n).unwrap()).collect()
}

pub(crate) fn commands(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn info() -> DeviceInfo {
    DeviceInfo {
        display_name: Some("Zoë's \"phone\"\n".to_owned()),
        platform: Some("ios 26.1".to_owned()),
        device_family: Some("iPhone".to_owned()),
        client_id: Some("openclaw-ios".to_owned()),
        client_mode: Some("node".to_owned()),
        remote_ip: Some("192.0.2.7".to_owned()),
    }
}

/// Returns a request of device `number` with every field set.
pub(crate) fn device_request(number: u64) -> DeviceRequest {
    let key = device_key(number);
    DeviceRequest {
        id: request_id(number),
        device: DeviceId::of(&key),
        key,
        info: info(),
        ask: Ask {
            roles: BTreeSet::from([Role::Node, Role::Operator]),
            scopes: scopes(&["operator.read", "operator.talk.secrets"]),
            commands: commands(&["system.run", "läuft \"so\""]),
        },
        origin: Some("https://control.example.org".to_owned()),
        silent: true,
        is_repair: true,
        asked_at: at(1),
        refreshed_at: at(90_001),
        pairing_token: Some(hash(number)),
    }
}

/// Returns device `number` after everything that can happen to a device.
pub(crate) fn device(number: u64) -> Device {
    let key = device_key(number);
    let approver = Approver::operator("phone", ScopeSet::admin());
    let operator = ApprovedRole {
        scopes: scopes(&["operator.read", "operator.write"]),
        commands: None,
        approved_at: at(3),
        grant: Some(
            Grant::new(approver.id().clone(), approver.via(), at(2))
                .with_requested_at(Some(at(1)))
                .with_principal(Principal::parse("user 7").ok()),
        ),
        token: Some(DeviceToken {
            hash: Some(hash(number)),
            scopes: scopes(&["operator.read"]),
            created_at: at(4),
            rotated_at: Some(at(5)),
            revoked_at: Some(at(6)),
            last_used_at: Some(at(7)),
            next_scopes: None,
            approved_scopes: None,
        }),
    };
    let node = ApprovedRole {
        scopes: ScopeSet::default(),
        commands: Some(commands(&["system.run", "camera.snap"])),
        approved_at: at(8),
        grant: None,
        token: None,
    };
    Device {
        id: DeviceId::of(&key),
        key,
        info: info(),
        roles: BTreeMap::from([(Role::Operator, operator), (Role::Node, node)]),
        created_at: at(2),
        approved_at: at(8),
        label: Some(format!("Zoë's {number}. \"phone\"")),
        surface: Some(Box::new(node_request(number + 2))),
        signs_v3: true,
        pairing_token: Some(hash(number + 1)),
    }
}

/// Returns a pairing token bound to device `number`.
pub(crate) fn pairing_token(number: u64) -> PairingToken {
    PairingToken {
        hash: hash(number),
        profile: SetupProfile::Limited,
        issued_at: at(0),
        expires_at: at(600_000),
        chat: Some("telegram:1001".to_owned()),
        device: Some(DeviceId::of(&device_key(number))),
        unclaimed: BTreeSet::from([Role::Node, Role::Operator]),
    }
}

/// Returns a bearer client with every field set.
pub(crate) fn bearer_client(number: u64) -> BearerClient {
    let approver = Approver::terminal("ann");
    BearerClient {
        hash: hash(number),
        name: format!("Zoë's {number}. \"script\""),
        scopes: scopes(&["operator.read", "operator.write"]),
        by: approver.id().clone(),
        via: approver.via(),
        principal: Principal::parse("user 7").ok(),
        issued_at: at(1),
        expires_at: Some(at(600_000)),
    }
}

fn node_info() -> NodeInfo {
    let text = |text: &str| Some(text.to_owned());
    NodeInfo {
        display_name: text("Living room"),
        platform: text("linux"),
        version: text("1.2"),
        core_version: text("1.1"),
        ui_version: text("1.0"),
        device_family: text("pi"),
        model_identifier: text("5B"),
        caps: vec!["camera".to_owned(), "canvas".to_owned()],
        commands: vec!["system.run".to_owned()],
        permissions: BTreeMap::from([("mic".to_owned(), false), ("cam".to_owned(), true)]),
        remote_ip: text("::1"),
    }
}

fn node_id(number: u64) -> NodeId {
    NodeId::parse(&format!("node/{number} % \"ä\"")).unwrap()
}

pub(crate) fn node_request(number: u64) -> NodeRequest {
    NodeRequest {
        id: request_id(number),
        node: node_id(number),
        info: node_info(),
        silent: true,
        is_repair: true,
        asked_at: at(1),
        refreshed_at: at(60_001),
    }
}

pub(crate) fn node(number: u64) -> Node {
    let approver = Approver::terminal("ann");
    Node {
        id: node_id(number),
        info: node_info(),
        token: hash(number),
        created_at: at(2),
        approved_at: at(3),
        last_connected_at: Some(at(4)),
        grant: Some(
            Grant::new(approver.id().clone(), approver.via(), at(3))
                .with_requested_at(None)
                .with_principal(Principal::parse("user 7").ok()),
        ),
    }
}

/// Returns one record of each kind, grouped by the files that change together.
pub(crate) fn one_of_each(number: u64) -> [Vec<Record>; 2] {
    [
        vec![
            Record::from(device_request(number)),
            Record::from(device(number)),
            Record::from(pairing_token(number)),
            Record::from(bearer_client(number)),
        ],
        vec![
            Record::from(node_request(number)),
            Record::from(node(number)),
        ],
    ]
}

/// Returns the same records with only their required fields set.
pub(crate) fn least_of_each(number: u64) -> [Vec<Record>; 2] {
    let key = device_key(number);
    let id = DeviceId::of(&key);
    let request = DeviceRequest {
        info: DeviceInfo::default(),
        ask: Ask::default(),
        origin: None,
        silent: false,
        is_repair: false,
        refreshed_at: at(1),
        pairing_token: None,
        ..device_request(number)
    };
    let device = Device {
        id,
        key,
        info: DeviceInfo::default(),
        roles: BTreeMap::new(),
        created_at: at(9),
        approved_at: at(9),
        label: None,
        surface: None,
        signs_v3: false,
        pairing_token: None,
    };
    let token = PairingToken {
        profile: SetupProfile::Node,
        chat: None,
        device: None,
        unclaimed: BTreeSet::new(),
        ..pairing_token(number)
    };
    let client = BearerClient {
        scopes: ScopeSet::default(),
        principal: None,
        expires_at: None,
        ..bearer_client(number)
    };
    let asking = NodeRequest {
        info: NodeInfo::default(),
        silent: false,
        is_repair: false,
        refreshed_at: at(1),
        ..node_request(number)
    };
    let node = Node {
        info: NodeInfo::default(),
        last_connected_at: None,
        grant: None,
        ..node(number)
    };
    [
        vec![
            Record::from(request),
            Record::from(device),
            Record::from(token),
            Record::from(client),
        ],
        vec![Record::from(asking), Record::from(node)],
    ]
}

pub(crate) fn ranges() -> [Range; 6] {
    [
        Range::DeviceRequests,
        Range::Devices,
        Range::PairingTokens,
        Range::BearerClients,
        Range::NodeRequests,
        Range::Nodes,
    ]
}

pub(crate) fn put_all(records: &[Record]) -> Vec<Change> {
    records.iter().cloned().map(Change::Put).collect()
}

pub(crate) fn delete_all(records: &[Record]) -> Vec<Change> {
    let keys = records.iter().map(Record::key);
    keys.map(Change::Delete).collect()
}

pub(crate) fn all_keys(records: &[Record]) -> Vec<Key> {
    records.iter().map(Record::key).collect()
}
