//! Tests of connections that reconnect.

use std::sync::Arc;
use std::time::Duration;

use gateway_client::{ConnectError, Disconnect, Link, LinkEvent};
use gateway_protocol::{AuthFailure, DetailCode, ErrorShape, Refusal, Secret};
use pairing_core::device::{RequestId, Role, UpgradeReason};

use crate::gateway::{Draw, Drawer, Gateway, hello, identity, no_jitter, operator, pass};

const FIRST: &str = "5d252984-4a7d-44a8-bbab-70c72575c383";
const SECOND: &str = "60901e58-bf1f-4993-9e79-7550e2e1af85";

fn pairing(request: &str) -> Refusal {
    Refusal::PairingRequired {
        reason: UpgradeReason::NotPaired,
        request: RequestId::parse(request).unwrap(),
    }
}

async fn connected(link: &mut Link) -> gateway_client::Client {
    match link.next().await {
        Some(LinkEvent::Connected(client)) => client,
        other => panic!("{other:?}"),
    }
}

async fn disconnected(link: &mut Link) -> (Disconnect, Duration) {
    match link.next().await {
        Some(LinkEvent::Disconnected { why, retry_in }) => (why, retry_in),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_again() {
    let gateway = Gateway::start().await;
    let mut link = gateway.connect().keep(no_jitter());
    for round in 0..3 {
        let (mut peer, _) = gateway.admit(operator()).await;
        connected(&mut link).await;
        peer.event("tick", serde_json::json!({ "ts": round })).await;
        assert!(matches!(link.next().await, Some(LinkEvent::Event(_))));
        peer.close(1001, "back soon").await;
        let (why, retry_in) = disconnected(&mut link).await;
        assert!(matches!(why, Disconnect::Closed(closed) if closed.code == 1001));
        assert_eq!(retry_in, Duration::ZERO);
    }
}

#[tokio::test]
async fn waits_grow_while_nothing_lasts_and_shrink_after_something_did() {
    let gateway = Gateway::start().await;
    let mut link = gateway.connect().keep(Arc::new(Draw(u8::MAX)));
    for expected in [1, 2, 4, 8, 16, 30, 30] {
        drop(gateway.listener.accept().await.unwrap());
        let (_, retry_in) = disconnected(&mut link).await;
        assert_eq!(retry_in, Duration::from_secs(expected));
        pass(retry_in).await;
    }
    let (mut peer, _) = gateway.admit(operator()).await;
    let client = connected(&mut link).await;
    // The connection did not last long enough to reset the backoff.
    drop(peer);
    client.closed().await;
    let (_, retry_in) = disconnected(&mut link).await;
    assert_eq!(retry_in, Duration::from_secs(30));
    pass(retry_in).await;

    (peer, _) = gateway.admit(operator()).await;
    connected(&mut link).await;
    for _ in 0..3 {
        pass(Duration::from_secs(25)).await;
        peer.event("tick", serde_json::json!({ "ts": 1 })).await;
        assert!(matches!(link.next().await, Some(LinkEvent::Event(_))));
    }
    drop(peer);
    let (_, retry_in) = disconnected(&mut link).await;
    assert_eq!(retry_in, Duration::from_secs(1));
}

#[tokio::test]
async fn each_request_that_waits_is_told_once_and_asked_about_until_there_is_an_answer() {
    let gateway = Gateway::start().await;
    let drawer = Arc::new(Drawer::default());
    let connect = gateway
        .connect()
        .identity(identity(), drawer.clone())
        .role(Role::Node);
    let mut link = connect.keep(no_jitter());
    for request in [FIRST, SECOND] {
        gateway.refuse(&pairing(request)).await;
        let Some(LinkEvent::PairingRequired {
            request_id,
            hint,
            reason,
            retry_in,
        }) = link.next().await
        else {
            panic!()
        };
        assert_eq!(request_id, request);
        assert_eq!(hint.unwrap(), format!("openclaw devices approve {request}"));
        assert_eq!(reason.as_deref(), Some("not-paired"));
        assert_eq!(retry_in, Duration::from_secs(5));
        pass(retry_in).await;
        // The same request is not reported again.
        for _ in 0..2 {
            let (mut peer, id, _) = gateway.greet().await;
            peer.refuse(&id, &pairing(request)).await;
            assert!(peer.message().await.unwrap().is_close());
            assert!(peer.message().await.is_none());
            // The refusal has been read, and the link sleeps.
            drop(peer);
            tokio::task::yield_now().await;
            pass(retry_in).await;
        }
    }
    let (_peer, _) = gateway.admit(hello(Role::Node, Some("minted"))).await;
    connected(&mut link).await;
    assert_eq!(drawer.token(Role::Node).as_deref(), Some("minted"));
}

#[tokio::test]
async fn a_setup_code_serves_until_there_is_a_token() {
    let gateway = Gateway::start().await;
    let drawer = Arc::new(Drawer::default());
    let connect = gateway
        .connect()
        .identity(identity(), drawer)
        .role(Role::Node);
    let mut link = connect.pairing_token("new".into()).keep(no_jitter());

    let params = gateway.refuse(&pairing(FIRST)).await;
    assert_eq!(
        params.auth.unwrap().bootstrap_token,
        Some(Secret::from("new"))
    );
    assert!(matches!(
        link.next().await,
        Some(LinkEvent::PairingRequired { .. })
    ));
    pass(Duration::from_secs(5)).await;

    let (peer, params) = gateway.admit(hello(Role::Node, Some("minted"))).await;
    assert_eq!(
        params.auth.unwrap().bootstrap_token,
        Some(Secret::from("new"))
    );
    connected(&mut link).await;
    drop(peer);
    disconnected(&mut link).await;

    let (_peer, params) = gateway.admit(hello(Role::Node, None)).await;
    let auth = params.auth.unwrap();
    assert_eq!(auth.bootstrap_token, None);
    assert_eq!(auth.device_token, Some(Secret::from("minted")));
}

#[tokio::test]
async fn t46_a_spent_setup_code_is_an_end_and_said_as_that() {
    let gateway = Gateway::start().await;
    let mut link = gateway
        .connect()
        .pairing_token("spent".into())
        .keep(no_jitter());
    gateway
        .refuse(&Refusal::Auth(AuthFailure::PairingTokenInvalid))
        .await;
    let Some(LinkEvent::GaveUp(error)) = link.next().await else {
        panic!()
    };
    assert_eq!(error.to_string(), "the setup code was used, or has expired");
    assert!(link.next().await.is_none());
}

#[tokio::test]
async fn a_wrong_secret_is_tried_again_slowly() {
    let gateway = Gateway::start().await;
    let mut link = gateway.connect().token("wrong".into()).keep(no_jitter());
    gateway
        .refuse(&Refusal::Auth(AuthFailure::TokenMismatch))
        .await;
    let (why, retry_in) = disconnected(&mut link).await;
    assert!(
        matches!(why, Disconnect::Failed(ConnectError::Refused(_))),
        "{why:?}"
    );
    assert_eq!(retry_in, Duration::from_secs(15));
    pass(retry_in).await;

    let limited = AuthFailure::RateLimited {
        retry_after: Duration::from_secs(300),
    };
    gateway.refuse(&Refusal::Auth(limited)).await;
    let (_, retry_in) = disconnected(&mut link).await;
    assert_eq!(retry_in, Duration::from_secs(300));
    pass(retry_in).await;
    gateway.admit(operator()).await;
    connected(&mut link).await;
}

#[tokio::test]
async fn what_no_retry_mends_is_the_last_event() {
    let wrong = ErrorShape::invalid(
        DetailCode::InvalidConnect,
        "invalid connect params: at client: no",
    );
    for refusal in [Refusal::Protocol, Refusal::Role, Refusal::Params(wrong)] {
        let gateway = Gateway::start().await;
        let mut link = gateway.connect().keep(no_jitter());
        gateway.refuse(&refusal).await;
        assert!(
            matches!(link.next().await, Some(LinkEvent::GaveUp(_))),
            "{refusal:?}"
        );
        assert!(link.next().await.is_none());
    }
}

#[tokio::test]
async fn a_link_that_is_dropped_ends_its_connection() {
    let gateway = Gateway::start().await;
    let mut link = gateway.connect().keep(no_jitter());
    let (mut peer, _) = gateway.admit(operator()).await;
    let client = connected(&mut link).await;
    drop(link);
    assert!(peer.message().await.unwrap().is_close());
    assert!(peer.message().await.is_none());
    assert_eq!(client.closed().await.code, 1000);
}
