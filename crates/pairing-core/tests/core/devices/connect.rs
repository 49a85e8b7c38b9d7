//! The ask of a connection, compared with the approval of its device.

use std::collections::BTreeSet;

use super::*;
use pairing_core::device::{AutoApprove, Cidrs, CredentialError, Silence};
use pairing_core::{PairingStore as _, StoreError};

#[test]
fn t86_t87_an_unknown_device_asks_under_one_id_that_lives_from_its_last_retry() {
    let gateway = gateway();
    let phone = phone(1);
    let (reason, first) = asked(gateway.connect(&phone.asks(&gateway, "node", &[])));
    assert_eq!(reason, UpgradeReason::NotPaired);
    assert!(!first.is_repair);
    for _ in 0..20 {
        gateway.wait(60);
        let (_, again) = asked(gateway.connect(&phone.asks(&gateway, "node", &[])));
        // The request expires after its last retry, and is listed by its first.
        assert_eq!((&again.id, again.asked_at), (&first.id, first.asked_at));
    }
    assert_eq!(gateway.pending().len(), 1);
    gateway.wait(299);
    assert_eq!(gateway.pending().len(), 1);
    gateway.wait(1);
    assert!(gateway.pending().is_empty());
    let (_, anew) = asked(gateway.connect(&phone.asks(&gateway, "node", &[])));
    assert_ne!(anew.id, first.id);
}

#[test]
fn t17_asking_for_more_ends_the_request_that_the_owner_is_looking_at() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, first) = asked(gateway.connect(&phone.asks(&gateway, "operator", &["operator.read"])));
    let wider = phone.asks(&gateway, "operator", &["operator.read", "operator.write"]);
    let Connection::Asked(wider) = gateway.connect(&wider) else {
        panic!()
    };
    let request = wider.request;
    assert!(wider.is_new && wider.superseded.as_ref() == Some(&first.id));
    assert_ne!(request.id, first.id);
    assert!(gateway.devices.approve(&first.id, &owner()).is_err());
    assert_eq!(gateway.pending().len(), 1);
    // A browser page gets a request of its own, apart from that of the device itself.
    let page = phone.asks(&gateway, "operator", &["operator.read"]);
    let (_, from_page) = asked(gateway.connect(&page.from_page("https://example.org")));
    assert_ne!(from_page.id, request.id);
}

#[test]
fn t18_t86_asking_for_less_keeps_the_id_and_narrows_the_ask() {
    let gateway = gateway();
    let phone = phone(1);
    let wide = phone.asks(&gateway, "operator", &["operator.admin"]);
    let (_, first) = asked(gateway.connect(&wide));
    let narrow = phone.asks(&gateway, "operator", &["operator.read"]);
    let (_, second) = asked(gateway.connect(&narrow));
    assert_eq!(second.id, first.id);
    gateway.devices.approve(&first.id, &owner()).unwrap();
    let approved = &gateway.paired(&phone).unwrap().roles[&Role::Operator];
    assert_eq!(approved.scopes, scopes(&["operator.read"]));
}

#[test]
fn one_request_holds_the_latest_ask_of_each_role() {
    let gateway = gateway();
    let phone = phone(1);
    gateway.connect(&phone.asks(&gateway, "node", &[]));
    gateway.connect(&phone.asks(&gateway, "operator", &["operator.read"]));
    gateway.connect(&phone.asks(&gateway, "node", &[]));
    let pending = gateway.pending();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        pending[0].ask.roles,
        BTreeSet::from([Role::Operator, Role::Node])
    );
    assert_eq!(pending[0].ask.scopes, scopes(&["operator.read"]));
}

#[test]
fn upgrades_ask_and_the_device_is_told_why() {
    let gateway = gateway();
    let mut phone = phone(1);
    gateway.pair(&phone, "operator", &["operator.read"]);
    let reason = |phone: &Phone, role, scopes: &[&str]| {
        let (reason, request) = asked(gateway.connect(&phone.asks(&gateway, role, scopes)));
        assert!(request.is_repair);
        reason
    };
    let role = reason(&phone, "node", &[]);
    let scope = reason(&phone, "operator", &["operator.write"]);
    assert_eq!(
        (role, scope),
        (UpgradeReason::RoleUpgrade, UpgradeReason::ScopeUpgrade)
    );
    phone.platform = "android 17";
    let kind = reason(&phone, "operator", &["operator.read"]);
    assert_eq!(kind, UpgradeReason::MetadataUpgrade);
}

#[test]
fn t94_a_newer_version_of_the_same_system_is_no_upgrade() {
    let gateway = gateway();
    let mut phone = phone(1);
    gateway.pair(&phone, "node", &[]);
    phone.platform = "ios 27";
    admitted(gateway.connect(&phone.asks(&gateway, "node", &[])));
    assert_eq!(
        gateway.paired(&phone).unwrap().info.platform.as_deref(),
        Some("ios 27")
    );
}

#[test]
fn t77_a_connect_that_changes_nothing_writes_nothing() {
    let gateway = gateway();
    let mut phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    let written = || {
        gateway
            .store
            .changes(None, Duration::ZERO)
            .unwrap()
            .position
    };
    let before = written();
    for last in 10..20 {
        gateway.wait(60);
        phone.address = IpAddr::from([10, 0, 0, last]);
        let connecting = phone.asks(&gateway, "node", &[]);
        let (device, _) = admitted(gateway.with_token(&connecting, &token).unwrap());
        gateway.devices.touch(&device);
    }
    assert_eq!(written(), before);
    gateway.devices.flush_uses().unwrap();
    assert_ne!(written(), before);
}

#[test]
fn t35_a_device_that_signed_v3_does_not_fall_back() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    let older = phone.signs(&gateway, "node", &[], PayloadVersion::V2);
    let refused = gateway.with_token(&older, &token);
    assert!(matches!(
        refused,
        Err(ConnectError::Credential(CredentialError::Downgrade))
    ));
    // A device that never signed v3 may continue with v2.
    let other = super::phone(2);
    let v2 = || other.signs(&gateway, "node", &[], PayloadVersion::V2);
    let (_, request) = asked(gateway.connect(&v2()));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    admitted(gateway.connect(&v2()));
}

#[test]
fn t25_a_node_has_no_operator_scopes_whatever_it_asks() {
    let gateway = gateway();
    let phone = phone(1);
    let greedy = phone.asks(&gateway, "node", &["operator.admin"]);
    let (_, request) = asked(gateway.connect(&greedy));
    assert!(request.ask.scopes.is_empty());
    gateway.devices.approve(&request.id, &owner()).unwrap();
    let (device, _) = admitted(gateway.connect(&greedy));
    assert!(device.scopes().is_empty());
}

#[test]
fn t31_silence_is_for_a_first_pairing_on_loopback_as_operator() {
    let gateway = gateway();
    let local = |phone: &Phone, role, scopes: &[&str]| {
        let connecting = phone.asks(&gateway, role, scopes);
        gateway.connect(&connecting.with_silence(Silence::Loopback))
    };
    let (here, elsewhere) = (phone(1), phone(2));
    let (device, token) = admitted(local(&here, "operator", &["operator.read"]));
    assert!(token.is_some() && device.scopes().allows("operator.read"));
    // A device that was only ever approved this way gets more scopes, but not another role.
    admitted(local(&here, "operator", &["operator.admin"]));
    asked(local(&here, "node", &[]));
    asked(local(&phone(3), "node", &[]));
    // A decision of the owner is never widened silently.
    gateway.pair(&elsewhere, "operator", &["operator.read"]);
    let (reason, _) = asked(local(&elsewhere, "operator", &["operator.admin"]));
    assert_eq!(reason, UpgradeReason::ScopeUpgrade);
}

#[test]
fn t28_t29_who_is_local_goes_by_the_socket_and_nobody_is_behind_a_proxy() {
    let networks = Cidrs::parse(["10.0.0.0/8", "::ffff:192.168.0.0/112"]).unwrap();
    let auto = AutoApprove {
        networks,
        ..AutoApprove::default()
    };
    let table = [
        ("127.0.0.1", true, Silence::Loopback),
        ("127.9.9.9", true, Silence::Loopback),
        ("::1", true, Silence::Loopback),
        ("::ffff:127.0.0.1", true, Silence::Loopback),
        ("127.0.0.1", false, Silence::Ask),
        ("10.1.2.3", true, Silence::Network),
        ("::ffff:10.1.2.3", true, Silence::Network),
        ("10.1.2.3", false, Silence::Ask),
        ("192.168.1.1", true, Silence::Network),
        ("172.16.0.1", true, Silence::Ask),
    ];
    for (address, is_direct, expected) in table {
        let found = auto.silence(address.parse().unwrap(), is_direct);
        assert_eq!(found, expected, "{address} {is_direct}");
    }
    let off = AutoApprove {
        local: false,
        ..AutoApprove::default()
    };
    assert_eq!(
        off.silence(IpAddr::from([127, 0, 0, 1]), true),
        Silence::Ask
    );
}

#[test]
fn t27_a_page_is_never_let_in_silently() {
    let gateway = gateway();
    let connecting = phone(1).asks(&gateway, "operator", &["operator.read"]);
    for page in [
        connecting
            .clone()
            .with_silence(Silence::Loopback)
            .from_page("http://localhost:3000"),
        connecting
            .from_page("http://localhost:3000")
            .with_silence(Silence::Loopback),
    ] {
        asked(gateway.connect(&page));
    }
}

#[test]
fn networks_let_in_fresh_nodes_without_scopes_only() {
    let gateway = gateway();
    let via = |phone: &Phone, role, scopes: &[&str]| {
        let connecting = phone.asks(&gateway, role, scopes);
        gateway.connect(&connecting.with_silence(Silence::Network))
    };
    admitted(via(&phone(1), "node", &[]));
    asked(via(&phone(2), "operator", &[]));
    let known = phone(3);
    gateway.pair(&known, "operator", &["operator.read"]);
    asked(via(&known, "node", &[]));
}

#[test]
fn only_so_many_wait_and_the_least_recently_asked_goes_first() {
    let gateway = gateway();
    let from = |seed: u8, address: [u8; 4]| Phone {
        address: IpAddr::from(address),
        ..phone(seed)
    };
    let mut first = Vec::new();
    for seed in 1..=8 {
        gateway.wait(1);
        let here = from(seed, [10, 0, 0, 1]);
        first.push(
            asked(gateway.connect(&here.asks(&gateway, "node", &[])))
                .1
                .id,
        );
    }
    // The first device asks again, so the request of the second is deleted.
    gateway.wait(20);
    gateway.connect(&from(1, [10, 0, 0, 1]).asks(&gateway, "node", &[]));
    gateway.connect(&from(9, [10, 0, 0, 1]).asks(&gateway, "node", &[]));
    let ids: BTreeSet<_> = gateway.pending().into_iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), 8);
    assert!(ids.contains(&first[0]) && !ids.contains(&first[1]));
    for seed in 10..=200 {
        gateway.connect(&from(seed, [10, 0, 1, seed]).asks(&gateway, "node", &[]));
    }
    assert_eq!(gateway.pending().len(), 64);
}

#[test]
fn t24_records_without_roles_or_scopes_grant_nothing() {
    let gateway = gateway();
    let phone = phone(1);
    gateway.pair(&phone, "operator", &[]);
    admitted(gateway.connect(&phone.asks(&gateway, "operator", &[])));
    let (reason, _) = asked(gateway.connect(&phone.asks(&gateway, "operator", &["operator.read"])));
    assert_eq!(reason, UpgradeReason::ScopeUpgrade);
}

#[test]
fn t10_what_admitted_a_session_is_asked_again_where_it_is_registered() {
    let gateway = gateway();
    let phone = phone(1);
    let (_, token) = gateway.pair(&phone, "node", &[]);
    let connecting = phone.asks(&gateway, "node", &[]);
    let (device, _) = admitted(gateway.with_token(&connecting, &token).unwrap());
    assert!(gateway.devices.still_holds(&device).unwrap());
    gateway
        .devices
        .rotate(phone.id(), Role::Node, None, &owner())
        .unwrap();
    assert!(!gateway.devices.still_holds(&device).unwrap());
    // It does not hold either after the device has received another token.
    let (newer, _) = admitted(gateway.connect(&connecting));
    assert!(!gateway.devices.still_holds(&device).unwrap());
    assert!(gateway.devices.still_holds(&newer).unwrap());
    gateway
        .devices
        .revoke(phone.id(), Role::Node, &owner())
        .unwrap();
    assert!(!gateway.devices.still_holds(&device).unwrap());
    gateway.devices.remove(phone.id(), &owner()).unwrap();
    assert!(!gateway.devices.still_holds(&device).unwrap());
}

#[test]
fn t26_what_a_client_calls_itself_decides_nothing() {
    let gateway = gateway();
    let clients = [
        ("openclaw-ios", "ui"),
        ("gateway-client", "backend"),
        ("openclaw-control-ui", "webchat"),
        ("cli", "cli"),
    ];
    for (seed, (client, mode)) in (1..).zip(clients) {
        let phone = phone(seed);
        let mut connecting = phone.asks(&gateway, "operator", &["operator.admin"]);
        for _ in 0..2 {
            let (reason, request) = asked(gateway.connect(&connecting));
            assert_eq!(reason, UpgradeReason::NotPaired, "{client}");
            assert!(!request.silent);
            connecting = phone.asks_as(&gateway, client, mode);
        }
        assert!(gateway.paired(&phone).is_none());
    }
}

#[test]
fn t32_a_connection_that_may_be_silent_does_not_approve_what_waits() {
    let gateway = gateway();
    let phone = phone(1);
    // The device asks from elsewhere for more, then connects over loopback and asks for little.
    let wide = phone.asks(&gateway, "operator", &["operator.admin"]);
    let (_, waiting) = asked(gateway.connect(&wide));
    let narrow = phone.asks(&gateway, "operator", &["operator.read"]);
    admitted(gateway.connect(&narrow.with_silence(Silence::Loopback)));
    let approved = gateway.paired(&phone).unwrap().roles[&Role::Operator]
        .scopes
        .clone();
    assert_eq!(approved, scopes(&["operator.read"]));
    assert!(
        gateway.devices.approve(&waiting.id, &owner()).is_err(),
        "ended, not granted"
    );
}

#[test]
fn t110_where_nobody_may_ask_only_a_setup_code_and_who_waits_already_do() {
    let gateway = gateway();
    let (waits, new) = (phone(1), phone(2));
    let ask = |phone: &Phone| phone.asks(&gateway, "operator", &["operator.read"]);
    let (_, before) = asked(
        gateway
            .devices
            .connect(&ask(&waits), Credential::Shared)
            .unwrap(),
    );
    let refused = |phone: &Phone| {
        let connecting = ask(phone).without_asking();
        gateway.devices.connect(&connecting, Credential::Shared)
    };
    let (_, after) = asked(refused(&waits).unwrap());
    assert_eq!(after.id, before.id);
    assert!(matches!(refused(&new), Err(ConnectError::TooManyRequests)));
    assert_eq!(gateway.pending().len(), 1);
    gateway.devices.approve(&before.id, &owner()).unwrap();
    let connected = refused(&waits).unwrap();
    assert!(matches!(connected, Connection::Admitted { .. }));
}

#[test]
fn t110_the_addresses_of_one_subscriber_push_out_their_own_requests_and_no_setup_codes() {
    let gateway = gateway();
    let come = |seed: u8, address: &str| {
        let address: IpAddr = address.parse().unwrap();
        let phone = Phone {
            address,
            ..phone(seed)
        };
        let connecting = phone.asks(&gateway, "operator", &["operator.read"]);
        let (_, request) = asked(
            gateway
                .devices
                .connect(&connecting, Credential::Shared)
                .unwrap(),
        );
        gateway.wait(1);
        request.id
    };
    let other = come(1, "2001:db8:0:2::1");
    let first = come(2, "2001:db8:0:1::1");
    for seed in 3..40 {
        come(seed, &format!("2001:db8:0:1::{seed:x}"));
    }
    let pending = gateway.pending();
    let has = |id| pending.iter().any(|request| request.id == id);
    assert_eq!(pending.len(), 9);
    assert!(has(other) && !has(first));
}

#[test]
fn t107_what_a_device_says_is_cut_before_it_is_stored() {
    let gateway = gateway();
    let phone = phone(1);
    let proof = phone.proves(gateway.clock.now(), "node", &[], PayloadVersion::V3);
    let info = DeviceInfo {
        display_name: Some("x".repeat(100_000)),
        ..DeviceInfo::default()
    };
    gateway.connect(&Connecting::new(proof, info, phone.address).unwrap());
    let name = gateway.pending()[0].info.display_name.clone().unwrap();
    assert_eq!(name.chars().count(), 256);
}

#[test]
fn t107_a_request_larger_than_a_record_may_be_is_not_stored() {
    let gateway = gateway();
    let origin = format!("https://{}", "x".repeat(300_000));
    let page = phone(1).asks(&gateway, "node", &[]).from_page(origin);
    let error = gateway.devices.connect(&page, Credential::Shared);
    let error = error.unwrap_err();
    assert!(
        matches!(error, ConnectError::Store(StoreError::Refused { .. })),
        "{error}"
    );
    assert!(gateway.pending().is_empty());
}
