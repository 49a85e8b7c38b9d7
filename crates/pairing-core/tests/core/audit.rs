//! The audit event of each decision.

use std::sync::{Arc, Mutex};

use pairing_conformance::seeded;
use pairing_core::device::{NodeId, NodeInfo, SetupProfile};
use pairing_core::{
    Approver, AuditEvent, AuditSink, ManualClock, MemoryStore, PairingBuilder, Requested, Timestamp,
};

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl AuditSink for Lines {
    fn record(&self, event: &AuditEvent) {
        let line = serde_json::to_string(event).unwrap();
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn t84_every_decision_is_taken_down_without_a_secret() {
    let lines = Arc::new(Lines::default());
    let clock = ManualClock::new(Timestamp::from_millis(1_795_354_077_013));
    let pairing = PairingBuilder::new(MemoryStore::new(), clock, seeded(1))
        .audit(lines.clone())
        .build();
    let owner = Approver::terminal("ann");
    let telegram = pairing
        .channel("telegram")
        .unwrap()
        .account("work")
        .unwrap();
    let ask = |sender: &str| match telegram.request_or_reuse(sender).unwrap() {
        Requested::Created(created) => created.request.code,
        other => panic!("{other:?}"),
    };
    let (first, second) = (ask("1"), ask("2"));
    telegram.approve(first.as_str(), &owner).unwrap();
    telegram.reject(second.as_str(), &owner).unwrap();
    telegram.allow("3", &owner).unwrap();
    telegram.allow("3", &owner).unwrap();
    telegram.revoke("3", &owner).unwrap();
    let (secret, _) = pairing
        .devices()
        .issue_pairing_token(SetupProfile::Node, Some("telegram:1"), &owner)
        .unwrap();
    let node = NodeId::parse("attic").unwrap();
    let asked = pairing
        .nodes()
        .request(&node, &NodeInfo::default(), false)
        .unwrap();
    let approved = pairing.nodes().approve(&asked.request.id, &owner).unwrap();
    pairing.nodes().remove(&node, &owner).unwrap();

    let lines = lines.0.lock().unwrap().join("\n");
    for secret in [
        first.as_str(),
        second.as_str(),
        secret.expose(),
        approved.token.expose(),
    ] {
        assert!(!lines.contains(secret));
    }
    let shown = lines.replace(asked.request.id.as_str(), "[id]");
    insta::assert_snapshot!(shown, @r#"
    {"at":"2026-11-22T13:27:57.013Z","action":"approved","by":"terminal:ann","via":"terminal","channel":"telegram","account":"work","sender":"1"}
    {"at":"2026-11-22T13:27:57.013Z","action":"rejected","by":"terminal:ann","via":"terminal","channel":"telegram","account":"work","sender":"2"}
    {"at":"2026-11-22T13:27:57.013Z","action":"allowed","by":"terminal:ann","via":"terminal","channel":"telegram","account":"work","sender":"3"}
    {"at":"2026-11-22T13:27:57.013Z","action":"revoked","by":"terminal:ann","via":"terminal","channel":"telegram","account":"work","sender":"3"}
    {"at":"2026-11-22T13:27:57.013Z","action":"issued","by":"terminal:ann","via":"terminal","chat":"telegram:1","scopes":[]}
    {"at":"2026-11-22T13:27:57.013Z","action":"approved","by":"terminal:ann","via":"terminal","node":"attic","request":"[id]"}
    {"at":"2026-11-22T13:27:57.013Z","action":"removed","by":"terminal:ann","via":"terminal","node":"attic"}
    "#);
}
