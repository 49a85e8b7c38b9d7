//! Devices, their requests, pairing tokens, and legacy nodes.

use std::time::Duration;

use pairing_core::device::{ApprovedRole, DeviceToken, Role};
use pairing_core::store::{Change, Changed, PageRequest, Version};
use pairing_core::{Range, Record, ScopeSet};

use crate::Fixture;
use crate::fixture::{
    assert_conflict, at, commit, keys, place, put_allow, range_version, read, record_version,
    sorted, write,
};
use crate::registry::{
    all_keys, commands, delete_all, device, device_request, hash, least_of_each, node,
    node_request, one_of_each, pairing_token, put_all, ranges, request_id, scopes,
};

pub(crate) fn every_kind_is_read_back_as_it_was_put(fixture: &Fixture) {
    let store = fixture.open();
    for records in one_of_each(1).into_iter().chain(least_of_each(2)) {
        for record in &records {
            assert_eq!(store.read(&record.key()).unwrap().version, Version::ABSENT);
        }
        write(&*store, put_all(&records));
        for store in [store.clone(), fixture.open()] {
            for record in &records {
                assert_eq!(read(&*store, &record.key()).as_ref(), Some(record));
            }
        }
    }
}

pub(crate) fn every_member_can_be_replaced(fixture: &Fixture) {
    let store = fixture.open();
    for round in [one_of_each(1), least_of_each(1), one_of_each(1)] {
        for records in round {
            write(&*store, put_all(&records));
            for record in records {
                assert_eq!(read(&*store, &record.key()), Some(record));
            }
        }
    }
}

pub(crate) fn every_kind_can_be_deleted(fixture: &Fixture) {
    let store = fixture.open();
    for (records, others) in one_of_each(1).into_iter().zip(one_of_each(2)) {
        write(&*store, put_all(&records));
        write(&*store, put_all(&others));
        write(&*store, delete_all(&records));
        write(&*store, delete_all(&records));
        for (gone, kept) in records.iter().zip(others) {
            assert_eq!(read(&*store, &gone.key()), None);
            assert_eq!(read(&*store, &kept.key()), Some(kept));
        }
    }
}

/// Covers the stages of a role: approved, delivered, rotated, used, revoked, approved anew, removed.
pub(crate) fn every_stage_of_a_role_survives(fixture: &Fixture) {
    let store = fixture.open();
    let approved = ApprovedRole {
        scopes: scopes(&["operator.admin"]),
        commands: None,
        approved_at: at(1),
        grant: None,
        token: None,
    };
    let delivered = DeviceToken {
        hash: Some(hash(1)),
        scopes: scopes(&["operator.read"]),
        created_at: at(2),
        rotated_at: None,
        revoked_at: None,
        last_used_at: None,
        next_scopes: None,
        approved_scopes: None,
    };
    let mut token = delivered.clone();
    let mut stages = vec![None, Some(delivered)];
    token.hash = None;
    token.rotated_at = Some(at(3));
    stages.push(Some(token.clone()));
    token.hash = Some(hash(2));
    token.last_used_at = Some(at(4));
    stages.push(Some(token.clone()));
    token.approved_scopes = Some(scopes(&["operator.admin"]));
    stages.push(Some(token.clone()));
    token.next_scopes = Some(scopes(&["operator.read", "operator.write"]));
    stages.push(Some(token.clone()));
    token.next_scopes = None;
    token.revoked_at = Some(at(5));
    token.scopes = ScopeSet::default();
    stages.push(Some(token));
    stages.push(None);
    for role in [Role::Operator, Role::Node] {
        let mut device = device(1);
        device.roles.clear();
        for token in &stages {
            let approved = ApprovedRole {
                token: token.clone(),
                ..approved.clone()
            };
            device.roles.insert(role, Box::new(approved));
            let record = Record::from(device.clone());
            write(&*store, [Change::Put(record.clone())]);
            assert_eq!(read(&*store, &record.key()), Some(record));
        }
        // Approves the device as a whole once more, which does not change when the role was approved.
        device.approved_at = at(77);
        let record = Record::from(device);
        write(&*store, [Change::Put(record.clone())]);
        assert_eq!(read(&*store, &record.key()), Some(record));
    }
}

/// Covers the commands of a node: never named, none, some, more, never named again.
pub(crate) fn every_surface_of_a_node_survives(fixture: &Fixture) {
    let store = fixture.open();
    let mut device = device(1);
    device.pairing_token = None;
    let (mut request, role) = (device_request(1), Role::Node);
    let surfaces = [
        None,
        Some(commands(&[])),
        Some(commands(&["system.run"])),
        Some(commands(&["system.run", "a, b", "\\u0041"])),
        Some(commands(&["a, b"])),
        None,
    ];
    for silent in [false, true] {
        device.roles.get_mut(&role).unwrap().grant = None;
        if silent {
            // Nothing else is recorded for the role.
            device.roles.get_mut(&role).unwrap().approved_at = device.approved_at;
        }
        for surface in &surfaces {
            request.ask.commands = surface.clone().unwrap_or_default();
            device
                .roles
                .get_mut(&role)
                .unwrap()
                .commands
                .clone_from(surface);
            let records = [Record::from(device.clone()), Record::from(request.clone())];
            for record in records {
                write(&*store, [Change::Put(record.clone())]);
                assert_eq!(read(&*store, &record.key()), Some(record));
            }
        }
        write(
            &*store,
            [Change::Delete(Record::from(device.clone()).key())],
        );
    }
}

pub(crate) fn another_request_of_a_device_takes_the_place_of_the_first(fixture: &Fixture) {
    let store = fixture.open();
    let (mut device, mut node) = (device_request(1), node_request(1));
    for id in [1, 2] {
        device.id = request_id(id);
        node.id = request_id(id);
        for record in [Record::from(device.clone()), Record::from(node.clone())] {
            write(&*store, [Change::Put(record.clone())]);
            assert_eq!(read(&*store, &record.key()), Some(record));
        }
    }
    assert_eq!(keys(&*store, &Range::DeviceRequests, 9).len(), 1);
    assert_eq!(keys(&*store, &Range::NodeRequests, 9).len(), 1);
}

pub(crate) fn an_approval_is_one_batch(fixture: &Fixture) {
    let store = fixture.open();
    let (request, mut token) = (device_request(1), pairing_token(1));
    let records = [Record::from(request), Record::from(token.clone())];
    let device = Record::from(device(1));
    write(&*store, put_all(&records));
    let conditions = [
        record_version(&*store, &records[0].key()),
        record_version(&*store, &records[1].key()),
        record_version(&*store, &device.key()),
        range_version(&*store, &Range::DeviceRequests),
    ];
    token.unclaimed.clear();
    let token = Record::from(token);
    let changes = [
        Change::Delete(records[0].key()),
        Change::Put(device.clone()),
        Change::Put(token.clone()),
    ];
    commit(&*store, conditions, changes).unwrap();
    let asking = Record::from(node_request(1));
    let node = Record::from(node(1));
    write(&*store, [Change::Put(asking.clone())]);
    write(
        &*store,
        [Change::Put(node.clone()), Change::Delete(asking.key())],
    );
    for store in [store.clone(), fixture.open()] {
        for here in [&device, &token, &node] {
            assert_eq!(read(&*store, &here.key()).as_ref(), Some(here));
        }
        for gone in [&records[0], &asking] {
            assert_eq!(read(&*store, &gone.key()), None);
        }
    }
    // The device may ask again, even with the same request id.
    write(&*store, [Change::Put(records[0].clone())]);
    let mut other = device_request(1);
    other.id = request_id(7);
    let other = Record::from(other);
    write(&*store, [Change::Put(other.clone())]);
    assert_eq!(read(&*store, &other.key()), Some(other));
}

pub(crate) fn each_range_holds_its_kind_page_by_page(fixture: &Fixture) {
    let store = fixture.open();
    for number in 1..=5 {
        for records in one_of_each(number) {
            write(&*store, put_all(&records));
        }
    }
    for range in ranges() {
        let whole = keys(&*store, &range, 100);
        assert_eq!(whole.len(), 5, "{range:?}");
        assert!(whole.iter().all(|key| range.contains(key)), "{range:?}");
        for limit in 1..=6 {
            assert_eq!(keys(&*store, &range, limit), whole, "{range:?} by {limit}");
        }
        let next = |limit| {
            store
                .range(&range, &PageRequest::first(limit))
                .unwrap()
                .next
        };
        assert!(next(4).is_some() && next(5).is_none(), "{range:?}");
        write(&*store, [Change::Delete(whole[2].clone())]);
        let mut left = whole;
        left.remove(2);
        assert_eq!(sorted(keys(&*store, &range, 2)), sorted(left));
    }
}

pub(crate) fn an_empty_registry_is_no_error(fixture: &Fixture) {
    let store = fixture.open();
    for range in ranges() {
        assert_eq!(keys(&*store, &range, 10), []);
        let empty = range_version(&*store, &range);
        commit(&*store, [empty], []).unwrap();
    }
}

pub(crate) fn what_has_changed_conflicts(fixture: &Fixture) {
    let store = fixture.open();
    let rounds = [put_all, put_all, delete_all];
    let states = [one_of_each(1), least_of_each(1), least_of_each(1)];
    for (change, state) in rounds.into_iter().zip(states) {
        for records in state {
            for record in records {
                let of_kind = |range: &Range| range.contains(&record.key());
                let range = ranges().into_iter().find(of_kind).unwrap();
                let conditions = [
                    record_version(&*store, &record.key()),
                    range_version(&*store, &range),
                ];
                commit(&*store, conditions.clone(), []).unwrap();
                write(&*store, change(&[record]));
                for condition in conditions {
                    assert_conflict(commit(&*store, [condition], []));
                }
            }
        }
    }
}

pub(crate) fn what_has_not_changed_holds(fixture: &Fixture) {
    let store = fixture.open();
    for (records, others) in one_of_each(1).into_iter().zip(one_of_each(2)) {
        write(&*store, put_all(&records));
        let held: Vec<_> = records
            .iter()
            .map(|record| record_version(&*store, &record.key()))
            .collect();
        let free: Vec<_> = others[1..]
            .iter()
            .map(|record| record_version(&*store, &record.key()))
            .collect();
        write(&*store, put_all(&others[..1]));
        for group in one_of_each(3) {
            write(&*store, put_all(&group));
        }
        write(&*store, [put_allow(&place("telegram", "work").allow("1"))]);
        commit(&*store, [held, free].concat(), put_all(&others)).unwrap();
    }
}

pub(crate) fn followers_are_told(fixture: &Fixture) {
    const LONG: Duration = Duration::from_secs(10);
    let (one, other) = (fixture.open(), fixture.open());
    for change in [put_all, delete_all] {
        for records in one_of_each(1) {
            let starts = [&one, &other].map(|store| store.changes(None, LONG).unwrap().position);
            write(&*one, change(&records));
            for (store, mut position) in [&one, &other].into_iter().zip(starts) {
                let mut untold = all_keys(&records);
                while !untold.is_empty() {
                    let changes = store.changes(Some(position), LONG).unwrap();
                    position = changes.position;
                    match changes.changed {
                        Changed::Everything => untold.clear(),
                        Changed::Keys(told) => {
                            assert!(!told.is_empty(), "nobody told of {untold:?}");
                            untold.retain(|key| !told.contains(key));
                        }
                    }
                }
            }
        }
    }
}
