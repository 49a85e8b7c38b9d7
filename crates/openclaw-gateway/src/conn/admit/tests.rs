//! Admission of users whom a trusted proxy has signed in. No socket of a test comes from another machine, so these
//! call the checks themselves.

use std::net::IpAddr;

use gateway_protocol::hello::AuthMethod;
use openclaw_config::Config;
use pairing_core::device::{Identity, PayloadVersion, RequestId};
use pairing_core::{Approver, ManualClock, MemoryStore, Pairing, Timestamp};
use pairing_fs::SystemEntropy;
use serde_json::{Value, json};

use super::*;
use crate::{Gateway, Overrides};

const NONCE: &str = "a-challenge";
const NOW: i64 = 1_795_353_726_325;

/// A gateway whose settings are those of an owner with a proxy that signs people in.
struct Behind {
    parts: Arc<Parts>,
    settings: Arc<Settings>,
    pairing: Pairing,
}

impl Behind {
    fn a_proxy(auth: &str) -> Self {
        let text = format!(
            "{{ gateway: {{ trustedProxies: ['192.0.2.1'], auth: {{ mode: 'trusted-proxy',
                trustedProxy: {{ userHeader: 'x-user' }}, {auth} }} }} }}"
        );
        let config = Config::parse(&text).unwrap();
        assert_eq!(config.faults().count(), 0, "{text}");
        let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
        let clock = ManualClock::new(Timestamp::from_millis(NOW));
        let pairing = Pairing::new(MemoryStore::new(), clock, SystemEntropy);
        let gateway = Gateway::builder(pairing.clone(), settings).build();
        let (_stop, server) = gateway.server();
        let parts = server.parts.clone();
        let settings = parts.settings.load_full();
        Self {
            parts,
            settings,
            pairing,
        }
    }

    async fn admits(
        &self,
        device: Option<&Identity>,
        (user, address, is_direct): (Option<&str>, &str, bool),
        auth: Value,
    ) -> Result<Admitted, Denied> {
        let scopes = ["operator.read", "operator.write"];
        let mut params = json!({
            "minProtocol": 4, "maxProtocol": 4,
            "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" },
            "role": "operator", "scopes": scopes, "auth": auth,
        });
        if let Some(identity) = device {
            let token = signed_token(auth["token"].as_str(), auth["deviceToken"].as_str(), None);
            let key = identity.id().to_string();
            let scopes = scopes.map(str::to_owned);
            let fields = SignedFields {
                device_id: &key,
                client_id: "cli",
                client_mode: "cli",
                role: "operator",
                scopes: &scopes,
                signed_at: NOW,
                token,
                nonce: NONCE,
                platform: Some("linux"),
                device_family: None,
            };
            params["device"] = json!({
                "id": key,
                "publicKey": identity.key().to_base64url(),
                "signature": identity.sign(&fields, PayloadVersion::V3).unwrap(),
                "signedAt": NOW,
                "nonce": NONCE,
            });
        }
        let raw = serde_json::value::to_raw_value(&params).unwrap();
        let params = Arc::new(ConnectParams::parse(Some(&raw)).unwrap());
        let address: IpAddr = address.parse().unwrap();
        let arrival = Arrival {
            address,
            is_direct,
            is_encrypted: true,
            origin: Origin::None,
            is_owners: false,
            user: user.map(str::to_owned),
        };
        let settings = self.settings.clone();
        admit(&self.parts, settings, &arrival, params, NONCE.to_owned()).await
    }

    fn approve(&self, request: &RequestId) {
        let owner = Approver::terminal("ann");
        self.pairing.devices().approve(request, &owner).unwrap();
    }
}

const ANN: (Option<&str>, &str, bool) = (Some("ann@example.org"), "198.51.100.7", false);

fn asked(refused: Result<Admitted, Denied>) -> RequestId {
    match refused.unwrap_err().refusal {
        Refusal::PairingRequired { request, .. } => request,
        other => panic!("{other:?}"),
    }
}

fn scopes(admitted: &Admitted) -> Vec<&str> {
    match &admitted.who {
        Who::Device(device) => device.scopes().iter().map(Scope::as_str).collect(),
        Who::Operator(scopes) | Who::Owner(scopes) => scopes.iter().map(Scope::as_str).collect(),
    }
}

#[tokio::test]
async fn a_user_of_a_proxy_still_pairs() {
    let gateway = Behind::a_proxy("");
    let device = Identity::generate(&SystemEntropy).unwrap();
    let request = asked(gateway.admits(Some(&device), ANN, Value::Null).await);
    gateway.approve(&request);
    let admitted = gateway
        .admits(Some(&device), ANN, Value::Null)
        .await
        .unwrap();
    assert_eq!(admitted.method, AuthMethod::TrustedProxy);
    assert_eq!(scopes(&admitted), ["operator.read", "operator.write"]);
    // Its own token is enough, without the proxy.
    let token = admitted.minted.unwrap().token;
    let auth = json!({ "deviceToken": token.expose() });
    let beside = (None, "198.51.100.8", true);
    assert!(gateway.admits(Some(&device), beside, auth).await.is_ok());
}

#[tokio::test]
async fn without_a_device_a_user_may_do_nothing() {
    let gateway = Behind::a_proxy("");
    let admitted = gateway.admits(None, ANN, Value::Null).await.unwrap();
    assert_eq!(scopes(&admitted), Vec::<&str>::new());
}

#[tokio::test]
async fn nobody_comes_in_beside_the_proxy() {
    let gateway = Behind::a_proxy("token: 'the-token', password: 'the-password'");
    let device = Identity::generate(&SystemEntropy).unwrap();
    for (from, auth) in [
        ((None, "198.51.100.7", false), Value::Null),
        (
            (None, "198.51.100.7", true),
            json!({ "password": "the-password" }),
        ),
        (
            (None, "198.51.100.7", true),
            json!({ "token": "the-token" }),
        ),
        ((None, "127.0.0.1", true), json!({ "token": "the-token" })),
        (
            (None, "127.0.0.1", false),
            json!({ "password": "the-password" }),
        ),
    ] {
        let refused = gateway.admits(Some(&device), from, auth).await.unwrap_err();
        let label = refused.refusal.label();
        assert_ne!(label, "pairing-required", "{from:?}");
    }
    // The password is for programs on this machine.
    let here = (None, "127.0.0.1", true);
    let auth = json!({ "password": "the-password" });
    let admitted = gateway.admits(Some(&device), here, auth).await.unwrap();
    assert_eq!(admitted.method, AuthMethod::Password);
}

#[tokio::test]
async fn the_scopes_of_a_user_are_a_limit() {
    let limits = "identityScopes: { 'ann@example.org': ['operator.read'] }";
    let gateway = Behind::a_proxy(limits);
    let device = Identity::generate(&SystemEntropy).unwrap();
    let request = asked(gateway.admits(Some(&device), ANN, Value::Null).await);
    let owner = Approver::terminal("ann");
    let pending = gateway.pairing.devices().list(&owner).unwrap().pending;
    let wanted: Vec<_> = pending[0].ask.scopes.iter().map(Scope::as_str).collect();
    assert_eq!(wanted, ["operator.read"]);
    gateway.approve(&request);
    let admitted = gateway
        .admits(Some(&device), ANN, Value::Null)
        .await
        .unwrap();
    assert_eq!(scopes(&admitted), ["operator.read"]);
    // Somebody else on the same device has nothing.
    let eve = (Some("eve@example.org"), "198.51.100.7", false);
    let admitted = gateway
        .admits(Some(&device), eve, Value::Null)
        .await
        .unwrap();
    assert_eq!(scopes(&admitted), Vec::<&str>::new());
}
