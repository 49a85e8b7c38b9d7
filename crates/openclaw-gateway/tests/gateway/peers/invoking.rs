//! `node.invoke` across gateways.

use serde_json::{Value, json};

use super::{Cluster, has, until};
use crate::invoke::{answer, ask};
use crate::shown::shown;
use crate::talk::Talk;

async fn elsewhere(admin: &mut Talk, params: Value) -> Value {
    let error = admin.call("node.invoke", params).await.unwrap_err();
    assert_eq!(error["code"], "UNAVAILABLE", "{error}");
    assert_eq!(error["retryable"], true, "{error}");
    error
}

#[tokio::test]
async fn a_node_is_asked_by_way_of_its_gateway_and_all_it_says_handed_on() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let device = two.device();
    let mut node = two.node_device(&device, &["camera.snap"]).await;
    let mut writer = one.asks(&["operator.write", "operator.read"]).await;
    until(&mut writer, |all| has(all, &device.id())).await;

    let mut params = ask(&device, "camera.snap");
    params["params"] = json!({ "facing": "front", "n": [1, 2] });
    params["timeoutMs"] = json!(5000);
    let id = writer.send("node.invoke", params).await;
    let request = node.event("node.invoke.request").await;
    assert_eq!(
        (
            &request["timeoutMs"],
            &request["idempotencyKey"],
            &request["paramsJSON"]
        ),
        (
            &json!(5000),
            &json!("k"),
            &json!("{\"facing\":\"front\",\"n\":[1,2]}")
        )
    );
    answer(&mut node, &request, json!({ "payload": { "width": 3 } })).await;
    let expected = json!({
        "ok": true, "nodeId": device.id(), "command": "camera.snap", "payload": { "width": 3 },
    });
    assert_eq!(writer.answer(&id).await.unwrap(), expected);

    let id = writer
        .send("node.invoke", ask(&device, "camera.snap"))
        .await;
    let request = node.event("node.invoke.request").await;
    let error = json!({ "ok": false, "error": { "code": "NO_CAMERA", "message": "no camera" } });
    answer(&mut node, &request, error).await;
    let failed = writer.answer(&id).await.unwrap_err();
    assert_eq!(
        (
            &failed["message"],
            &failed["details"]["nodeError"]["code"],
            &failed["retryable"]
        ),
        (&json!("no camera"), &json!("NO_CAMERA"), &json!(true))
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn the_gateway_of_a_node_looks_for_itself_whether_it_may_be_asked() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let device = two.device();
    drop(two.node_device(&device, &["ping"]).await);
    let _node = two.node_device(&device, &["ping", "system.run"]).await;
    let mut admin = one.admin().await;
    until(&mut admin, |all| has(all, &device.id())).await;
    for (command, reason) in [
        ("system.run", "not-approved"),
        ("camera.snap", "not-declared"),
    ] {
        let error = admin
            .call("node.invoke", ask(&device, command))
            .await
            .unwrap_err();
        assert_eq!(error["code"], "INVALID_REQUEST");
        let details = json!({ "code": "COMMAND_NOT_ALLOWED", "reason": reason });
        assert_eq!(error["details"], details);
    }
    // Nor does it help to come by another gateway without the right to ask.
    let mut reader = one.asks(&["operator.read"]).await;
    let refused = reader.refused("node.invoke", ask(&device, "ping")).await;
    assert_eq!(refused, "INVALID_REQUEST missing scope: operator.write");
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_node_that_takes_too_long_or_goes_is_told_of_as_here() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let device = two.device();
    let mut node = two.node_device(&device, &["ping"]).await;
    let mut admin = one.admin().await;
    until(&mut admin, |all| has(all, &device.id())).await;
    let mut params = ask(&device, "ping");
    params["timeoutMs"] = json!(1);
    let error = elsewhere(&mut admin, params).await;
    assert_eq!(error["details"], json!({ "code": "TIMEOUT" }));
    node.event("node.invoke.request").await;

    let id = admin.send("node.invoke", ask(&device, "ping")).await;
    node.event("node.invoke.request").await;
    drop(node);
    let error = admin.answer(&id).await.unwrap_err();
    assert_eq!(error["details"], json!({ "code": "NOT_CONNECTED" }));
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_node_that_has_moved_on_is_not_connected_and_nobody_passes_a_call_on() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, two_id) = cluster.gateway("two").await;
    let (three, three_id) = cluster.gateway("three").await;
    let device = three.device();
    let mut node = three.node_device(&device, &["ping"]).await;
    let (mut admin, mut second) = (one.admin().await, two.admin().await);
    until(&mut second, |all| {
        has(all, &three_id) && has(all, &device.id())
    })
    .await;
    // It was at the second a moment ago, as far as the first knows.
    let forged = cluster.forged();
    let later = one.pairing.now().as_millis() + 1;
    forged.publish(&json!({}), &[(&two_id, &device, later)]);
    let at_two = |entry: &Value| entry["gateway"] == two_id.as_str();
    until(&mut admin, |all| all.iter().any(at_two)).await;
    let error = elsewhere(&mut admin, ask(&device, "ping")).await;
    assert_eq!(error["details"], json!({ "code": "NOT_CONNECTED" }));
    node.call("skills.bins", json!({})).await.unwrap();
    assert!(!node.has_event("node.invoke.request"));
    one.stop().await;
    two.stop().await;
    three.stop().await;
}

#[tokio::test]
async fn where_a_gateway_cannot_be_asked_it_is_named() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let mut admin = one.admin().await;
    let (silent, quiet) = (one.device(), one.device());
    drop(one.node_device(&silent, &["ping"]).await);
    drop(one.node_device(&quiet, &["ping"]).await);
    let later = one.pairing.now().as_millis() + 1;
    // One says nowhere where it is; another is not where it says.
    let (nowhere, gone) = (cluster.forged(), cluster.forged());
    nowhere.publish(
        &json!({ "name": "attic\u{1b}" }),
        &[(&nowhere.id, &silent, later)],
    );
    let port = {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    let url = format!("ws://127.0.0.1:{port}");
    gone.publish(&json!({ "url": url }), &[(&gone.id, &quiet, later)]);
    until(&mut admin, |all| {
        has(all, &silent.id()) && has(all, &quiet.id())
    })
    .await;
    let error = elsewhere(&mut admin, ask(&silent, "ping")).await;
    insta::assert_snapshot!("elsewhere", shown(&error));
    let error = elsewhere(&mut admin, ask(&quiet, "ping")).await;
    let gateway = json!({ "id": gone.id, "url": url });
    let details = json!({ "code": "NODE_ELSEWHERE", "gateway": gateway });
    assert_eq!(error["details"], details);
    one.stop().await;
}

#[tokio::test]
async fn more_calls_wait_at_once_than_strangers_may_from_one_address() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let device = two.device();
    let mut node = two.node_device(&device, &["ping"]).await;
    let mut admin = one.admin().await;
    until(&mut admin, |all| has(all, &device.id())).await;
    let mut asked = Vec::new();
    for count in 0..40 {
        let mut params = ask(&device, "ping");
        params["params"] = json!(count);
        let id = admin.send("node.invoke", params).await;
        asked.push((id, node.event("node.invoke.request").await));
    }
    for (id, request) in &asked {
        answer(
            &mut node,
            request,
            json!({ "payload": request["paramsJSON"] }),
        )
        .await;
        let answer = admin.answer(id).await.unwrap();
        assert_eq!(answer["payload"], request["paramsJSON"]);
    }
    one.stop().await;
    two.stop().await;
}
