//! Device tokens: when they are made, what they permit, and how they end.

use super::*;
use pairing_core::store::{Batch, Change};
use pairing_core::{DeviceError, Limits, PairingStore as _, Record};

#[test]
fn a_token_is_made_when_it_is_delivered_and_not_again() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    let connecting = phone.asks(&gateway, "node", &[]);
    let (_, minted) = admitted(gateway.with_token(&connecting, &token).unwrap());
    assert!(minted.is_none());
    let (_, minted) = admitted(gateway.connect(&connecting));
    assert!(minted.is_none(), "the device keeps what it has");
}

#[test]
fn approval_never_kills_a_live_token_before_the_next_is_delivered() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "operator", &["operator.read"]);
    gateway.wait(1);
    let more = phone.asks(&gateway, "operator", &["operator.write"]);
    let (_, request) = asked(gateway.connect(&more));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    gateway.wait(1);
    let before = phone.asks(&gateway, "operator", &["operator.read"]);
    let (_, newer) = admitted(gateway.with_token(&before, &token).unwrap());
    assert!(
        is_refused(gateway.with_token(&before, &token)),
        "replaced by then"
    );
    admitted(gateway.with_token(&more, &newer.unwrap()).unwrap());
}

#[test]
fn t3_t4_a_token_is_good_for_its_own_role_and_within_the_baseline() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    gateway.pair(&phone, "operator", &["operator.read"]);
    let operator = phone.asks(&gateway, "operator", &["operator.read"]);
    assert!(is_refused(gateway.with_token(&operator, &token)));
    let never = gateway
        .devices
        .rotate(super::phone(2).id(), Role::Node, None, &owner());
    assert!(matches!(never, Err(DeviceError::UnknownRole)));
}

#[test]
fn t4_a_token_above_the_baseline_is_no_token() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "operator", &["operator.read"]);
    let reads = phone.asks(&gateway, "operator", &["operator.read"]);
    admitted(gateway.with_token(&reads, &token).unwrap());
    // The approval limits the token at every use, however the record was written.
    let mut device = gateway.paired(&phone).unwrap();
    let role = device.roles.get_mut(&Role::Operator).unwrap();
    role.token.as_mut().unwrap().scopes = scopes(&["operator.admin"]);
    let batch = Batch {
        changes: vec![Change::Put(Record::from(device))],
        ..Batch::default()
    };
    gateway.store.commit(&batch).unwrap();
    assert!(is_refused(gateway.with_token(&reads, &token)));
}

#[test]
fn a_token_of_another_device_is_nobodys() {
    let gateway = gateway();
    let (_, token) = gateway.pair(&phone(1), "node", &[]);
    gateway.pair(&phone(2), "node", &[]);
    assert!(is_refused(
        gateway.with_token(&phone(2).asks(&gateway, "node", &[]), &token)
    ));
    assert!(is_refused(
        gateway.with_token(&phone(3).asks(&gateway, "node", &[]), &token)
    ));
}

#[test]
fn rotation_ends_the_token_and_the_next_hello_brings_another() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    let rotated = gateway
        .devices
        .rotate(phone.id(), Role::Node, None, &owner())
        .unwrap();
    assert!(rotated.token.is_none());
    let connecting = phone.asks(&gateway, "node", &[]);
    assert!(is_refused(gateway.with_token(&connecting, &token)));
    let (_, minted) = admitted(gateway.connect(&connecting));
    admitted(gateway.with_token(&connecting, &minted.unwrap()).unwrap());
}

#[test]
fn t1_t2_rotation_never_widens() {
    let gateway = gateway();
    let (admin, operator) = (phone(1), phone(2));
    let baseline = ["operator.pairing", "operator.read"];
    let (session, _) = gateway.session(&operator, &baseline);
    gateway.session(&admin, &["operator.admin"]);
    let rotate = |phone: &Phone, names: &[&str], by: &Approver| {
        let wanted = scopes(names);
        gateway
            .devices
            .rotate(phone.id(), Role::Operator, Some(&wanted), by)
            .map(|r| r.scopes)
    };
    // Refused: scopes beyond the approval, even for the owner; scopes that the approver does not hold;
    // another device's token.
    assert!(rotate(&operator, &["operator.write"], &owner()).is_err());
    assert!(rotate(&operator, &["operator.admin"], &session).is_err());
    assert!(rotate(&admin, &["operator.read"], &session).is_err());
    let narrowed = rotate(&operator, &["operator.read"], &session).unwrap();
    assert_eq!(narrowed, scopes(&["operator.read"]));
    assert_eq!(
        gateway.paired(&operator).unwrap().roles[&Role::Operator].scopes,
        scopes(&baseline)
    );
}

#[test]
fn a_narrowed_token_stays_narrow() {
    let gateway = gateway();
    let phone = phone(1);
    gateway.pair(&phone, "operator", &["operator.read", "operator.approvals"]);
    gateway.wait(1);
    let narrow = scopes(&["operator.read"]);
    gateway
        .devices
        .rotate(phone.id(), Role::Operator, Some(&narrow), &owner())
        .unwrap();
    let reads = phone.asks(&gateway, "operator", &["operator.read"]);
    let (_, token) = admitted(gateway.connect(&reads));
    let token = token.unwrap();
    let more = phone.asks(&gateway, "operator", &["operator.approvals"]);
    let (reason, _) = asked(gateway.with_token(&more, &token).unwrap());
    assert_eq!(reason, UpgradeReason::ScopeUpgrade);
}

#[test]
fn t5_t7_only_the_device_itself_gets_its_new_token_in_the_answer() {
    let gateway = gateway();
    let (me, other) = (phone(1), phone(2));
    let names = ["operator.pairing"];
    let (session, token) = gateway.session(&me, &names);
    gateway.pair(&other, "operator", &names);
    let devices = &gateway.devices;
    // Refused: another device's token. The gateway's secret does not prove to be the device, so no token
    // is returned.
    assert!(matches!(
        devices.rotate(other.id(), Role::Operator, None, &session),
        Err(DeviceError::UnknownRole)
    ));
    let (by_secret, _) = admitted(gateway.connect(&me.asks(&gateway, "operator", &names)));
    let answer = devices.rotate(me.id(), Role::Operator, None, &Approver::device(&by_secret));
    assert!(answer.unwrap().token.is_none());
    let connecting = me.asks(&gateway, "operator", &names);
    assert!(is_refused(gateway.with_token(&connecting, &token)));
    let (_, fetched) = admitted(gateway.connect(&connecting));
    let (device, _) = admitted(gateway.with_token(&connecting, &fetched.unwrap()).unwrap());
    let answer = devices.rotate(me.id(), Role::Operator, None, &Approver::device(&device));
    admitted(
        gateway
            .with_token(&connecting, &answer.unwrap().token.unwrap())
            .unwrap(),
    );
}

#[test]
fn a_revoked_role_stays_revoked_until_it_is_approved_anew() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    gateway
        .devices
        .revoke(phone.id(), Role::Node, &owner())
        .unwrap();
    let connecting = phone.asks(&gateway, "node", &[]);
    assert!(is_refused(gateway.with_token(&connecting, &token)));
    let (reason, request) = asked(gateway.connect(&connecting));
    assert_eq!(reason, UpgradeReason::RoleUpgrade);
    let again = gateway.devices.revoke(phone.id(), Role::Node, &owner());
    assert!(matches!(again, Err(DeviceError::UnknownRole)));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    assert!(
        is_refused(gateway.with_token(&connecting, &token)),
        "dead for good"
    );
    let (_, minted) = admitted(gateway.connect(&connecting));
    admitted(gateway.with_token(&connecting, &minted.unwrap()).unwrap());
}

#[test]
fn t6_t8_revoking_is_bounded_and_refusals_look_alike() {
    let gateway = gateway();
    let admin = phone(1);
    gateway.session(&admin, &["operator.admin"]);
    let pairing = Approver::operator("shared", scopes(&["operator.pairing"]));
    let said = |phone: &Phone, role: &str| {
        let result = gateway.devices.revoke(phone.id(), role_of(role), &pairing);
        result.unwrap_err().to_string()
    };
    let beyond = said(&admin, "operator");
    assert_eq!(beyond, said(&admin, "node"));
    assert_eq!(beyond, said(&phone(9), "operator"));
    assert_eq!(beyond, "unknown deviceId/role");
}

#[test]
fn removing_a_device_forgets_everything_of_it() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "operator", &["operator.read"]);
    gateway.connect(&phone.asks(&gateway, "operator", &["operator.admin"]));
    gateway.devices.remove(phone.id(), &owner()).unwrap();
    assert!(gateway.pending().is_empty() && gateway.paired(&phone).is_none());
    let connecting = phone.asks(&gateway, "operator", &["operator.read"]);
    assert!(is_refused(gateway.with_token(&connecting, &token)));
}

#[test]
fn last_use_is_written_down_when_it_is_flushed() {
    let gateway = gateway();
    let phone = phone(1);
    let (device, _) = gateway.pair(&phone, "node", &[]);
    let last_used = || {
        let device = gateway.paired(&phone).unwrap();
        device.roles[&Role::Node]
            .token
            .as_ref()
            .unwrap()
            .last_used_at
    };
    gateway.wait(5);
    gateway.devices.touch(&device);
    assert_eq!(last_used(), None);
    gateway.devices.flush_uses().unwrap();
    assert_eq!(last_used(), Some(gateway.clock.now()));
}

#[test]
fn idle_tokens_end_where_the_owner_wants_that() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_354_077_013)));
    let mut limits = Limits::default();
    limits.devices.token_idle = Some(Duration::from_secs(86_400));
    let channels = pairing_core::Channels::builtin();
    let store = Arc::new(MemoryStore::new());
    let pairing = Pairing::with(store.clone(), clock.clone(), seeded(1), channels, limits);
    let gateway = Gateway {
        store,
        devices: pairing.devices(),
        clock,
    };
    let phone = phone(1);
    let (device, token) = gateway.pair(&phone, "node", &[]);
    gateway.wait(86_399);
    gateway.devices.touch(&device);
    gateway.devices.flush_uses().unwrap();
    gateway.wait(86_399);
    admitted(
        gateway
            .with_token(&phone.asks(&gateway, "node", &[]), &token)
            .unwrap(),
    );
    gateway.wait(1);
    assert!(is_refused(
        gateway.with_token(&phone.asks(&gateway, "node", &[]), &token)
    ));
}
