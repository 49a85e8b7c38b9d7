//! `openclaw nodes`.

use pairing_core::device::{NodeId, NodeInfo};

use crate::session::{Session, minutes};

/// A living room that is paired, and two nodes that wait; one of the two hides what it is.
pub(crate) fn asking() -> Session {
    let session = Session::recorded_devices();
    let nodes = session.service().nodes();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let kitchen = NodeInfo {
        display_name: Some("Kitchen".to_owned()),
        platform: Some("linux".to_owned()),
        commands: texts(&["camera.snap", "system.run"]),
        caps: texts(&["camera"]),
        remote_ip: Some("192.168.1.9".to_owned()),
        ..NodeInfo::default()
    };
    let evil = NodeInfo {
        display_name: Some("\u{1b}[2Jevil".to_owned()),
        commands: texts(&["a\u{202e}b"]),
        ..NodeInfo::default()
    };
    let id = |name| NodeId::parse(name).unwrap();
    nodes.request(&id("kitchen"), &kitchen, false).unwrap();
    nodes.request(&id("n\u{200b};reboot"), &evil, true).unwrap();
    session
}

#[test]
fn listing() {
    let mut session = asking();
    session.person("nodes list");
    session.person("nodes pending");
    session.person("nodes status");
    session.pipe("nodes list");
    session.pipe("nodes pending");
    session.pipe("nodes status");
    session.pipe("nodes pending --json");
    session.pipe("nodes list --json");
    session.pipe("nodes status --json");
    session.finish("nodes-list");
}

#[test]
fn t89_looking_at_nodes_makes_nothing() {
    let mut session = Session::new();
    session.person("nodes list");
    session.person("nodes pending");
    session.person("nodes status");
    session.pipe("nodes status --json");
    assert!(!session.state().exists(), "looking makes nothing");
    session.finish("nodes-none");
}

#[test]
fn commands_are_left_out() {
    let mut session = asking();
    let pending = session.service().nodes().list(&owner()).unwrap().pending;
    let kitchen = pending
        .iter()
        .find(|request| request.node.as_str() == "kitchen")
        .map(|request| request.id.to_string())
        .unwrap();
    session.pipe(&format!("nodes approve {kitchen} --commands sms.send"));
    session.pipe(&format!(
        "nodes approve {kitchen} --commands camera.snap --json"
    ));
    let paired = session.service().nodes().list(&owner()).unwrap().paired;
    let granted = paired.iter().find(|node| node.id.as_str() == "kitchen");
    assert_eq!(granted.unwrap().info.commands, ["camera.snap"]);
}

#[test]
fn the_token_is_shown_once() {
    let mut session = asking();
    let pending = session.service().nodes().list(&owner()).unwrap().pending;
    let of = |node: &str| {
        let request = pending.iter().find(|request| request.node.as_str() == node);
        request.unwrap().id.to_string()
    };
    let (kitchen, evil) = (of("kitchen"), of("n\u{200b};reboot"));
    session.person(&format!("nodes approve {}", &kitchen[..8]));
    session.person(&format!("nodes approve {kitchen}"));
    session.pipe(&format!("nodes approve {evil} --json"));
    session.person("nodes list");
    session.finish("nodes-approve");
}

#[test]
fn deciding() {
    let mut session = asking();
    let pending = session.service().nodes().list(&owner()).unwrap().pending;
    session.person("nodes approve");
    session.person("nodes approve Kitchen");
    session.person(&format!("nodes reject {}", pending[0].id));
    session.pipe(&format!("nodes reject {} --json", pending[1].id));
    session.person("nodes pending");
    session.person("nodes rename --node n1 --name Cellar");
    session.pipe("nodes rename --node cellar --name Attic --json");
    session.person("nodes rename --node n2 --name Attic");
    session.person("nodes remove");
    session.person("nodes remove attic");
    session.pipe("nodes remove --node n1 --json");
    session.finish("nodes-decide");
}

#[test]
fn t100_devices_and_nodes_are_told_apart() {
    let mut session = asking();
    let request = &session.service().nodes().list(&owner()).unwrap().pending[0].id;
    session.person("nodes approve 1a7d0601");
    session.person("nodes reject 1a7d0601");
    session.person("nodes remove Phone");
    session.person(&format!("devices approve {request}"));
    session.person("devices remove n1");
    session.person("devices rotate --device n1 --role node");
    session.finish("nodes-or-devices");
}

#[test]
fn requests_end() {
    let mut session = asking();
    session.wait(minutes(5));
    session.person("nodes pending");
    session.finish("nodes-expired");
}

fn owner() -> pairing_core::Approver {
    pairing_core::Approver::terminal("ann")
}
