//! Gateways that share a store and whose clocks differ.

use std::sync::Arc;
use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::{
    Account, Approver, Channels, DecisionError, Limits, ManualClock, MemoryStore, Pairing,
    Requested, ScopeSet, Timestamp,
};

const APART: Duration = Duration::from_secs(5);

/// Makes two gateways on one store, with the clock of the first ahead of the second.
fn gateways(skew: Duration) -> [Account; 2] {
    let store = Arc::new(MemoryStore::new());
    let now = Timestamp::from_millis(1_795_354_077_013);
    [now + APART, now].map(|now| {
        let limits = Limits::default().with_clock_skew(skew);
        let (clock, channels) = (ManualClock::new(now), Channels::builtin());
        let entropy = seeded(u64::try_from(now.as_millis()).unwrap());
        let pairing = Pairing::with(store.clone(), clock, entropy, channels, limits);
        pairing
            .channel("telegram")
            .unwrap()
            .account("default")
            .unwrap()
    })
}

fn ask(gate: &Account, sender: &str) -> String {
    match gate.request_or_reuse(sender).unwrap() {
        Requested::Created(created) => created.request.code.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_of_a_gateway_ahead_is_no_request_of_the_future() {
    let [ahead, behind] = gateways(APART);
    let code = ask(&ahead, "1001");
    // The next request does not delete it either.
    ask(&behind, "1002");
    assert_eq!(behind.pending().unwrap().requests.len(), 2);
    behind.approve(&code, &Approver::terminal("ann")).unwrap();
    assert!(ahead.is_allowed("1001").unwrap());
}

#[test]
fn beyond_the_skew_it_is() {
    let [ahead, behind] = gateways(APART.saturating_sub(Duration::from_millis(1)));
    let code = ask(&ahead, "1001");
    let approved = behind.approve(&code, &Approver::terminal("ann"));
    assert!(
        matches!(approved, Err(DecisionError::Expired { .. })),
        "{approved:?}"
    );
}

#[test]
fn wrong_codes_at_a_gateway_ahead_count_at_the_other() {
    let [ahead, behind] = gateways(APART);
    let code = ask(&ahead, "1001");
    let guesser = Approver::operator("phone", ScopeSet::admin());
    let wrong = if code.starts_with('A') {
        "BBBBBBBB"
    } else {
        "AAAAAAAA"
    };
    for gate in [&ahead, &behind].into_iter().cycle().take(10) {
        gate.approve(wrong, &guesser).unwrap_err();
    }
    let locked = behind.approve(&code, &guesser);
    assert!(
        matches!(locked, Err(DecisionError::LockedOut { .. })),
        "{locked:?}"
    );
}

#[test]
fn a_pending_request_says_when_its_code_ends() {
    let now = Timestamp::from_millis(1_795_354_077_013);
    let pairing = pairing_core::PairingBuilder::new(
        MemoryStore::new(),
        ManualClock::new(now),
        pairing_conformance::seeded(1),
    );
    let limits = Limits::default();
    let pairing = pairing.build();
    let account = pairing.channel("telegram").unwrap();
    let account = account.account("default").unwrap();
    account.request_or_reuse("1").unwrap();
    let mut request = pairing
        .channel("telegram")
        .unwrap()
        .pending()
        .unwrap()
        .requests
        .remove(0);
    let end = now + limits.code_lifetime;
    assert_eq!(request.expires_at(&limits), Some(end));
    assert!(!request.is_expired(&limits, Timestamp::from_millis(end.as_millis() - 1)));
    assert!(request.is_expired(&limits, end));
    request.created_at = None;
    assert_eq!(request.expires_at(&limits), None);
}
