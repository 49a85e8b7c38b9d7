//! Tests of the handshake: challenge, `connect`, `hello-ok`, and everything that can go wrong before.

use std::sync::Arc;
use std::time::Duration;

use gateway_client::{Connect, ConnectError};
use gateway_protocol::{AuthFailure, ClientInfo, ConnectParams, Refusal, Text};
use pairing_core::device::{PayloadVersion, RequestId, Role, UpgradeReason};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{
    Drawer, Gateway, NONCE, TS, connected, failing, hello, identity, operator, prove, proven, scope,
};

fn text(text: &str) -> Text {
    Text::try_from(text.to_owned()).unwrap()
}

#[tokio::test]
async fn where_the_first_address_takes_no_connection_the_others_are_tried_in_turn() {
    let (gone, gateway) = (Gateway::start().await, Gateway::start().await);
    let nobody = gone.url();
    drop(gone);
    let connect = Connect::to(nobody.clone()).other_urls(vec![nobody.clone(), gateway.url()]);
    let (opened, _) = tokio::join!(connect.open(), gateway.admit(operator()));
    assert_eq!(opened.unwrap().0.hello().auth.role, Role::Operator);

    let error = Connect::to(nobody.clone())
        .other_urls(vec![nobody])
        .open()
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Io(_)), "{error:?}");
}

#[tokio::test]
async fn a_node_says_who_it_is_and_proves_it() {
    let gateway = Gateway::start().await;
    let client = ClientInfo {
        id: text("node-host"),
        display_name: Some(text("Kitchen")),
        version: text("1.2.3"),
        platform: text(" Linux "),
        device_family: Some(text("Raspberry PI")),
        model_identifier: None,
        mode: text("node"),
        instance_id: None,
    };
    let connect = gateway
        .connect()
        .identity(identity(), Arc::new(Drawer::default()))
        .role(Role::Node)
        .client(client.clone())
        .caps([text("device")])
        .commands([text("device.info")])
        .permissions([("camera".to_owned(), false)].into());
    let (opened, (_, params)) =
        tokio::join!(connect.open(), gateway.admit(hello(Role::Node, None)));
    assert_eq!(opened.unwrap().0.hello().auth.role, Role::Node);

    prove(&params);
    assert_eq!((params.min_protocol, params.max_protocol), (3, 4));
    assert_eq!(params.role(), "node");
    assert_eq!(params.scopes(), Vec::<String>::new());
    assert_eq!(params.client, client);
    assert_eq!(params.caps, [text("device")]);
    assert_eq!(params.commands, [text("device.info")]);
    assert!(!params.permissions["camera"]);
    assert_eq!(params.auth, None);
    assert_eq!(
        params.device.unwrap().id.as_str(),
        identity().id().to_string()
    );
}

/// Refuses the next connection in the words of 2026.2, without a code, and returns what it presented.
async fn refuse_as_2026_2(gateway: &Gateway, message: &str) -> ConnectParams {
    let (mut peer, id, params) = gateway.greet().await;
    let error = json!({ "code": "INVALID_REQUEST", "message": message });
    let answer = json!({ "type": "res", "id": id, "ok": false, "error": error });
    peer.send(answer.to_string()).await;
    peer.close(1008, message).await;
    params
}

#[tokio::test]
async fn where_the_newer_proof_is_refused_the_older_one_is_tried_once() {
    let gateway = Gateway::start().await;
    let connect = gateway
        .connect()
        .identity(identity(), Arc::new(Drawer::default()))
        .role(Role::Node);
    let refuse = async || proven(&refuse_as_2026_2(&gateway, "device signature invalid").await);
    let (opened, forms) = tokio::join!(connect.open(), async {
        let first = refuse().await;
        let (_, params) = gateway.admit(hello(Role::Node, None)).await;
        [first, proven(&params)]
    });
    assert_eq!(opened.unwrap().0.hello().auth.role, Role::Node);
    assert_eq!(forms, [PayloadVersion::V3, PayloadVersion::V2]);

    // A device that no form convinces of is refused.
    let (opened, forms) = tokio::join!(connect.open(), async { [refuse().await, refuse().await] });
    let error = opened.unwrap_err();
    assert!(matches!(error, ConnectError::Refused(_)), "{error:?}");
    assert_eq!(forms, [PayloadVersion::V3, PayloadVersion::V2]);
}

#[tokio::test]
async fn a_gateway_of_2026_2_is_shown_a_device_token_as_the_token() {
    let gateway = Gateway::start().await;
    let keeper = Arc::new(Drawer::default());
    let connect = gateway
        .connect()
        .identity(identity(), keeper.clone())
        .role(Role::Node);
    let hello = hello(Role::Node, Some("minted"));
    let (opened, _) = tokio::join!(connect.open(), gateway.admit(hello.clone()));
    opened.unwrap();

    let refusal = "invalid connect params: at /auth: unexpected property 'deviceToken'";
    let (opened, params) = tokio::join!(connect.open(), async {
        let first = refuse_as_2026_2(&gateway, refusal).await;
        [first, gateway.admit(hello).await.1]
    });
    opened.unwrap();
    let shown = params.map(|params| {
        proven(&params);
        let auth = params.auth.unwrap();
        [auth.token, auth.device_token]
            .map(|secret| secret.map(|secret| secret.expose().to_owned()))
    });
    let minted = Some("minted".to_owned());
    assert_eq!(shown, [[None, minted.clone()], [minted, None]]);
}

#[tokio::test]
async fn t95_the_gateways_time_is_signed_so_that_a_clock_may_be_off() {
    let gateway = Gateway::start().await;
    let connect = gateway
        .connect()
        .identity(identity(), Arc::new(Drawer::default()));
    let (opened, (_, params)) = tokio::join!(connect.open(), gateway.admit(operator()));
    opened.unwrap();
    prove(&params);
    let device = params.device.unwrap();
    assert_eq!((device.signed_at, device.nonce.as_str()), (TS, NONCE));
}

#[tokio::test]
async fn without_an_identity_no_device_is_named() {
    let gateway = Gateway::start().await;
    let connect = gateway
        .connect()
        .token("shared".into())
        .scopes([scope("operator.pairing")].into_iter().collect());
    let (opened, (peer, params)) = tokio::join!(connect.open(), gateway.admit(operator()));
    opened.unwrap();
    assert_eq!(params.device, None);
    assert_eq!(params.scopes(), ["operator.pairing"]);
    for header in [
        "origin",
        "user-agent",
        "authorization",
        "cookie",
        "sec-websocket-protocol",
    ] {
        assert!(!peer.headers.contains_key(header), "{header}");
    }
    assert_eq!(peer.headers["host"], gateway.address().to_string());
}

#[tokio::test]
async fn the_token_of_a_hello_is_stored_before_the_connection_is_handed_out() {
    let gateway = Gateway::start().await;
    let drawer = Arc::new(Drawer::default());
    let connect = gateway
        .connect()
        .identity(identity(), drawer.clone())
        .role(Role::Node);
    let hello_ok = hello(Role::Node, Some("minted"));
    let (opened, _) = tokio::join!(connect.open(), gateway.admit(hello_ok));
    opened.unwrap();
    assert_eq!(drawer.token(Role::Node).as_deref(), Some("minted"));

    // A `hello-ok` without a token leaves the stored one in place.
    let (opened, _) = tokio::join!(connect.open(), gateway.admit(hello(Role::Node, None)));
    opened.unwrap();
    assert_eq!(drawer.token(Role::Node).as_deref(), Some("minted"));
    assert_eq!(drawer.token(Role::Operator), None);
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_is_said() {
    let gateway = Gateway::start().await;
    let drawer = Drawer {
        full: true,
        ..Drawer::default()
    };
    let connect = gateway.connect().identity(identity(), Arc::new(drawer));
    let error = failing(
        &connect,
        gateway.admit(hello(Role::Operator, Some("minted"))),
    )
    .await;
    assert!(matches!(error, ConnectError::Keep(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("minted"));
}

#[tokio::test]
async fn frames_may_be_binary_and_others_may_come_before_the_challenge() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    let script = async {
        let mut peer = gateway.accept().await;
        peer.event("tick", json!({ "ts": 1 })).await;
        peer.send(Message::Ping("x".into())).await;
        peer.send(r#"{"type":"something new"}"#).await;
        let challenge = json!({ "type": "event", "event": "connect.challenge",
            "payload": { "nonce": NONCE, "ts": TS } });
        peer.send(Message::binary(challenge.to_string())).await;
        let pong = peer.message().await.unwrap();
        assert!(pong.is_pong(), "{pong:?}");
        let (id, _) = peer.connect().await;
        peer.answer("another's", json!({})).await;
        peer.answer(&id, operator()).await;
        peer
    };
    let (opened, _) = tokio::join!(connect.open(), script);
    opened.unwrap();
}

#[tokio::test]
async fn a_request_that_waits_is_named_with_what_to_do() {
    let gateway = Gateway::start().await;
    let connect = gateway
        .connect()
        .identity(identity(), Arc::new(Drawer::default()));
    let request = RequestId::parse("5d252984-4a7d-44a8-bbab-70c72575c383").unwrap();
    let refusal = Refusal::PairingRequired {
        reason: UpgradeReason::NotPaired,
        request: request.clone(),
    };
    let error = failing(&connect, gateway.refuse(&refusal)).await;
    assert_eq!(error.request_id(), Some(request.as_str()));
    assert!(!error.is_final());
    let advice = error.advice().unwrap();
    assert!(
        advice.contains(&format!("openclaw devices approve {}", request.as_str())),
        "{advice}"
    );
    let ConnectError::Refused(refused) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refused.close_code, Some(1008));
    assert_eq!(refused.details.reason.as_deref(), Some("not-paired"));
}

#[tokio::test]
async fn a_common_version_is_needed() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    let error = failing(&connect, gateway.refuse(&Refusal::Protocol)).await;
    assert!(error.is_final());
    assert_eq!(error.to_string(), "protocol mismatch");

    let mut newer = operator();
    newer["protocol"] = 5.into();
    let error = failing(&connect, gateway.admit(newer)).await;
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_gateway_is_found_out() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    for (said, kind) in [
        ("hello", "frames"),
        (
            r#"{"type":"event","event":"connect.challenge"}"#,
            "challenge",
        ),
    ] {
        let script = async {
            let mut peer = gateway.accept().await;
            peer.send(said).await;
            peer
        };
        let error = failing(&connect, script).await;
        assert!(error.to_string().contains(kind), "{error}");
    }
    // With an empty nonce, anybody could replay the signature.
    let script = async {
        let mut peer = gateway.accept().await;
        peer.event("connect.challenge", json!({ "nonce": "", "ts": TS }))
            .await;
        peer
    };
    let error = failing(&connect, script).await;
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error:?}");
    for wrong in [json!({}), hello(Role::Node, None)] {
        let error = failing(&connect, gateway.admit(wrong)).await;
        assert!(matches!(error, ConnectError::Protocol { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_closes_at_once_is_quoted() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    let script = async {
        let mut peer = gateway.accept().await;
        peer.close(1013, "full\u{1b}[2J").await;
        peer
    };
    let error = failing(&connect, script).await;
    assert_eq!(
        error.to_string(),
        r"the gateway closed the connection: full\u{1b}[2J (code 1013)"
    );
    let error = failing(&connect, async { drop(gateway.accept().await) }).await;
    assert!(
        matches!(&error, ConnectError::Closed(closed) if closed.code == 1006),
        "{error:?}"
    );
}

#[tokio::test]
async fn another_server_is_quoted_safely() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    let script = async {
        let (mut stream, _) = gateway.listener.accept().await.unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 8\r\n\r\nno\x1b[2J!!";
        stream.write_all(answer).await.unwrap();
        stream
    };
    let error = failing(&connect, script).await;
    assert_eq!(
        error.to_string(),
        r"the gateway answered HTTP 403: no\u{1b}[2J!!"
    );
}

#[tokio::test]
async fn nobody_there_is_said() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect();
    drop(gateway);
    let error = connect.open().await.err().unwrap();
    assert!(matches!(error, ConnectError::Io(_)), "{error:?}");
    assert!(error.advice().is_some());
}

#[tokio::test]
async fn a_silent_gateway_costs_the_timeout_and_no_more() {
    let gateway = Gateway::start().await;
    let connect = gateway.connect().timeout(Duration::from_secs(15));
    for step in ["accepts", "upgrades", "challenges"] {
        let opening = tokio::spawn({
            let connect = connect.clone();
            async move { connect.open().await.err() }
        });
        let mut kept = (None, None);
        if step == "accepts" {
            kept.0 = Some(gateway.listener.accept().await.unwrap());
        } else {
            let mut peer = gateway.accept().await;
            if step == "challenges" {
                peer.challenge().await;
                peer.connect().await;
            }
            kept.1 = Some(peer);
        }
        tokio::time::pause();
        let error = opening.await.unwrap().unwrap();
        tokio::time::resume();
        assert!(
            matches!(error, ConnectError::Timeout(limit) if limit.as_secs() == 15),
            "{step}: {error:?}"
        );
        drop(kept);
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let gateway = Gateway::start().await;
    let connect = gateway
        .connect()
        .identity(identity(), Arc::new(Drawer::default()))
        .token("a|b".into());
    let script = async {
        let mut peer = gateway.accept().await;
        peer.challenge().await;
        assert!(peer.message().await.is_none());
    };
    let error = failing(&connect, script).await;
    assert!(
        matches!(error, ConnectError::Malformed { field: "auth", .. }),
        "{error:?}"
    );
    assert!(error.is_final());
}

#[tokio::test]
async fn no_secret_is_in_what_can_be_printed() {
    let gateway = Gateway::start().await;
    let connect = gateway
        .connect()
        .identity(identity(), Drawer::holding(Role::Operator, "hunter2"))
        .token("hunter2".into())
        .password("hunter2".into());
    let refusal = Refusal::Auth(AuthFailure::RateLimited {
        retry_after: Duration::from_secs(9),
    });
    let error = failing(&connect, gateway.refuse(&refusal)).await;
    let refused = format!("{connect:?} {error:?} {error} {:?}", error.advice());
    let (client, events, _peer) = connected(hello(Role::Operator, Some("hunter2"))).await;
    let opened = format!("{client:?} {events:?} {:?}", client.hello());
    for shown in [refused, opened] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
