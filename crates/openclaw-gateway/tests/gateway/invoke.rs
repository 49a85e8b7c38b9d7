//! `node.invoke`: asked, answered, and everything that may come between.

use serde_json::{Value, json};

use crate::shown::shown;
use crate::support::{Device, settings, start, start_with};
use crate::talk::Talk;

pub(crate) fn ask(device: &Device, command: &str) -> Value {
    json!({ "nodeId": device.id(), "command": command, "idempotencyKey": "k" })
}

pub(crate) async fn answer(node: &mut Talk, request: &Value, result: Value) -> Value {
    let mut params = json!({ "id": request["id"], "nodeId": request["nodeId"], "ok": true });
    for (name, value) in result.as_object().unwrap() {
        params[name] = value.clone();
    }
    node.call("node.invoke.result", params).await.unwrap()
}

/// Why a call failed, for programs.
async fn failed(admin: &mut Talk, id: &str) -> Value {
    let error = admin.answer(id).await.unwrap_err();
    assert_eq!(error["code"], "UNAVAILABLE", "{error}");
    error["details"]["code"].clone()
}

#[tokio::test]
async fn a_node_is_asked_and_its_answer_handed_on() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["camera.snap"]).await;
    let mut writer = gateway.asks(&["operator.write"]).await;
    let mut params = ask(&device, "camera.snap");
    params["params"] = json!({ "facing": "front", "n": [1, 2] });
    params["timeoutMs"] = json!(5000);
    let id = writer.send("node.invoke", params).await;
    let request = node.event("node.invoke.request").await;
    let done = answer(&mut node, &request, json!({ "payload": { "width": 3 } })).await;
    assert_eq!(done, json!({ "ok": true }));
    let told = [shown(&request), shown(&writer.answer(&id).await.unwrap())];
    insta::assert_snapshot!("invoke", told.join("\n"));

    let id = writer
        .send("node.invoke", ask(&device, "camera.snap"))
        .await;
    let request = node.event("node.invoke.request").await;
    assert_eq!(request["paramsJSON"], json!(null));
    assert_eq!(request["timeoutMs"], 30_000);
    answer(&mut node, &request, json!({ "payloadJSON": "{\"a\":1}" })).await;
    assert_eq!(
        writer.answer(&id).await.unwrap()["payloadJSON"],
        "{\"a\":1}"
    );

    let id = writer
        .send("node.invoke", ask(&device, "camera.snap"))
        .await;
    let request = node.event("node.invoke.request").await;
    let error = json!({ "ok": false, "error": { "code": "NO_CAMERA", "message": "no camera" } });
    answer(&mut node, &request, error).await;
    insta::assert_snapshot!(
        "invoke-failed",
        shown(&writer.answer(&id).await.unwrap_err())
    );
    gateway.stop().await;
}

#[tokio::test]
async fn several_are_under_way_at_once_and_answered_out_of_order() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let mut asked = Vec::new();
    for n in 0..8 {
        let mut params = ask(&device, "ping");
        params["params"] = json!(n);
        let id = admin.send("node.invoke", params).await;
        asked.push((id, node.event("node.invoke.request").await));
    }
    for (id, request) in asked.iter().rev() {
        let text = request["paramsJSON"].as_str().unwrap();
        answer(&mut node, request, json!({ "payload": text })).await;
        let answer = admin.answer(id).await.unwrap();
        assert_eq!(answer["payload"], text);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_too_late_is_ignored() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let mut params = ask(&device, "ping");
    params["timeoutMs"] = json!(1);
    let id = admin.send("node.invoke", params).await;
    assert_eq!(failed(&mut admin, &id).await, "TIMEOUT");
    let request = node.event("node.invoke.request").await;
    assert_eq!(request["timeoutMs"], 1);
    let done = answer(&mut node, &request, json!({})).await;
    assert_eq!(done, json!({ "ok": true, "ignored": true }));
    admin.call("health", json!({})).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn a_node_that_goes_meanwhile_is_not_waited_for() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let id = admin.send("node.invoke", ask(&device, "ping")).await;
    node.event("node.invoke.request").await;
    drop(node);
    assert_eq!(failed(&mut admin, &id).await, "NOT_CONNECTED");
    // So is one that is removed.
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let id = admin.send("node.invoke", ask(&device, "ping")).await;
    node.event("node.invoke.request").await;
    let owner = pairing_core::Approver::terminal("ann");
    gateway
        .pairing
        .devices()
        .remove(device.identity.id(), &owner)
        .unwrap();
    assert_eq!(failed(&mut admin, &id).await, "NOT_CONNECTED");
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_else_answers_for_a_node() {
    let gateway = start().await;
    let (device, other) = (gateway.device(), gateway.device());
    let mut elder = gateway.node_device(&device, &["ping"]).await;
    let mut node = gateway.node_device(&device, &["ping"]).await;
    let mut liar = gateway.node_device(&other, &["ping"]).await;
    let mut admin = gateway.admin().await;
    let id = admin.send("node.invoke", ask(&device, "ping")).await;
    let request = node.event("node.invoke.request").await;
    let lie = |node: &Device| json!({ "id": request["id"], "nodeId": node.id(), "ok": true });
    assert_eq!(
        liar.refused("node.invoke.result", lie(&device)).await,
        "INVALID_REQUEST nodeId mismatch"
    );
    let ignored = Ok(json!({ "ok": true, "ignored": true }));
    assert_eq!(liar.call("node.invoke.result", lie(&other)).await, ignored);
    // Nor another connection of the same device.
    assert_eq!(
        elder.call("node.invoke.result", lie(&device)).await,
        ignored
    );
    answer(&mut node, &request, json!({ "payload": "true" })).await;
    assert_eq!(admin.answer(&id).await.unwrap()["payload"], "true");
    gateway.stop().await;
}

#[tokio::test]
async fn t33_a_command_is_live_once_it_is_approved_and_not_before() {
    let gateway = start().await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &["ping"]).await);
    let mut node = gateway.node_device(&device, &["ping", "system.run"]).await;
    let mut admin = gateway.admin().await;
    let list = admin.call("node.list", json!({})).await.unwrap();
    assert_eq!(list["nodes"][0]["commands"], json!(["ping"]));
    for (command, reason) in [
        ("system.run", "not-approved"),
        ("camera.snap", "not-declared"),
    ] {
        let error = admin
            .call("node.invoke", ask(&device, command))
            .await
            .unwrap_err();
        assert_eq!(error["code"], "INVALID_REQUEST");
        assert_eq!(
            error["details"],
            json!({ "code": "COMMAND_NOT_ALLOWED", "reason": reason })
        );
    }
    // Approved meanwhile: live on the connection that is there.
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(
        list["pending"][0]["commands"],
        json!(["ping", "system.run"])
    );
    let request = json!({ "requestId": list["pending"][0]["requestId"] });
    admin.call("device.pair.approve", request).await.unwrap();
    let list = admin.call("node.list", json!({})).await.unwrap();
    assert_eq!(list["nodes"][0]["commands"], json!(["ping", "system.run"]));
    let id = admin.send("node.invoke", ask(&device, "system.run")).await;
    let request = node.event("node.invoke.request").await;
    assert_eq!(request["command"], "system.run");
    answer(&mut node, &request, json!({})).await;
    admin.answer(&id).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn who_is_no_connected_node_cannot_be_asked() {
    let gateway = start().await;
    let device = gateway.device();
    drop(gateway.operator_device(&device, &["operator.read"]).await);
    let mut admin = gateway.admin().await;
    for node in [device.id(), "0".repeat(64), "mac".to_owned()] {
        let params = json!({ "nodeId": node, "command": "ping", "idempotencyKey": "k" });
        let id = admin.send("node.invoke", params).await;
        assert_eq!(failed(&mut admin, &id).await, "NOT_CONNECTED", "{node}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t121_what_the_configuration_denies_is_sent_to_no_node() {
    let denied = "nodes: { commands: { deny: ['camera.snap'] } }";
    let gateway = start_with(settings(denied), |builder| builder).await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["camera.snap", "ping"]).await;
    let mut admin = gateway.admin().await;
    let error = admin
        .call("node.invoke", ask(&device, "camera.snap"))
        .await
        .unwrap_err();
    assert_eq!(error["details"]["reason"], "denied", "{error}");
    let id = admin.send("node.invoke", ask(&device, "ping")).await;
    let request = node.event("node.invoke.request").await;
    assert_eq!(request["command"], "ping", "the denied one never came");
    answer(&mut node, &request, json!({})).await;
    admin.answer(&id).await.unwrap();
    // A list that cannot be understood denies everything.
    gateway
        .handle
        .reload(settings("nodes: { denyCommands: 'ping' }"));
    let error = admin
        .call("node.invoke", ask(&device, "ping"))
        .await
        .unwrap_err();
    assert_eq!(error["details"]["reason"], "denied", "{error}");
    gateway.stop().await;
}

#[tokio::test]
async fn t113_hostile_names_are_one_value_each_in_the_log() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["ping"]).await;
    for name in test_support::HOSTILE_NAMES {
        let logs = test_support::Logs::default();
        let listening = logs.listen();
        let said = json!({ "event": name, "payloadJSON": "{}" });
        node.call("node.event", said).await.unwrap();
        drop(listening);
        let text = logs.text();
        let line = text
            .lines()
            .find(|line| line.contains("a node says that something happened"));
        let (_, said) = line.unwrap().split_once(" event=").unwrap();
        let values = test_support::values_of(&format!("event={said}"));
        assert_eq!(values[0], ("event".to_owned(), name.to_owned()), "{said}");
    }
    gateway.stop().await;
}
