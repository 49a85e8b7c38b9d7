//! `device.pair.*` and `device.token.*`: their answers, and which callers get them.

use serde_json::json;

use crate::shown::shown;
use crate::support::start;
use crate::talk::revoked;

/// A device that may decide about pairing, and is not admin.
const KEEPER: &[&str] = &["operator.pairing", "operator.read"];

#[tokio::test]
async fn a_node_is_listed_approved_renamed_rotated_revoked_and_removed() {
    let gateway = start().await;
    let device = gateway.device();
    let mut admin = gateway.admin().await;
    let mut told = String::new();
    let request = gateway.node_asks(&device, &["camera.snap"]).await;
    let id = device.id();
    let calls = [
        ("device.pair.list", json!({})),
        ("device.pair.approve", json!({ "requestId": request })),
        ("device.pair.approve", json!({ "requestId": request })),
        (
            "device.pair.rename",
            json!({ "deviceId": id, "displayName": " Kitchen " }),
        ),
        (
            "device.pair.rename",
            json!({ "deviceId": id, "displayName": "a\nb" }),
        ),
        (
            "device.token.rotate",
            json!({ "deviceId": id, "role": "node" }),
        ),
        (
            "device.token.rotate",
            json!({ "deviceId": id, "role": "operator" }),
        ),
        (
            "device.token.revoke",
            json!({ "deviceId": id, "role": "node" }),
        ),
        (
            "device.token.revoke",
            json!({ "deviceId": id, "role": "node" }),
        ),
        ("device.pair.list", json!({})),
        ("device.pair.remove", json!({ "deviceId": id })),
        ("device.pair.remove", json!({ "deviceId": id })),
        ("device.pair.list", json!({})),
    ];
    for (method, params) in calls {
        gateway.pass(1);
        let answer = match admin.call(method, params).await {
            Ok(answer) => shown(&answer),
            Err(error) => shown(&error),
        };
        told += &format!("{method}: {answer}\n");
    }
    insta::assert_snapshot!("device-life", told);
    gateway.stop().await;
}

#[tokio::test]
async fn a_rejected_device_has_to_ask_anew_and_the_newest_is_listed_first() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let (first, second) = (gateway.device(), gateway.device());
    let one = gateway.node_asks(&first, &[]).await;
    gateway.pass(1);
    let two = gateway.node_asks(&second, &[]).await;
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    let ids: Vec<_> = list["pending"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = ids.iter().map(|request| &request["requestId"]).collect();
    assert_eq!(ids, [&json!(two), &json!(one)]);
    let answer = admin
        .call("device.pair.reject", json!({ "requestId": one }))
        .await;
    assert_eq!(
        answer,
        Ok(json!({ "requestId": one, "deviceId": first.id() }))
    );
    assert_eq!(
        admin
            .refused("device.pair.reject", json!({ "requestId": one }))
            .await,
        "INVALID_REQUEST unknown requestId"
    );
    assert_ne!(gateway.node_asks(&first, &[]).await, one);
    gateway.stop().await;
}

#[tokio::test]
async fn t8_t14_a_device_that_is_not_admin_sees_and_acts_on_itself_alone_over_the_wire() {
    let gateway = start().await;
    let (own, other, third) = (gateway.device(), gateway.device(), gateway.device());
    let mut keeper = gateway.operator_device(&own, KEEPER).await;
    gateway.operator_device(&other, KEEPER).await;
    let request = gateway.node_asks(&third, &[]).await;
    let mine = gateway
        .operator_asks(&own, &["operator.read", "operator.write"])
        .await;

    let list = keeper.call("device.pair.list", json!({})).await.unwrap();
    let ids = |list: &serde_json::Value| -> Vec<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|entry| entry["deviceId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&list["pending"]), [own.id()]);
    assert_eq!(ids(&list["paired"]), [own.id()]);

    let nobody = "0".repeat(64);
    let no_request = "00000000-0000-4000-8000-000000000000";
    let (foreign, unknown) = (other.id(), nobody.as_str());
    for (method, foreign, unknown) in [
        (
            "device.pair.approve",
            json!({ "requestId": request }),
            json!({ "requestId": no_request }),
        ),
        (
            "device.pair.reject",
            json!({ "requestId": request }),
            json!({ "requestId": no_request }),
        ),
        (
            "device.pair.remove",
            json!({ "deviceId": foreign }),
            json!({ "deviceId": unknown }),
        ),
        (
            "device.pair.rename",
            json!({ "deviceId": foreign, "displayName": "x" }),
            json!({ "deviceId": unknown, "displayName": "x" }),
        ),
        (
            "device.token.rotate",
            json!({ "deviceId": foreign, "role": "operator" }),
            json!({ "deviceId": unknown, "role": "operator" }),
        ),
        (
            "device.token.revoke",
            json!({ "deviceId": foreign, "role": "operator" }),
            json!({ "deviceId": unknown, "role": "operator" }),
        ),
        (
            "node.rename",
            json!({ "nodeId": foreign, "displayName": "x" }),
            json!({ "nodeId": unknown, "displayName": "x" }),
        ),
    ] {
        let foreign = keeper.call(method, foreign).await.unwrap_err();
        let unknown = keeper.call(method, unknown).await.unwrap_err();
        assert_eq!(foreign, unknown, "{method}");
    }
    // What is its own it may decide, as far as its scopes go.
    assert_eq!(
        keeper
            .refused("device.pair.approve", json!({ "requestId": mine }))
            .await,
        "INVALID_REQUEST device pairing approval denied: missing scope: operator.admin"
    );
    keeper
        .call("device.pair.reject", json!({ "requestId": mine }))
        .await
        .unwrap();
    let answer = keeper
        .call("device.pair.remove", json!({ "deviceId": own.id() }))
        .await;
    assert_eq!(answer, Ok(json!({ "deviceId": own.id() })));
    assert_eq!(keeper.closed().await, revoked());
    gateway.stop().await;
}

#[tokio::test]
async fn t11_t15_nobody_approves_over_the_wire_what_they_could_not_deal_out() {
    let gateway = start().await;
    let (node, phone) = (gateway.device(), gateway.device());
    gateway.operator_device(&phone, &["operator.read"]).await;
    let as_node = gateway.node_asks(&node, &[]).await;
    let more = gateway
        .operator_asks(&phone, &["operator.read", "operator.write"])
        .await;
    let mut reader = gateway.asks(KEEPER).await;
    for request in [&as_node, &more] {
        assert_eq!(
            reader
                .refused("device.pair.approve", json!({ "requestId": request }))
                .await,
            "INVALID_REQUEST device pairing approval denied: missing scope: operator.admin"
        );
    }
    let mut writer = gateway.asks(&["operator.pairing", "operator.write"]).await;
    assert_eq!(
        writer
            .refused("device.pair.approve", json!({ "requestId": as_node }))
            .await,
        "INVALID_REQUEST device pairing approval denied: missing scope: operator.admin"
    );
    let approved = writer
        .call("device.pair.approve", json!({ "requestId": more }))
        .await
        .unwrap();
    assert_eq!(
        approved["device"]["scopes"],
        json!(["operator.read", "operator.write"])
    );
    assert_eq!(
        writer
            .refused(
                "device.token.revoke",
                json!({ "deviceId": node.id(), "role": "node" })
            )
            .await,
        "INVALID_REQUEST unknown deviceId/role"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_setup_code_lets_ask_and_says_what_for() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let url = "wss://gateway.example.com/path";
    let answer = admin
        .call("device.pair.setupCode", json!({ "url": url }))
        .await
        .unwrap();
    insta::assert_snapshot!("setup-code", shown(&answer));
    let code = gateway_protocol::SetupCode::decode(answer["setupCode"].as_str().unwrap()).unwrap();
    assert_eq!(code.url.to_string(), url);
    // Nobody hands out more than they hold.
    let mut keeper = gateway.asks(KEEPER).await;
    assert_eq!(
        keeper
            .refused(
                "device.pair.setupCode",
                json!({ "url": url, "profile": "node" })
            )
            .await,
        "INVALID_REQUEST missing scope: operator.admin"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t20_an_id_that_names_no_request_approves_nothing() {
    let gateway = start().await;
    let request = gateway.node_asks(&gateway.device(), &[]).await;
    let mut admin = gateway.admin().await;
    for id in ["latest", "", &request[..8], &request.to_uppercase()] {
        let refused = admin
            .refused("device.pair.approve", json!({ "requestId": id }))
            .await;
        assert!(refused.starts_with("INVALID_REQUEST"), "{id}: {refused}");
    }
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(list["pending"][0]["requestId"], request.as_str());
    assert_eq!(list["paired"], json!([]));
    gateway.stop().await;
}

#[tokio::test]
async fn a_device_that_is_connected_shows_since_when() {
    let gateway = start().await;
    let device = gateway.device();
    let mut admin = gateway.admin().await;
    let first = gateway.node_device(&device, &[]).await;
    gateway.pass(5);
    let at = gateway.pairing.now().as_millis();
    let second = gateway.node_device(&device, &[]).await;
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(list["paired"][0]["connectedAtMs"], at);
    drop((first, second));
    while admin.call("status", json!({})).await.unwrap()["connections"] != 1 {
        admin.event("presence").await;
    }
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(list["paired"][0].get("connectedAtMs"), None);
    gateway.stop().await;
}
