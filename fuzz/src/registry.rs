//! What holds for files of devices and nodes, whatever was in them.

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::device::{
    ApprovedRole, Ask, Device, DeviceInfo, DeviceRequest, DeviceToken, Node, NodeId, NodeInfo,
    NodeRequest, PairingToken, RequestId, Role, SetupProfile,
};
use pairing_core::{
    ChannelId, ChannelRules, DeviceId, DeviceKey, Record, ScopeSet, SecretToken, Timestamp,
    TokenHash,
};
use pairing_fs::fuzzing::{Format, Said, edit, read};
use serde_json::value::RawValue;

/// Reads the text, and checks that a change changes what it means to and nothing else, and that no token
/// is left in clear.
pub fn rewriting(format: Format, text: &str, sample: &Record) {
    let rules = ChannelRules::new(ChannelId::parse("none").expect("a channel name"));
    let said = |text: &str| read(format, text, &rules);
    let edited = |text: &str, put: Option<&Record>, delete: Option<&Record>| {
        let key = delete.map(Record::key);
        edit(format, text, &rules, put, key.as_ref())
            .unwrap_or_else(|error| panic!("{error} in what could be read: {text}"))
    };
    let Ok(before) = said(text) else {
        // What cannot be read cannot be written over.
        assert!(edit(format, text, &rules, Some(sample), None).is_err());
        return;
    };
    let written = |text: &str| {
        assert_eq!(edited(text, None, None), None, "left in clear: {text}");
        said(text).unwrap_or_else(|error| panic!("{error} in what we wrote: {text}"))
    };
    // Hashing tokens changes no record.
    let clean = edited(text, None, None);
    let clean = clean.as_deref().unwrap_or(text);
    assert_eq!(written(clean), before);

    for gone in before.records.iter().take(3) {
        let after = edited(clean, None, Some(gone)).expect("it was there");
        let said = written(&after);
        assert_eq!(said.records, others(&before, gone));
        assert_eq!(said.passed_over, before.passed_over);
        unchanged(clean, &after, 0);
        assert_eq!(edited(&after, None, Some(gone)), None);
    }

    let known = others(&before, sample).len() < before.records.len();
    let Some(after) = edited(clean, Some(sample), None) else {
        assert!(known, "a new record was not written");
        return;
    };
    let said = written(&after);
    assert_eq!(others(&said, sample), others(&before, sample));
    assert!(said.passed_over <= before.passed_over);
    assert!(said.records.contains(sample), "{said:?}");
    unchanged(clean, &after, 1);
    assert_eq!(edited(&after, Some(sample), None), None);
    if !known {
        let out = edited(&after, None, Some(sample)).expect("it is there");
        assert_eq!(edited(&out, Some(sample), None).as_ref(), Some(&after));
    }
}

/// All members but so many are as they were written.
fn unchanged(before: &str, after: &str, new: usize) {
    let members = |text| -> BTreeMap<String, String> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).expect("an object");
        let members = members.into_iter();
        members.map(|(k, v)| (k, v.get().to_owned())).collect()
    };
    let before = members(before);
    let after = members(after);
    let differing = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(*value));
    assert!(differing.count() <= new);
}

fn others(said: &Said, record: &Record) -> Vec<Record> {
    let others = said.records.iter();
    let others = others.filter(|other| other.key() != record.key());
    others.cloned().collect()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_354_000_000 + millis)
}

fn key() -> DeviceKey {
    DeviceKey::parse("ugeFQ2bPD0Zv5Y20k795hGhN093E03hgfDrcD_cnpsg").expect("a key")
}

fn hash(token: &str) -> TokenHash {
    TokenHash::of(&SecretToken::parse(token).expect("a token"))
}

fn id() -> RequestId {
    RequestId::parse("9c1d0601-346d-41eb-bed4-83d9e065b56d").expect("an id")
}

fn node_id() -> NodeId {
    NodeId::parse("n1").expect("a node's name")
}

fn info() -> DeviceInfo {
    DeviceInfo {
        display_name: Some("Phone".to_owned()),
        platform: Some("ios".to_owned()),
        ..DeviceInfo::default()
    }
}

fn commands() -> BTreeSet<String> {
    BTreeSet::from(["camera.snap".to_owned(), "a \"b\"".to_owned()])
}

/// A request of a device.
pub fn device_request() -> Record {
    Record::from(DeviceRequest {
        id: id(),
        device: DeviceId::of(&key()),
        key: key(),
        info: info(),
        ask: Ask {
            roles: BTreeSet::from([Role::Operator, Role::Node]),
            scopes: ScopeSet::admin(),
            commands: commands(),
        },
        origin: None,
        silent: false,
        is_repair: true,
        asked_at: at(0),
        refreshed_at: at(1),
        pairing_token: Some(hash("pairing")),
    })
}

/// A device.
pub fn device() -> Record {
    let approved = ApprovedRole {
        scopes: ScopeSet::admin(),
        commands: None,
        approved_at: at(1),
        grant: None,
        token: Some(DeviceToken {
            hash: Some(hash("token")),
            scopes: ScopeSet::admin(),
            created_at: at(2),
            rotated_at: None,
            revoked_at: None,
            last_used_at: Some(at(3)),
            next_scopes: None,
            approved_scopes: Some(ScopeSet::admin()),
        }),
    };
    let node = ApprovedRole {
        scopes: ScopeSet::default(),
        commands: Some(commands()),
        approved_at: at(4),
        grant: None,
        token: None,
    };
    Record::from(Device {
        id: DeviceId::of(&key()),
        key: key(),
        info: info(),
        roles: BTreeMap::from([
            (Role::Operator, Box::new(approved)),
            (Role::Node, Box::new(node)),
        ]),
        created_at: at(0),
        approved_at: at(4),
        label: Some("Kitchen".to_owned()),
        surface: None,
        signs_v3: true,
        pairing_token: None,
    })
}

/// A pairing token.
pub fn pairing_token() -> Record {
    Record::from(PairingToken {
        hash: hash("pairing"),
        profile: SetupProfile::Limited,
        issued_at: at(0),
        expires_at: at(1),
        chat: Some("telegram:1".to_owned()),
        device: None,
        unclaimed: BTreeSet::from([Role::Node]),
    })
}

/// A request of a legacy node.
pub fn node_request() -> Record {
    Record::from(NodeRequest {
        id: id(),
        node: node_id(),
        info: NodeInfo::default(),
        silent: false,
        is_repair: false,
        asked_at: at(0),
        refreshed_at: at(0),
    })
}

/// A legacy node.
pub fn node() -> Record {
    Record::from(Node {
        id: node_id(),
        info: NodeInfo {
            caps: vec!["camera".to_owned()],
            ..NodeInfo::default()
        },
        token: hash("token"),
        created_at: at(0),
        approved_at: at(0),
        last_connected_at: None,
        grant: None,
    })
}
