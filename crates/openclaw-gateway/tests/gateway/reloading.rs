//! Settings that change while the gateway runs.

use serde_json::json;

use crate::support::{TOKEN, operator_params, settings, start};
use crate::talk::node_of;
use openclaw_config::Config;
use openclaw_gateway::{Overrides, Settings};

fn with_token(token: &str) -> Settings {
    let config = format!("{{ gateway: {{ auth: {{ token: '{token}' }} }} }}");
    let config = Config::parse(&config).unwrap();
    Settings::from_config(&config, &Overrides::default()).unwrap()
}

fn connect(token: &str) -> serde_json::Value {
    let mut params = operator_params();
    params["auth"] = json!({ "token": token });
    params
}

#[tokio::test]
async fn a_new_secret_is_the_secret_and_who_came_by_the_old_one_alone_goes() {
    let gateway = start().await;
    let mut owner = gateway.admin().await;
    let mut node = gateway.node_device(&gateway.device(), &[]).await;
    // One that has begun to come in.
    let mut halfway = gateway.raw().await;
    halfway.challenge().await;
    gateway.handle.reload(with_token("another-secret-entirely"));
    assert_eq!(
        owner.closed().await,
        json!({ "close": 1008, "reason": "the secret has changed" })
    );
    node.call("skills.bins", json!({})).await.unwrap();
    halfway.request("connect", connect(TOKEN)).await;
    assert_eq!(halfway.answer().await["ok"], false);
    let mut raw = gateway.raw().await;
    assert_eq!(raw.connect(connect(TOKEN)).await["ok"], false);
    let mut raw = gateway.raw().await;
    let answer = raw.connect(connect("another-secret-entirely")).await;
    assert_eq!(answer["ok"], true, "{answer}");
    gateway.stop().await;
}

#[tokio::test]
async fn settings_that_leave_the_secret_leave_everybody() {
    let gateway = start().await;
    let mut owner = gateway.admin().await;
    let mut changed = settings("");
    changed.limits.refused_calls = 1;
    changed.limits.max_payload = 1 << 20;
    gateway.handle.reload(changed);
    // Limits of calls go at once, those of the socket for whoever comes next.
    owner.refused("no.such", json!({})).await;
    let error = owner.call("health", json!({})).await.unwrap_err();
    assert_eq!(error["code"], "UNAVAILABLE");
    let node = gateway.device();
    let request = gateway.node_asks(&node, &[]).await;
    gateway.approve(&request);
    let node = gateway.enter(&node, node_of(&[])).await;
    assert_eq!(node.hello["policy"]["maxPayload"], 1 << 20);
    gateway.stop().await;
}

#[tokio::test]
async fn a_fault_of_the_gateway_does_not_keep_channels_and_nodes_from_changing() {
    let gateway = start().await;
    let mut owner = gateway.admin().await;
    let device = gateway.device();
    let _node = gateway.node_device(&device, &["ping"]).await;
    let config = Config::parse(
        "{ gateway: { auth: { mode: 'passkey' }, nodes: { commands: { deny: ['ping'] } } } }",
    );
    let config = config.unwrap();
    assert!(Settings::from_config(&config, &Overrides::default()).is_err());
    gateway.handle.reload_channels(config);
    let ask = json!({ "nodeId": device.id(), "command": "ping", "idempotencyKey": "k" });
    let error = owner.call("node.invoke", ask).await.unwrap_err();
    assert_eq!(error["details"]["reason"], "denied", "{error}");
    let mut raw = gateway.raw().await;
    let answer = raw.connect(connect(TOKEN)).await;
    assert_eq!(answer["ok"], true, "the secret is what it was: {answer}");
    gateway.stop().await;
}
