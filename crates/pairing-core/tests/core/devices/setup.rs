//! Setup codes: they let one device ask, and fetch the approved tokens.

use super::*;
use pairing_core::PairingStore;
use pairing_core::device::{CredentialError, SetupProfile, TokenHash};

fn code(gateway: &Gateway, profile: SetupProfile) -> SecretToken {
    let issued = gateway.devices.issue_pairing_token(profile, None, &owner());
    issued.unwrap().0
}

#[allow(clippy::needless_pass_by_value, reason = "reads better at every call")]
fn used_or_expired(result: Result<Connection, ConnectError>) {
    assert!(matches!(
        result,
        Err(ConnectError::Credential(CredentialError::PairingToken))
    ));
}

#[test]
fn t41_a_code_asks_for_its_whole_profile_whichever_connection_comes_first() {
    for (role, names) in [("node", &[][..]), ("operator", &["operator.read"][..])] {
        let gateway = gateway();
        let code = code(&gateway, SetupProfile::Limited);
        let phone = phone(1);
        let connection = gateway.with_code(&phone.asks(&gateway, role, names), &code);
        let (_, request) = asked(connection.unwrap());
        assert_eq!(request.ask, SetupProfile::Limited.ask());
        let operator = phone.asks(&gateway, "operator", &["operator.read"]);
        let (_, same) = asked(gateway.with_code(&operator, &code).unwrap());
        assert_eq!(
            same.id, request.id,
            "both connections of a phone ask the same"
        );
    }
}

#[test]
fn t40_t42_a_code_never_asks_for_more_than_its_profile() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Node);
    let phone = phone(1);
    let (_, request) = asked(
        gateway
            .with_code(&phone.asks(&gateway, "node", &[]), &code)
            .unwrap(),
    );
    let greedy = phone.asks(&gateway, "operator", &["operator.admin"]);
    used_or_expired(gateway.with_code(&greedy, &code));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    assert_eq!(gateway.paired(&phone).unwrap().roles.len(), 1);
}

#[test]
fn t43_the_first_key_that_was_proven_binds_the_code() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Limited);
    let (first, second) = (phone(1), phone(2));
    asked(
        gateway
            .with_code(&first.asks(&gateway, "node", &[]), &code)
            .unwrap(),
    );
    used_or_expired(gateway.with_code(&second.asks(&gateway, "node", &[]), &code));
    asked(
        gateway
            .with_code(&first.asks(&gateway, "node", &[]), &code)
            .unwrap(),
    );
}

#[test]
fn a_code_lasts_ten_minutes() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Limited);
    gateway.wait(599);
    let connecting = phone(1).asks(&gateway, "node", &[]);
    asked(gateway.with_code(&connecting, &code).unwrap());
    gateway.wait(1);
    used_or_expired(gateway.with_code(&phone(1).asks(&gateway, "node", &[]), &code));
}

#[test]
fn after_approval_each_role_fetches_its_token_until_it_is_used() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Limited);
    let phone = phone(1);
    let node = || phone.asks(&gateway, "node", &[]);
    let operator = || phone.asks(&gateway, "operator", &["operator.read"]);
    let (_, request) = asked(gateway.with_code(&node(), &code).unwrap());
    gateway.wait(500);
    let (_, request) = {
        // The request has expired, so the retry creates a new one.
        let again = asked(gateway.with_code(&node(), &code).unwrap());
        assert_ne!(again.1.id, request.id);
        again
    };
    gateway.devices.approve(&request.id, &owner()).unwrap();
    gateway.wait(500);
    let (_, lost) = admitted(gateway.with_code(&node(), &code).unwrap());
    // The answer was lost: the same key fetches another token, and the first one is no longer valid.
    let (_, token) = admitted(gateway.with_code(&node(), &code).unwrap());
    let (lost, token) = (lost.unwrap(), token.unwrap());
    assert!(is_refused(gateway.with_token(&node(), &lost)));
    used_or_expired(gateway.with_code(&super::phone(2).asks(&gateway, "node", &[]), &code));
    admitted(gateway.with_token(&node(), &token).unwrap());
    // The token was used, which ends the node's claim, but not the operator's.
    let (_, again) = admitted(gateway.with_code(&node(), &code).unwrap());
    assert!(again.is_none());
    let (_, operators) = admitted(gateway.with_code(&operator(), &code).unwrap());
    admitted(
        gateway
            .with_token(&operator(), &operators.unwrap())
            .unwrap(),
    );
    used_or_expired(gateway.with_code(&operator(), &code));
    assert!(gateway.devices.pairing_tokens().unwrap().is_empty());
}

#[test]
fn the_claim_on_tokens_ends_ten_minutes_after_approval() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Limited);
    let phone = phone(1);
    let (_, request) = asked(
        gateway
            .with_code(&phone.asks(&gateway, "node", &[]), &code)
            .unwrap(),
    );
    gateway.devices.approve(&request.id, &owner()).unwrap();
    gateway.wait(600);
    used_or_expired(gateway.with_code(&phone.asks(&gateway, "node", &[]), &code));
}

#[test]
fn rejecting_ends_the_code_with_the_request() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Limited);
    let phone = phone(1);
    let (_, request) = asked(
        gateway
            .with_code(&phone.asks(&gateway, "node", &[]), &code)
            .unwrap(),
    );
    gateway.devices.reject(&request.id, &owner()).unwrap();
    used_or_expired(gateway.with_code(&phone.asks(&gateway, "node", &[]), &code));
}

#[test]
fn t45_least_privilege_is_the_default_and_admin_has_to_be_said() {
    let limited = SetupProfile::default().ask();
    assert!(!limited.scopes.allows("operator.admin"));
    assert!(!limited.scopes.allows("operator.pairing"));
    assert!(SetupProfile::Full.ask().scopes.allows("operator.admin"));
    // An approver cannot issue a setup code for anything that they could not approve.
    let gateway = gateway();
    let pairing = Approver::operator("shared", scopes(&["operator.pairing"]));
    let issued = gateway
        .devices
        .issue_pairing_token(SetupProfile::Node, None, &pairing);
    assert!(issued.is_err());
}

#[test]
fn a_paired_device_whose_token_was_rotated_comes_back_with_a_code() {
    let gateway = gateway();
    let phone = phone(1);
    gateway.pair(&phone, "node", &[]);
    gateway
        .devices
        .rotate(phone.id(), Role::Node, None, &owner())
        .unwrap();
    let code = code(&gateway, SetupProfile::Node);
    let connecting = phone.asks(&gateway, "node", &[]);
    let (_, minted) = admitted(gateway.with_code(&connecting, &code).unwrap());
    assert!(minted.is_some());
}

#[test]
fn t43_t44_fifty_redeemers_at_once_and_one_binds() {
    let gateway = Arc::new(gateway());
    let code = Arc::new(code(&gateway, SetupProfile::Limited));
    let redeemers: Vec<_> = (1..=50)
        .map(|seed| {
            let (gateway, code) = (gateway.clone(), code.clone());
            std::thread::spawn(move || {
                let connecting = phone(seed).asks(&gateway, "node", &[]);
                gateway.with_code(&connecting, &code).is_ok()
            })
        })
        .collect();
    let bound = redeemers.into_iter().map(|r| r.join().unwrap());
    assert_eq!(bound.filter(|bound| *bound).count(), 1);
}

#[test]
fn t44_what_was_used_up_is_never_revived() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Node);
    let phone = phone(1);
    let node = || phone.asks(&gateway, "node", &[]);
    let (_, request) = asked(gateway.with_code(&node(), &code).unwrap());
    gateway.devices.approve(&request.id, &owner()).unwrap();
    let (_, token) = admitted(gateway.with_code(&node(), &code).unwrap());
    let token = token.unwrap();
    admitted(gateway.with_token(&node(), &token).unwrap());
    // Neither a revocation nor another approval restores the claim.
    used_or_expired(gateway.with_code(&node(), &code));
    gateway
        .devices
        .revoke(phone.id(), Role::Node, &owner())
        .unwrap();
    let (_, request) = asked(gateway.connect(&node()));
    gateway.devices.approve(&request.id, &owner()).unwrap();
    used_or_expired(gateway.with_code(&node(), &code));
}

#[test]
fn t52_what_is_kept_of_a_code_is_its_hash() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Node);
    let kept = format!("{:?}", gateway.devices.pairing_tokens().unwrap());
    assert!(!kept.contains(code.expose()) && kept.contains("sha256:"));
}

#[test]
fn codes_can_be_ended_and_cleaned_up() {
    let gateway = gateway();
    let (secret, token) = gateway
        .devices
        .issue_pairing_token(SetupProfile::Node, Some("telegram:1"), &owner())
        .unwrap();
    assert!(
        gateway
            .devices
            .end_pairing_token(token.hash, &owner())
            .unwrap()
    );
    assert!(
        !gateway
            .devices
            .end_pairing_token(token.hash, &owner())
            .unwrap()
    );
    used_or_expired(gateway.with_code(&phone(1).asks(&gateway, "node", &[]), &secret));
    code(&gateway, SetupProfile::Node);
    gateway.connect(&phone(2).asks(&gateway, "node", &[]));
    assert_eq!(gateway.devices.clean_up().unwrap(), 0);
    gateway.wait(600);
    assert_eq!(gateway.devices.clean_up().unwrap(), 2);
}

#[test]
fn t110_a_request_that_came_with_a_setup_code_is_never_pushed_out() {
    let gateway = gateway();
    let code = code(&gateway, SetupProfile::Limited);
    let invited = phone(1).asks(&gateway, "node", &[]).without_asking();
    let (_, request) = asked(gateway.with_code(&invited, &code).unwrap());
    for seed in 2..200 {
        gateway.wait(1);
        let elsewhere = Phone {
            address: IpAddr::from([10, 0, seed, 1]),
            ..phone(seed)
        };
        asked(gateway.connect(&elsewhere.asks(&gateway, "node", &[])));
    }
    let pending = gateway.pending();
    assert_eq!(pending.len(), 65);
    assert!(pending.iter().any(|waits| waits.id == request.id));
}

#[test]
fn a_code_is_bound_by_a_device_that_needs_no_approval_and_written_once() {
    let gateway = gateway();
    let (first, second) = (phone(1), phone(2));
    gateway.pair(&first, "node", &[]);
    let code = code(&gateway, SetupProfile::Node);
    let key = pairing_core::Key::PairingToken {
        hash: TokenHash::of(&code),
    };
    let version = || PairingStore::read(&*gateway.store, &key).unwrap().version;
    let node = || first.asks(&gateway, "node", &[]);
    let unbound = version();
    admitted(gateway.with_code(&node(), &code).unwrap());
    // It is that device's from now on, and nobody else's.
    let bound = version();
    assert_ne!(bound, unbound);
    used_or_expired(gateway.with_code(&second.asks(&gateway, "node", &[]), &code));
    // To come again with it changes nothing.
    admitted(gateway.with_code(&node(), &code).unwrap());
    assert_eq!(version(), bound);
    // Nor does a connection without the code touch it.
    let connection = gateway.connect(&node());
    admitted(connection);
    assert_eq!(version(), bound);
}
