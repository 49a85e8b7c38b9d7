//! The permissions for decisions about devices.

use super::*;
use pairing_core::DeviceError;

fn refused<T: std::fmt::Debug>(result: Result<T, DeviceError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn t11_t12_nobody_approves_more_than_they_hold() {
    let gateway = gateway();
    let phone = phone(1);
    let ask = phone.asks(&gateway, "operator", &["operator.admin"]);
    let (_, request) = asked(gateway.connect(&ask));
    let shared = |names: &[&str]| Approver::operator("shared", scopes(names));
    let approve = |approver: &Approver| gateway.devices.approve(&request.id, approver);
    assert_eq!(
        refused(approve(&shared(&[]))),
        "missing scope: operator.pairing"
    );
    let pairing = shared(&["operator.pairing", "operator.write"]);
    assert_eq!(refused(approve(&pairing)), "missing scope: operator.admin");
    assert!(gateway.paired(&phone).is_none());
    approve(&shared(&["operator.admin"])).unwrap();
}

#[test]
fn t15_only_admin_approves_what_is_not_an_operator() {
    let gateway = gateway();
    let (_, request) = asked(gateway.connect(&phone(1).asks(&gateway, "node", &[])));
    let pairing = Approver::operator("shared", scopes(&["operator.pairing"]));
    let result = gateway.devices.approve(&request.id, &pairing);
    assert_eq!(refused(result), "missing scope: operator.admin");
}

#[test]
fn t16_a_repair_that_asks_for_nothing_is_as_large_as_what_it_revives() {
    let gateway = gateway();
    let mut phone = phone(1);
    gateway.pair(&phone, "operator", &["operator.admin"]);
    phone.platform = "android";
    let (_, request) = asked(gateway.connect(&phone.asks(&gateway, "operator", &[])));
    let pairing = Approver::operator("shared", scopes(&["operator.pairing"]));
    let result = gateway.devices.approve(&request.id, &pairing);
    assert_eq!(refused(result), "missing scope: operator.admin");
}

#[test]
fn t14_a_device_that_is_not_admin_sees_and_decides_itself_alone() {
    let gateway = gateway();
    let (session, _) = gateway.session(&phone(1), &["operator.pairing", "operator.read"]);
    let (_, foreign) = asked(gateway.connect(&phone(2).asks(&gateway, "operator", &[])));
    let unknown = pairing_core::device::RequestId::parse("no-such-request").unwrap();
    let devices = &gateway.devices;
    let seen = devices.list(&session).unwrap();
    assert!(seen.pending.is_empty() && seen.paired.len() == 1);
    assert!(devices.pending(&session).unwrap().pending.is_empty());
    assert_eq!(
        devices.pending(&owner()).unwrap().pending,
        std::slice::from_ref(&foreign)
    );
    let get = |phone: &Phone, by: &Approver| devices.get(phone.id(), by).unwrap();
    gateway.pair(&phone(9), "operator", &["operator.read"]);
    assert_eq!(get(&phone(1), &session), gateway.paired(&phone(1)));
    assert_eq!(get(&phone(9), &owner()), gateway.paired(&phone(9)));
    assert_eq!(
        (get(&phone(9), &session), get(&phone(2), &owner())),
        (None, None)
    );
    for (by, count) in [(&session, 1), (&owner(), 2)] {
        let mut seen = Vec::new();
        let seeing = devices.for_each(by, |device| seen.push(device.clone()));
        seeing.unwrap();
        seen.sort_by_key(|device| std::cmp::Reverse(device.approved_at));
        assert_eq!(
            (seen.len(), &seen),
            (count, &devices.list(by).unwrap().paired)
        );
    }
    for decide in [
        |d: &Devices, id: &_, by: &_| d.approve(id, by).map(drop),
        |d: &Devices, id: &_, by: &_| d.reject(id, by).map(drop),
    ] {
        let (there, nowhere) = (
            decide(devices, &foreign.id, &session),
            decide(devices, &unknown, &session),
        );
        assert_eq!(refused(there), refused(nowhere));
    }
    gateway.pair(&phone(3), "operator", &["operator.read"]);
    let others = devices.remove(phone(3).id(), &session).map(drop);
    assert_eq!(
        refused(others),
        refused(devices.remove(phone(4).id(), &session).map(drop))
    );
    assert!(gateway.paired(&phone(3)).is_some());
}

#[test]
fn t13_t20_an_unknown_id_decides_nothing_even_if_something_waits() {
    let gateway = gateway();
    gateway.connect(&phone(1).asks(&gateway, "node", &[]));
    let latest = pairing_core::device::RequestId::parse("latest").unwrap();
    assert_eq!(
        refused(gateway.devices.approve(&latest, &owner())),
        "unknown requestId"
    );
    assert_eq!(gateway.pending().len(), 1);
}

#[test]
fn an_expired_request_cannot_be_approved() {
    let gateway = gateway();
    let (_, request) = asked(gateway.connect(&phone(1).asks(&gateway, "node", &[])));
    gateway.wait(300);
    assert_eq!(
        refused(gateway.devices.approve(&request.id, &owner())),
        "unknown requestId"
    );
}

#[test]
fn rejecting_leaves_what_was_approved_before() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "operator", &["operator.read"]);
    let more = phone.asks(&gateway, "operator", &["operator.admin"]);
    let (_, request) = asked(gateway.connect(&more));
    gateway.devices.reject(&request.id, &owner()).unwrap();
    assert!(gateway.pending().is_empty());
    let before = phone.asks(&gateway, "operator", &["operator.read"]);
    admitted(gateway.with_token(&before, &token).unwrap());
}

#[test]
fn t92_an_upgrade_adds_and_a_revoked_role_starts_afresh() {
    let gateway = gateway();
    let phone = phone(1);
    let baseline = || {
        gateway.paired(&phone).unwrap().roles[&Role::Operator]
            .scopes
            .clone()
    };
    gateway.pair(&phone, "operator", &["operator.read"]);
    gateway.pair(&phone, "operator", &["operator.approvals"]);
    assert_eq!(baseline(), scopes(&["operator.read", "operator.approvals"]));
    gateway
        .devices
        .revoke(phone.id(), Role::Operator, &owner())
        .unwrap();
    gateway.wait(1);
    gateway.pair(&phone, "operator", &["operator.read"]);
    assert_eq!(baseline(), scopes(&["operator.read"]));
}

#[test]
fn who_approved_is_on_record() {
    let gateway = gateway();
    let phone = phone(1);
    gateway.pair(&phone, "node", &[]);
    let device = gateway.paired(&phone).unwrap();
    let grant = device.roles[&Role::Node].grant.clone().unwrap();
    assert_eq!(grant.by.as_str(), "terminal:ann");
}

#[test]
fn a_name_is_the_owners_to_give() {
    let gateway = gateway();
    let phone = phone(1);
    gateway.pair(&phone, "node", &[]);
    for bad in ["", "  ", "a\nb", &"x".repeat(129)] {
        assert!(gateway.devices.rename(phone.id(), bad, &owner()).is_err());
    }
    gateway
        .devices
        .rename(phone.id(), " Ann's ", &owner())
        .unwrap();
    // The device continues to send its own name.
    admitted(gateway.connect(&phone.asks(&gateway, "node", &[])));
    let device = gateway.paired(&phone).unwrap();
    assert_eq!(device.name(), Some("Ann's"));
    assert_eq!(device.info.display_name.as_deref(), Some("Phone"));
}
