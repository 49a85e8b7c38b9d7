//! Changes of several files, interrupted between any two file operations.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use pairing_core::device::{
    DeviceRequest, Node, NodeRequest, PairingToken, RequestId, Role, SetupProfile,
};
use pairing_core::store::{Change, Group};
use pairing_core::{
    ChannelId, PairingStore as _, Range, Record, SecretToken, Timestamp, TokenHash,
};
use pairing_fs::{Probe, Step};

use crate::state::{
    ADMIN, PHONE, State, all, commit, device, device_key, open, record, request, request_key,
    tokens,
};

/// Number of changes to the disk left before all further ones fail.
struct Fate(Mutex<usize>);

impl Probe for Fate {
    fn before(&self, _: Step, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1).ok_or(io::Error::other("dead"))?;
        Ok(())
    }
}

/// Returns a state with a phone's request that came in with a pairing token, and that token.
fn waiting() -> (State, PairingToken) {
    let state = State::recorded();
    let mut request = request(&state.store, ADMIN).unwrap();
    let token = PairingToken {
        hash: TokenHash::of(&SecretToken::parse("pairing").unwrap()),
        profile: SetupProfile::Limited,
        issued_at: request.asked_at,
        expires_at: request.asked_at,
        chat: None,
        device: Some(request.device),
        unclaimed: [].into(),
    };
    request.pairing_token = Some(token.hash);
    let records = [Record::from(request), Record::from(token.clone())];
    commit(&state.store, records.map(Change::Put)).unwrap();
    (state, token)
}

fn approval(state: &State, token: &PairingToken) -> Vec<Change> {
    let mut admin = state.device(ADMIN);
    admin.approved_at = Timestamp::from_millis(1_795_354_200_000);
    admin.pairing_token = Some(token.hash);
    let token = PairingToken {
        unclaimed: [Role::Operator].into(),
        ..token.clone()
    };
    vec![
        Change::Put(Record::from(token)),
        Change::Delete(request_key(ADMIN)),
        Change::Put(Record::from(admin)),
    ]
}

/// Interrupts the change after every number of steps that is too small to complete it. `look` tells whether
/// readers see the change; it is called after the interruption, and again after the next change.
fn cut_off_anywhere(
    begin: impl Fn() -> (State, Vec<Change>),
    look: impl Fn(&State) -> bool,
) -> (usize, usize) {
    let (mut undone, mut done) = (0, 0);
    for steps in 0.. {
        let (state, change) = begin();
        let fate = Arc::new(Fate(Mutex::new(steps)));
        let dying = open(state.dir.path()).probed(fate);
        let result = commit(&dying, change);
        let happened = look(&state);
        assert!(happened || result.is_err());
        // The next writes finish the change, without a visible difference.
        let (mut nodes, _) = all(&state.store, &Range::Nodes);
        commit(&state.store, [Change::Delete(request_key(PHONE))]).unwrap();
        commit(&state.store, [Change::Put(nodes.remove(0))]).unwrap();
        assert_eq!(look(&state), happened, "after {steps} steps");
        if result.is_ok() {
            return (undone, done);
        }
        *(if happened { &mut done } else { &mut undone }) += 1;
    }
    unreachable!("every change comes to its end")
}

#[test]
fn t75_an_approval_has_happened_entirely_or_not_at_all() {
    let (undone, done) = cut_off_anywhere(
        || {
            let (state, token) = waiting();
            let change = approval(&state, &token);
            (state, change)
        },
        |state| {
            let store = state.reopened();
            let approved = device(&store, ADMIN).unwrap().pairing_token.is_some();
            assert_eq!(request(&store, ADMIN).is_none(), approved);
            let listed = all(&store, &Range::DeviceRequests).0;
            assert_eq!(listed.is_empty(), approved);
            let token = &tokens(&store)[0];
            assert_eq!(!token.unclaimed.is_empty(), approved);
            let key = Record::from(token.clone()).key();
            assert_eq!(
                record(&store, &key).unwrap().as_pairing_token(),
                Some(token)
            );
            approved
        },
    );
    // Three files are staged in three steps each; the first rename decides.
    assert_eq!((undone, done), (10, 5));
}

#[test]
fn what_was_finished_by_the_next_is_written() {
    let (state, token) = waiting();
    // Only the first file is replaced.
    let change = approval(&state, &token);
    let fate = Arc::new(Fate(Mutex::new(11)));
    let dying = open(state.dir.path()).probed(fate);
    commit(&dying, change).unwrap_err();
    assert!(state.read("devices/pending.json").contains("1a7d0601"));
    assert!(request(&state.store, ADMIN).is_none());
    assert!(!state.read("devices/bootstrap.json").contains("unclaimed"));
    commit(&state.store, [Change::Delete(request_key(PHONE))]).unwrap();
    assert_eq!(state.read("devices/pending.json"), "{}");
    assert!(state.read("devices/bootstrap.json").contains("unclaimed"));
    // The same device may ask again.
    let asked = DeviceRequest {
        id: RequestId::parse("another").unwrap(),
        ..request(&State::recorded().store, ADMIN).unwrap()
    };
    commit(&state.store, [Change::Put(Record::from(asked.clone()))]).unwrap();
    assert_eq!(request(&state.store, ADMIN), Some(asked));
}

#[test]
fn t75_a_node_is_pending_or_paired() {
    cut_off_anywhere(
        || {
            let state = State::recorded();
            let (nodes, _) = all(&state.store, &Range::Nodes);
            let node: Node = nodes[0].as_node().unwrap().clone();
            let asking = NodeRequest {
                id: RequestId::parse("1").unwrap(),
                node: node.id.clone(),
                info: node.info.clone(),
                silent: false,
                is_repair: true,
                asked_at: node.created_at,
                refreshed_at: node.created_at,
            };
            let asking = Record::from(asking);
            commit(&state.store, [Change::Put(asking.clone())]).unwrap();
            let node = Record::from(Node {
                token: TokenHash::of(&SecretToken::parse("new").unwrap()),
                ..node
            });
            (state, vec![Change::Delete(asking.key()), Change::Put(node)])
        },
        |state| {
            let store = state.reopened();
            let waiting = !all(&store, &Range::NodeRequests).0.is_empty();
            let (nodes, _) = all(&store, &Range::Nodes);
            let token = nodes[0].as_node().unwrap().token;
            let approved = token == TokenHash::of(&SecretToken::parse("new").unwrap());
            assert_eq!(waiting, !approved);
            approved
        },
    );
}

#[test]
fn who_is_removed_is_out_before_anything_else_goes() {
    cut_off_anywhere(
        || {
            let (state, token) = waiting();
            let change = vec![
                Change::Delete(Record::from(token).key()),
                Change::Delete(request_key(ADMIN)),
                Change::Delete(device_key(ADMIN)),
            ];
            (state, change)
        },
        |state| {
            let store = state.reopened();
            let removed = device(&store, ADMIN).is_none();
            let is_rest_there = request(&store, ADMIN).is_some() && !tokens(&store).is_empty();
            assert!(removed || is_rest_there);
            removed
        },
    );
}

#[test]
fn a_pairing_token_is_bound_before_the_request_is_there() {
    cut_off_anywhere(
        || {
            let (state, token) = waiting();
            let asked = request(&state.store, ADMIN).unwrap();
            let unbound = PairingToken {
                device: None,
                ..token.clone()
            };
            commit(
                &state.store,
                [
                    Change::Delete(request_key(ADMIN)),
                    Change::Put(Record::from(unbound)),
                ],
            )
            .unwrap();
            let change = vec![
                Change::Put(Record::from(asked)),
                Change::Put(Record::from(token)),
            ];
            (state, change)
        },
        |state| {
            let store = state.reopened();
            let asked = request(&store, ADMIN).is_some();
            let bound = tokens(&store)[0].device.is_some();
            assert!(bound || !asked);
            asked
        },
    );
}

/// Nothing can be written to a directory of this name.
struct Full(&'static str);

impl Probe for Full {
    fn before(&self, step: Step, path: &Path) -> io::Result<()> {
        let is_in = path
            .parent()
            .is_some_and(|dir| dir.file_name() == Some(self.0.as_ref()));
        if step == Step::Write && is_in {
            return Err(io::Error::other("no space left"));
        }
        Ok(())
    }
}

#[test]
fn whether_a_group_can_be_written_is_tried_where_its_files_are() {
    let state = State::recorded();
    std::fs::create_dir(state.path("credentials")).unwrap();
    let telegram = ChannelId::parse("telegram").unwrap();
    let groups = [Group::Channel(&telegram), Group::Devices, Group::Nodes];
    for (dir, full) in [("credentials", 0), ("devices", 1), ("nodes", 2)] {
        let store = open(state.dir.path()).probed(Arc::new(Full(dir)));
        for (at, group) in groups.iter().enumerate() {
            let tried = store.probe_write(*group);
            assert_eq!(tried.is_err(), at == full, "{dir}, {group:?}: {tried:?}");
        }
        let left = std::fs::read_dir(state.dir.path().join(dir));
        let mut left = left.into_iter().flatten().map(|file| file.unwrap().path());
        assert!(left.all(|file| file.extension() != Some("tmp".as_ref())));
    }
    assert!(!state.dir.path().join("credentials/pairing-meta").exists());
}
