//! More scopes for a device that is connected, and what becomes of a setup code.

use openclaw_gateway::GatewayBuilder;
use pairing_core::Approver;
use pairing_core::device::{RequestId, SetupProfile};
use pairing_fs::StateDir;
use serde_json::{Value, json};

use crate::support::{
    Running, node_params, operator_params, settings, start, start_on, start_with,
};
use crate::talk::{Talk, revoked};

const READS: &[&str] = &["operator.read"];

async fn asks(talk: &mut Talk, scopes: &[&str]) -> String {
    let asked = talk
        .call("device.scopes.requestUpgrade", json!({ "scopes": scopes }))
        .await
        .unwrap();
    asked["requestId"].as_str().unwrap().to_owned()
}

fn pending(gateway: &Running) -> Vec<String> {
    let owner = Approver::terminal("ann");
    let pending = gateway.pairing.devices().list(&owner).unwrap().pending;
    pending
        .iter()
        .map(|request| request.id.to_string())
        .collect()
}

#[tokio::test]
async fn more_scopes_are_asked_for_while_the_connection_goes_on() {
    let gateway = start().await;
    let (device, other) = (gateway.device(), gateway.device());
    let mut talk = gateway.operator_device(&device, READS).await;
    let wanted = ["operator.read", "operator.write"];
    let id = asks(&mut talk, &wanted).await;
    assert_eq!(pending(&gateway), std::slice::from_ref(&id));
    // The same again is the same request, and nothing has changed yet.
    assert_eq!(asks(&mut talk, &wanted).await, id);
    assert!(
        talk.refused("node.invoke", json!({}))
            .await
            .contains("missing scope")
    );
    // Nobody else can wait for it.
    let mut stranger = gateway.operator_device(&other, READS).await;
    let wait = json!({ "requestId": id });
    let told = stranger
        .refused("device.scopes.waitUpgrade", wait.clone())
        .await;
    assert_eq!(told, "INVALID_REQUEST scope upgrade expired or not found");

    let waiting = talk.send("device.scopes.waitUpgrade", wait).await;
    gateway.approve(&id);
    let approved = talk.answer(&waiting).await.unwrap();
    assert_eq!(approved["status"], "approved", "{approved}");
    assert_eq!(approved["requestId"], json!(id));
    assert_eq!(approved["scopes"], json!(wanted));
    // The former token has ended, and its connection after the answer.
    assert_eq!(talk.closed().await, revoked());
    let token = approved["deviceToken"].as_str().unwrap();
    let mut params = operator_params();
    params["scopes"] = json!(wanted);
    params["auth"] = json!({ "token": token });
    let hello = gateway.enter(&device, params).await.hello;
    assert_eq!(hello["auth"]["scopes"], json!(wanted));
    assert_eq!(hello["auth"]["deviceToken"], Value::Null, "it has it");
    gateway.stop().await;
}

#[tokio::test]
async fn a_decision_before_the_wait_is_told_and_so_is_a_rejection() {
    let gateway = start().await;
    let device = gateway.device();
    let mut talk = gateway.operator_device(&device, READS).await;
    let id = asks(&mut talk, &["operator.read", "operator.write"]).await;
    let owner = Approver::terminal("ann");
    let request = RequestId::parse(&id).unwrap();
    gateway.pairing.devices().reject(&request, &owner).unwrap();
    let told = talk
        .call("device.scopes.waitUpgrade", json!({ "requestId": id }))
        .await;
    assert_eq!(told, Ok(json!({ "status": "rejected", "requestId": id })));

    let id = asks(&mut talk, &["operator.read", "operator.approvals"]).await;
    let waiting = talk
        .send("device.scopes.waitUpgrade", json!({ "requestId": id }))
        .await;
    gateway.pass(6 * 60);
    let told = talk.answer(&waiting).await;
    assert_eq!(told, Ok(json!({ "status": "expired", "requestId": id })));

    // Approved before anybody waited: the token is delivered all the same.
    let id = asks(&mut talk, &["operator.read", "operator.talk"]).await;
    gateway.approve(&id);
    let told = talk
        .call("device.scopes.waitUpgrade", json!({ "requestId": id }))
        .await
        .unwrap();
    assert_eq!(told["scopes"], json!(["operator.read", "operator.talk"]));
    gateway.stop().await;
}

#[tokio::test]
async fn only_a_paired_device_asks_and_for_no_less_than_it_has() {
    let gateway = start().await;
    let method = "device.scopes.requestUpgrade";
    let scopes = json!({ "scopes": ["operator.read"] });
    let mut admin = gateway.admin().await;
    assert_eq!(
        admin.refused(method, scopes.clone()).await,
        "INVALID_REQUEST only a paired device may ask for more scopes"
    );
    let device = gateway.device();
    let has = &["operator.read", "operator.write"];
    let mut talk = gateway.operator_device(&device, has).await;
    for (params, detail) in [
        (scopes, "the scopes of this connection must be among them"),
        (json!({ "scopes": [] }), "from 1 to 32 scopes are required"),
        (
            json!({ "scopes": vec!["operator.read"; 33] }),
            "from 1 to 32 scopes are required",
        ),
        (
            json!({ "scopes": ["root"] }),
            "a scope is `operator.` and a name",
        ),
    ] {
        let told = talk.refused(method, params).await;
        assert!(told.contains(detail), "{told}");
    }
    assert_eq!(pending(&gateway), Vec::<String>::new());
    gateway.stop().await;
}

#[tokio::test]
async fn an_owner_is_told_when_a_setup_code_has_led_a_device_in() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let params = json!({
        "publicUrl": "wss://gw.example.org", "bootstrapProfile": "node", "includeQr": false,
    });
    let issued = admin.call("device.pair.setupCode", params).await.unwrap();
    assert_eq!(issued["setupId"], issued["setupCodeId"]);
    assert_eq!(issued["access"], "node");
    assert_eq!(issued["auth"], "token");
    assert_eq!(issued["urlSource"], "request.publicUrl");
    let id = json!({ "setupId": issued["setupId"] });
    let code = issued["setupCode"].as_str().unwrap();
    let token = gateway_protocol::SetupCode::decode(code).unwrap().token;

    let status = "device.pair.setupStatus";
    assert_eq!(admin.call(status, id.clone()).await, Ok(json!({})));
    let device = gateway.device();
    let mut params = node_params();
    params["auth"] = json!({ "bootstrapToken": token.expose() });
    let asked = gateway
        .raw()
        .await
        .connect_as(&device, &gateway, params.clone())
        .await;
    assert_eq!(admin.call(status, id.clone()).await, Ok(json!({})));
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    assert_eq!(admin.call(status, id.clone()).await, Ok(json!({})));

    let _node = gateway.enter(&device, params.clone()).await;
    let completed = admin.event("device.pair.setup.completed").await;
    assert_eq!(completed["setupId"], id["setupId"], "{completed}");
    assert_eq!(completed["deviceId"], json!(device.id()));
    assert_eq!(completed["access"], "node");
    assert!(!completed.to_string().contains(token.expose()));
    let told = admin.call(status, id.clone()).await;
    assert_eq!(told, Ok(json!({ "completion": completed })));

    // Another gateway on the same state knows it from the records.
    let second = start_on(
        gateway.pairing.clone(),
        gateway.clock.clone(),
        2.into(),
        settings(""),
        |builder| builder,
    )
    .await;
    let elsewhere = second.admin().await.call(status, id).await.unwrap();
    assert_eq!(elsewhere["completion"]["deviceId"], json!(device.id()));
    second.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_device_that_is_spoken_to_asks_to_read_and_to_talk() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let params = json!({ "url": "wss://gw.example.org", "profile": "voice-node" });
    let issued = admin.call("device.pair.setupCode", params).await.unwrap();
    assert_eq!(issued["roles"], json!(["operator", "node"]));
    assert_eq!(issued["scopes"], json!(["operator.read", "operator.talk"]));
    assert_eq!(issued["access"], "limited");
    let tokens = gateway.pairing.devices().pairing_tokens().unwrap();
    assert_eq!(tokens[0].profile, SetupProfile::Voice);
    gateway.stop().await;
}

#[tokio::test]
async fn the_gateways_own_identity_is_told_without_its_private_half() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path());
    let with = |builder: GatewayBuilder| builder.identity(&state);
    let gateway = start_with(settings(""), with).await;
    let mut reader = gateway.asks(READS).await;
    let method = "gateway.identity.get";
    let told = reader.call(method, json!({})).await.unwrap();
    let stored = pairing_fs::IdentityDir::new(&state)
        .load()
        .unwrap()
        .unwrap();
    assert_eq!(
        told,
        json!({ "deviceId": stored.id().to_string(), "publicKey": stored.key().to_base64url() })
    );
    // It is made once.
    assert_eq!(reader.call(method, json!({})).await, Ok(told));
    gateway.stop().await;
}

#[tokio::test]
async fn a_node_that_asks_for_a_plugins_surface_is_answered_and_goes_on() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["device.info"]).await;
    let method = "node.pluginSurface.refresh";
    assert_eq!(
        node.refused(method, json!({ "surface": "canvas" })).await,
        "UNAVAILABLE canvas plugin surface unavailable"
    );
    let told = node.call("node.pending.pull", json!({})).await.unwrap();
    assert_eq!(told["actions"], json!([]));
    gateway.stop().await;
}
