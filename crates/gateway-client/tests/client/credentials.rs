//! Tests of the choice of credentials, and of the reaction to a refusal.

use std::sync::Arc;

use gateway_client::Connect;
use gateway_protocol::{AuthFailure, ConnectParams, Refusal, Secret};
use pairing_core::device::Role;

use crate::gateway::{Drawer, Gateway, failing, hello, identity, operator, prove, scope};

/// Returns the presented token, device token, pairing token and password, after checking the proof.
fn shown(params: &ConnectParams) -> [Option<&str>; 4] {
    prove(params);
    let Some(auth) = &params.auth else {
        return [None; 4];
    };
    [
        &auth.token,
        &auth.device_token,
        &auth.bootstrap_token,
        &auth.password,
    ]
    .map(|secret| secret.as_ref().map(Secret::expose))
}

fn device(gateway: &Gateway, drawer: &Arc<Drawer>) -> Connect {
    gateway.connect().identity(identity(), drawer.clone())
}

fn holding() -> Arc<Drawer> {
    Drawer::holding(Role::Operator, "held")
}

const TOKEN_MISMATCH: Refusal = Refusal::Auth(AuthFailure::TokenMismatch);
const DEVICE_MISMATCH: Refusal = Refusal::Auth(AuthFailure::DeviceTokenMismatch);

#[tokio::test]
async fn t96_what_is_signed_is_token_then_device_token_then_pairing_token() {
    let gateway = Gateway::start().await;
    let held = holding();
    let none = Arc::new(Drawer::default());
    for (connect, expected) in [
        (device(&gateway, &none), [None, None, None, None]),
        (
            device(&gateway, &none).token("shared".into()),
            [Some("shared"), None, None, None],
        ),
        (device(&gateway, &held), [None, Some("held"), None, None]),
        (
            device(&gateway, &held).token("shared".into()),
            [Some("shared"), Some("held"), None, None],
        ),
        (
            device(&gateway, &held).password("pass".into()),
            [None, Some("held"), None, Some("pass")],
        ),
        (
            device(&gateway, &none).pairing_token("new".into()),
            [None, None, Some("new"), None],
        ),
    ] {
        let (opened, (_, params)) = tokio::join!(connect.open(), gateway.admit(operator()));
        opened.unwrap();
        assert_eq!(shown(&params), expected);
    }
}

#[tokio::test]
async fn t46_a_new_setup_code_beats_what_is_stored_and_a_spent_one_is_named() {
    let gateway = Gateway::start().await;
    let drawer = holding();
    let connect = device(&gateway, &drawer)
        .token("shared".into())
        .pairing_token("new".into());
    let spent = Refusal::Auth(AuthFailure::PairingTokenInvalid);
    let mut params = None;
    let error = failing(&connect, async {
        params = Some(gateway.refuse(&spent).await);
    })
    .await;
    assert_eq!(shown(&params.unwrap()), [None, None, Some("new"), None]);
    assert_eq!(error.to_string(), "the setup code was used, or has expired");
    assert!(error.advice().unwrap().contains("make a new one"));
    assert!(error.is_final());
    assert_eq!(drawer.token(Role::Operator).as_deref(), Some("held"));
}

#[tokio::test]
async fn a_wrong_shared_token_is_followed_by_the_stored_one_once() {
    let gateway = Gateway::start().await;
    let drawer = holding();
    let connect = device(&gateway, &drawer).token("wrong".into());
    let script = async {
        let first = gateway.refuse(&TOKEN_MISMATCH).await;
        let (peer, second) = gateway.admit(operator()).await;
        (first, second, peer)
    };
    let (opened, (first, second, _peer)) = tokio::join!(connect.open(), script);
    opened.unwrap();
    assert_eq!(shown(&first), [Some("wrong"), Some("held"), None, None]);
    assert_eq!(shown(&second), [None, Some("held"), None, None]);
    // The scopes that belong to the stored token.
    assert_eq!(second.scopes(), ["operator.read"]);

    let script = async {
        gateway.refuse(&TOKEN_MISMATCH).await;
        gateway.refuse(&DEVICE_MISMATCH).await;
    };
    let error = failing(&connect, script).await;
    assert_eq!(error.request_id(), None);
    assert!(error.advice().unwrap().contains("the old token was kept"));
}

#[tokio::test]
async fn t93_a_refused_device_token_is_kept_and_the_shared_secret_tried() {
    let gateway = Gateway::start().await;
    let drawer = holding();
    let connect = device(&gateway, &drawer)
        .token("shared".into())
        .scopes([scope("operator.pairing")].into_iter().collect());
    let script = async {
        gateway.refuse(&DEVICE_MISMATCH).await;
        gateway.admit(operator()).await
    };
    let (opened, (_, params)) = tokio::join!(connect.open(), script);
    opened.unwrap();
    assert_eq!(shown(&params), [Some("shared"), None, None, None]);
    assert_eq!(params.scopes(), ["operator.pairing"]);
    assert_eq!(drawer.token(Role::Operator).as_deref(), Some("held"));

    // A new token replaces it.
    let minted = hello(Role::Operator, Some("minted"));
    let script = async {
        gateway.refuse(&DEVICE_MISMATCH).await;
        gateway.admit(minted).await
    };
    let (opened, _) = tokio::join!(connect.open(), script);
    opened.unwrap();
    assert_eq!(drawer.token(Role::Operator).as_deref(), Some("minted"));
}

#[tokio::test]
async fn t93_no_refusal_costs_the_token() {
    let gateway = Gateway::start().await;
    let drawer = holding();
    let connect = device(&gateway, &drawer);
    for refusal in [
        DEVICE_MISMATCH,
        TOKEN_MISMATCH,
        Refusal::Auth(AuthFailure::TokenMissing),
        Refusal::IdentityRequired,
        Refusal::Unavailable,
    ] {
        failing(&connect, gateway.refuse(&refusal)).await;
        assert_eq!(
            drawer.token(Role::Operator).as_deref(),
            Some("held"),
            "{refusal:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_shared_token_alone_is_an_end() {
    let gateway = Gateway::start().await;
    let drawer = Arc::new(Drawer::default());
    let connect = device(&gateway, &drawer).token("wrong".into());
    let error = failing(&connect, gateway.refuse(&TOKEN_MISMATCH)).await;
    assert_eq!(
        error.to_string(),
        "unauthorized: gateway token mismatch (provide gateway auth token)"
    );
    assert!(!error.is_final());
}
