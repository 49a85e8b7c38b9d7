//! Snapshots of the wire format that clients rely on: every refusal, and `hello-ok`.

use std::time::Duration;

use gateway_protocol::hello::{
    AuthMethod, Features, HelloAuth, HelloOk, Policy, Presence, ServerInfo, Snapshot,
};
use gateway_protocol::{
    AuthFailure, DetailCode, ErrorShape, MAX_BUFFERED, MAX_PAYLOAD, Refusal, Response,
    StateVersion, TICK_INTERVAL,
};
use pairing_core::device::{RequestId, Role, UpgradeReason};
use pairing_core::{DeviceKeyError, InvalidField, ProofError, SIGNATURE_TOLERANCE, Scope};
use serde_json::json;

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

fn pairing(reason: UpgradeReason) -> Refusal {
    let request = RequestId::parse("5d252984-4a7d-44a8-bbab-70c72575c383").unwrap();
    Refusal::PairingRequired { reason, request }
}

fn stale(skew_ms: i64) -> Refusal {
    let tolerance = SIGNATURE_TOLERANCE;
    Refusal::Proof(ProofError::Stale { skew_ms, tolerance })
}

fn refusals() -> Vec<Refusal> {
    let field = InvalidField {
        field: "client.id",
        reason: "a signed field holds no `|` and no control character",
    };
    let auth = [
        AuthFailure::TokenMissing,
        AuthFailure::TokenMismatch,
        AuthFailure::PasswordMissing,
        AuthFailure::PasswordMismatch,
        AuthFailure::UserMissing,
        AuthFailure::DeviceTokenMismatch,
        AuthFailure::PairingTokenInvalid,
        AuthFailure::RateLimited {
            retry_after: Duration::from_secs(300),
        },
    ];
    let mut all = vec![
        Refusal::NotConnect,
        Refusal::Params(ErrorShape::invalid(
            DetailCode::InvalidConnect,
            "invalid connect params: at client.id: must not be empty",
        )),
        Refusal::Protocol,
        Refusal::Role,
        Refusal::Origin,
        Refusal::IdentityRequired,
        Refusal::Proof(field.into()),
        Refusal::Proof(DeviceKeyError::Malformed.into()),
        Refusal::Proof(DeviceKeyError::Weak.into()),
        Refusal::Proof(ProofError::IdMismatch),
        stale(-125_000),
        stale(3_600_000),
        Refusal::Proof(ProofError::NonceMissing),
        Refusal::Proof(ProofError::NonceMismatch),
        Refusal::Proof(ProofError::Signature),
    ];
    all.extend(auth.map(Refusal::Auth));
    all.extend(
        [
            UpgradeReason::NotPaired,
            UpgradeReason::RoleUpgrade,
            UpgradeReason::ScopeUpgrade,
            UpgradeReason::MetadataUpgrade,
        ]
        .map(pairing),
    );
    all.extend([Refusal::Unavailable, Refusal::TryAgain]);
    all
}

#[test]
fn refusals_are_what_clients_look_for() {
    let mut found = String::new();
    for refusal in refusals() {
        let error = refusal.error();
        let response = Response::<()>::new("1", Err(&error));
        let json = serde_json::to_string_pretty(&json!(response)).unwrap();
        let head = format!("{}, closes with {}", refusal.label(), refusal.close_code());
        found = format!("{found}{head}\n{json}\n\n");
    }
    settings().bind(|| insta::assert_snapshot!("refusals", found));
}

fn hello(auth: HelloAuth) -> HelloOk {
    HelloOk {
        protocol: 4,
        server: ServerInfo {
            version: "1.2.3".to_owned(),
            conn_id: "4a2730bf-9cdc-4ab1-8568-625bcde8d0e9".to_owned(),
        },
        features: Features {
            methods: vec!["health".to_owned()],
            events: vec!["tick".to_owned()],
        },
        snapshot: Snapshot {
            presence: vec![Presence {
                host: Some("gatewayhost".to_owned()),
                ip: None,
                version: Some("1.2.3".to_owned()),
                platform: Some("linux".to_owned()),
                device_family: None,
                model_identifier: None,
                mode: "gateway".to_owned(),
                device_id: None,
                roles: Vec::new(),
                scopes: [].into_iter().collect(),
                instance_id: None,
                gateway: None,
                reason: "self".to_owned(),
                text: "Gateway: gatewayhost".to_owned(),
                ts: 1_795_353_766_609,
            }],
            health: json!({ "ok": true }),
            state_version: StateVersion {
                presence: 3,
                health: 6,
            },
            uptime_ms: 46_965,
        },
        auth,
        policy: Policy {
            max_payload: MAX_PAYLOAD as u64,
            max_buffered_bytes: MAX_BUFFERED as u64,
            tick_interval_ms: u64::try_from(TICK_INTERVAL.as_millis()).unwrap(),
        },
    }
}

#[test]
fn hello_ok_is_what_clients_look_for() {
    let minted = hello(HelloAuth {
        device_token: Some("NtkTnydTHeC3zVkO4dbRoobsgYVo_l8E_XdqAMgm9kA".into()),
        role: Role::Operator,
        scopes: [Scope::parse("operator.read").unwrap()]
            .into_iter()
            .collect(),
        issued_at_ms: Some(1_795_353_766_606),
        method: Some(AuthMethod::BootstrapToken),
    });
    let found = serde_json::to_string_pretty(&json!(minted)).unwrap();
    settings().bind(|| insta::assert_snapshot!("hello-ok", found));

    // A token that was not issued is omitted; scopes are always present.
    let kept = hello(HelloAuth {
        device_token: None,
        role: Role::Node,
        scopes: [].into_iter().collect(),
        issued_at_ms: None,
        method: None,
    });
    assert_eq!(json!(kept)["auth"], json!({ "role": "node", "scopes": [] }));
}
