//! The legacy node store.

use std::sync::Arc;
use std::time::Duration;

use pairing_conformance::seeded;
use pairing_core::device::{NodeId, NodeInfo, SecretToken};
use pairing_core::{
    Approver, ManualClock, MemoryStore, Nodes, Pairing, Scope, ScopeSet, Timestamp,
};

fn nodes() -> (Nodes, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_354_077_013)));
    let pairing = Pairing::new(MemoryStore::new(), clock.clone(), seeded(1));
    (pairing.nodes(), clock)
}

fn node(name: &str) -> NodeId {
    NodeId::parse(name).unwrap()
}

fn with_commands(commands: &[&str]) -> NodeInfo {
    NodeInfo {
        commands: commands.iter().map(|c| (*c).to_owned()).collect(),
        ..NodeInfo::default()
    }
}

fn operator(names: &[&str]) -> Approver {
    let scopes: ScopeSet = names.iter().map(|n| Scope::parse(n).unwrap()).collect();
    Approver::operator("shared", scopes)
}

fn owner() -> Approver {
    Approver::terminal("ann")
}

#[test]
fn a_node_asks_under_one_id_until_it_is_approved_with_a_token_shown_once() {
    let (nodes, clock) = nodes();
    let first = nodes
        .request(&node("n1"), &NodeInfo::default(), false)
        .unwrap();
    clock.advance(Duration::from_secs(200));
    let again = nodes
        .request(&node("n1"), &NodeInfo::default(), false)
        .unwrap();
    assert!(first.is_new && !again.is_new && again.request.id == first.request.id);
    let approved = nodes.approve(&first.request.id, &owner()).unwrap();
    let verified = nodes.verify(&node("n1"), &approved.token).unwrap();
    assert_eq!(verified.unwrap().id, node("n1"));
    let wrong = SecretToken::parse("wrong").unwrap();
    assert!(nodes.verify(&node("n1"), &wrong).unwrap().is_none());
    assert!(
        nodes
            .verify(&node("n2"), &approved.token)
            .unwrap()
            .is_none()
    );
    assert!(nodes.approve(&first.request.id, &owner()).is_err(), "once");
    nodes.remove(&node("n1"), &owner()).unwrap();
    assert!(
        nodes
            .verify(&node("n1"), &approved.token)
            .unwrap()
            .is_none()
    );
}

#[test]
fn t13_t34_approval_is_bounded_by_what_the_node_would_do() {
    let (nodes, _) = nodes();
    let table = [
        (&[][..], "operator.pairing"),
        (&["camera.snap", "system.notify"], "operator.write"),
        (&["system.run"], "operator.admin"),
        // t34: sharing a browser is as powerful as running programs.
        (&["canvas.show", "browser.proxy"], "operator.admin"),
    ];
    for (number, (commands, needed)) in table.into_iter().enumerate() {
        let asked = nodes.request(
            &node(&format!("n{number}")),
            &with_commands(commands),
            false,
        );
        let id = asked.unwrap().request.id;
        if needed != "operator.pairing" {
            let refused = nodes
                .approve(&id, &operator(&["operator.pairing"]))
                .unwrap_err();
            assert_eq!(refused.to_string(), format!("missing scope: {needed}"));
        }
        nodes
            .approve(&id, &operator(&["operator.pairing", needed]))
            .unwrap();
    }
}

#[test]
fn t33_a_node_that_would_do_more_is_another_request() {
    let (nodes, _) = nodes();
    let ask = |commands: &[&str]| {
        nodes
            .request(&node("n1"), &with_commands(commands), false)
            .unwrap()
    };
    let first = ask(&["camera.snap"]);
    let wider = ask(&["camera.snap", "system.run"]);
    assert_eq!(wider.superseded, Some(first.request.id.clone()));
    assert!(nodes.approve(&first.request.id, &owner()).is_err());
    // The approval covers the commands of the request, whatever the node declares later.
    nodes.approve(&wider.request.id, &owner()).unwrap();
    ask(&["camera.snap", "system.run", "browser.proxy"]);
    let paired = nodes.list(&owner()).unwrap().paired;
    assert_eq!(paired[0].info.commands, ["camera.snap", "system.run"]);
}

#[test]
fn requests_expire_and_only_so_many_wait() {
    let (nodes, clock) = nodes();
    for number in 0..70 {
        clock.advance(Duration::from_millis(1));
        nodes
            .request(&node(&format!("n{number}")), &NodeInfo::default(), true)
            .unwrap();
    }
    let pending = nodes.list(&owner()).unwrap().pending;
    assert_eq!(pending.len(), 64);
    assert!(
        pending[0].silent && pending[0].node == node("n69"),
        "newest first"
    );
    clock.advance(Duration::from_secs(300));
    assert!(nodes.list(&owner()).unwrap().pending.is_empty());
    assert!(nodes.approve(&pending[0].id, &owner()).is_err());
}

#[test]
fn renaming_rejecting_and_what_is_not_there() {
    let (nodes, _) = nodes();
    let id = nodes
        .request(&node("n1"), &NodeInfo::default(), false)
        .unwrap()
        .request
        .id;
    nodes.reject(&id, &owner()).unwrap();
    assert!(nodes.reject(&id, &owner()).is_err());
    assert!(nodes.rename(&node("n1"), "Attic", &owner()).is_err());
    let id = nodes
        .request(&node("n1"), &NodeInfo::default(), false)
        .unwrap()
        .request
        .id;
    nodes.approve(&id, &owner()).unwrap();
    nodes.rename(&node("n1"), "Attic", &owner()).unwrap();
    let paired = nodes.list(&owner()).unwrap().paired;
    assert_eq!(paired[0].info.display_name.as_deref(), Some("Attic"));
    assert!(
        nodes
            .request(&node("n1"), &NodeInfo::default(), false)
            .unwrap()
            .request
            .is_repair
    );
}
