//! What devices wait to be approved for as nodes, as the other program's gateway recorded it.

use pairing_core::device::{NodeRequest, RequestId, Role};
use pairing_core::{
    Approver, DeviceError, ManualClock, Pairing, Range, Scope, ScopeSet, Timestamp,
};

use crate::install::{Install, NOW, Sevens};
use crate::real::range;

const NODE_A: &str = "49f0e04c478a4d557f4e35b01c8b2af7d7bf3de206c38f8609c38a198b0b58d6";
const ASKED: &str = "93b1afe0-7ad6-4e0d-ab42-2e0773b05e47";

fn pairing(install: &Install) -> Pairing {
    let clock = ManualClock::new(Timestamp::from_millis(NOW));
    Pairing::new(install.open(), clock, Sevens)
}

fn owner() -> Approver {
    Approver::terminal("owner")
}

fn id() -> RequestId {
    RequestId::parse(ASKED).unwrap()
}

fn waiting(install: &Install) -> Vec<NodeRequest> {
    pairing(install).nodes().surfaces(&owner()).unwrap()
}

/// The approved commands and whether anything waits, as they are in the row.
fn row(install: &Install) -> String {
    let of = format!(
        "SELECT json_extract(node_surface_json, '$.commands'), pending_node_surface_json IS NULL,
        json_extract(node_surface_json, '$.version') FROM device_pairing_paired WHERE device_id = '{NODE_A}'"
    );
    install.rows(&of).remove(0)
}

#[test]
fn what_waits_is_listed_and_does_not_expire() {
    let install = Install::recorded();
    let all = waiting(&install);
    assert_eq!(all.len(), 2);
    let asked = all.iter().find(|asked| asked.id == id()).unwrap();
    assert_eq!(asked.node.as_str(), NODE_A);
    assert_eq!(asked.info.display_name.as_deref(), Some("NodeA"));
    assert_eq!(asked.info.commands.len(), 13);
    // Legacy nodes are another list, and a device without admin sees neither.
    let nodes = pairing(&install).nodes();
    assert!(nodes.list(&owner()).unwrap().pending.is_empty());
    assert_eq!(nodes.list_all(&owner()).unwrap().waiting().len(), 2);
    install.sql(&format!(
        "UPDATE device_pairing_paired SET pending_node_surface_json = json_set(pending_node_surface_json, '$.ts', 5)
        WHERE device_id = '{NODE_A}'"
    ));
    assert_eq!(waiting(&install).len(), 2);
}

#[test]
fn approved_are_the_commands_that_are_kept() {
    let install = Install::recorded();
    let nodes = pairing(&install).nodes();
    let names = ["operator.pairing", "operator.write"];
    let scopes: ScopeSet = names
        .iter()
        .map(|name| Scope::parse(name).unwrap())
        .collect();
    let weak = Approver::operator("x", scopes);
    let error = nodes.approve_surface(&id(), &|_| true, &weak).unwrap_err();
    assert!(matches!(error, DeviceError::Scope(_)), "{error:?}");
    let keep = |name: &str| name.starts_with("ollama.");
    let device = nodes.approve_surface(&id(), &keep, &owner()).unwrap();
    let commands = device.roles[&Role::Node].commands.as_ref().unwrap();
    assert_eq!(
        commands.iter().collect::<Vec<_>>(),
        ["ollama.chat", "ollama.models"]
    );
    assert_eq!(row(&install), r#"["ollama.chat","ollama.models"]|1|NULL"#);
    assert_eq!(waiting(&install).len(), 1);
    let again = nodes.approve_surface(&id(), &keep, &owner()).unwrap_err();
    assert!(matches!(again, DeviceError::UnknownRequest), "{again:?}");
}

#[test]
fn all_of_it_approved_is_as_the_other_program_writes_it() {
    let install = Install::recorded();
    let nodes = pairing(&install).nodes();
    nodes.approve_surface(&id(), &|_| true, &owner()).unwrap();
    let row = row(&install);
    assert!(row.starts_with(r#"["browser.proxy","#), "{row}");
    assert!(row.ends_with("|1|2026.9.6"), "{row}");
}

#[test]
fn t33_a_rejected_node_is_not_granted_what_it_declares_next() {
    let install = Install::recorded();
    let rejected = pairing(&install)
        .nodes()
        .reject_surface(&id(), &owner())
        .unwrap();
    assert_eq!(rejected.info.commands.len(), 13);
    assert_eq!(row(&install), "[]|1|NULL");
    let devices = range(&install.open(), &Range::Devices);
    let mut device = devices.iter().filter_map(|record| record.as_device());
    let device = device
        .find(|device| device.id.to_string() == NODE_A)
        .unwrap();
    let commands = device.roles[&Role::Node].commands.as_ref();
    assert!(commands.is_some_and(std::collections::BTreeSet::is_empty));
}

#[test]
fn what_is_not_understood_waits_on() {
    let install = Install::recorded();
    for bad in [
        "[]",
        "{}",
        r#"{"requestId":7}"#,
        r#"{"requestId":"a","commands":{}"#,
        "\"x\"",
    ] {
        install.sql(&format!(
            "UPDATE device_pairing_paired SET pending_node_surface_json = '{bad}', display_name = 'Other'
            WHERE device_id = '{NODE_A}'"
        ));
        assert_eq!(waiting(&install).len(), 1, "{bad}");
        let devices = pairing(&install).devices();
        let id = pairing_core::DeviceId::parse(NODE_A).unwrap();
        devices.rename(id, "Mine", &owner()).unwrap();
        let kept = format!(
            "SELECT pending_node_surface_json FROM device_pairing_paired WHERE device_id = '{NODE_A}'"
        );
        assert_eq!(install.rows(&kept), [bad]);
    }
}
