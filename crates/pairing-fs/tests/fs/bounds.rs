//! Files that are larger than what is read back.

use std::fs;

use pairing_core::device::{NodeId, NodeInfo, NodeRequest, RequestId};
use pairing_core::store::{Batch, Change, PageRequest};
use pairing_core::{Channels, Limits, PairingStore, Range, Record, StoreError, Timestamp};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Fix, fix};

use crate::state::State;

const PENDING: &str = "nodes/pending.json";
const MOST: usize = 64 * 1024 * 1024;

fn asks(node: &str, caps: usize) -> Batch {
    let request = NodeRequest {
        id: RequestId::parse(&format!("request-of-{node}")).unwrap(),
        node: NodeId::parse(node).unwrap(),
        info: NodeInfo {
            caps: vec!["c".repeat(caps)],
            ..NodeInfo::default()
        },
        silent: false,
        is_repair: false,
        asked_at: Timestamp::from_millis(1_795_354_074_345),
        refreshed_at: Timestamp::from_millis(1_795_354_074_345),
    };
    Batch {
        changes: vec![Change::Put(Record::from(request))],
        conditions: Vec::new(),
    }
}

fn waiting(store: &impl PairingStore) -> usize {
    let page = store.range(&Range::NodeRequests, &PageRequest::first(10));
    page.unwrap().records.len()
}

#[test]
fn t107_what_would_not_be_read_back_is_not_written() {
    let state = State::empty();
    state.store.commit(&asks("small", 10)).unwrap();
    let before = state.read(PENDING);
    let refused = state.store.commit(&asks("large", MOST)).unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");
    assert_eq!(state.read(PENDING), before);
    assert_eq!(waiting(&state.reopened()), 1);
}

#[test]
fn t107_a_file_too_large_to_read_is_set_aside() {
    let state = State::empty();
    state.store.commit(&asks("small", 10)).unwrap();
    let file = fs::File::options().write(true).open(state.path(PENDING));
    file.unwrap().set_len(MOST as u64 + 1).unwrap();
    let store = state.reopened();
    let page = store.range(&Range::NodeRequests, &PageRequest::first(10));
    assert!(matches!(page, Err(StoreError::Unreadable { .. })));
    let dir = StateDir::at(state.dir.path());
    let found = fix(
        &dir,
        &Channels::builtin(),
        &Limits::default(),
        Timestamp::from_millis(1_795_354_074_345),
        &Fix { set_aside: true },
    );
    let mut large = found.iter().filter(|f| f.path == state.path(PENDING));
    assert!(large.any(|finding| finding.kind == "malformed" && finding.fixed));
    let names = fs::read_dir(state.path("nodes")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains(".broken-")).count(), 1);
    let store = state.reopened();
    store.commit(&asks("next", 10)).unwrap();
    assert_eq!(waiting(&store), 1);
}
