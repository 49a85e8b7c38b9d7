//! Who may ask for what, and what becomes of what nobody may.

use serde_json::json;

use crate::shown::shown;
use crate::support::start;
use crate::talk::{ADMIN, Talk};

/// Every method but those of nodes, with the scope that it takes.
const OPERATORS: [(&str, &str); 55] = [
    ("channels.login.end", "operator.admin"),
    ("channels.login.start", "operator.admin"),
    ("channels.login.wait", "operator.admin"),
    ("channels.logout", "operator.admin"),
    ("channels.status", "operator.read"),
    ("pairing.channels", "operator.read"),
    ("channels.pairing.approve", "operator.pairing"),
    ("channels.pairing.dismiss", "operator.pairing"),
    ("channels.pairing.list", "operator.pairing"),
    ("dashboard.link", "operator.admin"),
    ("device.pair.approve", "operator.pairing"),
    ("device.pair.list", "operator.pairing"),
    ("device.pair.reject", "operator.pairing"),
    ("device.pair.remove", "operator.pairing"),
    ("device.pair.rename", "operator.pairing"),
    ("device.pair.setupCode", "operator.pairing"),
    ("device.pair.setupCode.end", "operator.pairing"),
    ("device.pair.setupStatus", "operator.admin"),
    ("device.scopes.requestUpgrade", "operator.read"),
    ("device.scopes.waitUpgrade", "operator.read"),
    ("device.token.revoke", "operator.pairing"),
    ("device.token.rotate", "operator.pairing"),
    ("health", "operator.read"),
    ("node.describe", "operator.read"),
    ("node.invoke", "operator.write"),
    ("node.list", "operator.read"),
    ("node.pair.approve", "operator.pairing"),
    ("node.pair.list", "operator.pairing"),
    ("node.pair.reject", "operator.pairing"),
    ("node.pair.remove", "operator.pairing"),
    ("node.pair.request", "operator.pairing"),
    ("node.pair.verify", "operator.pairing"),
    ("node.rename", "operator.pairing"),
    ("pairing.allow", "operator.pairing"),
    ("pairing.allowed", "operator.pairing"),
    ("pairing.approve", "operator.pairing"),
    ("pairing.invite", "operator.pairing"),
    ("pairing.invite.end", "operator.pairing"),
    ("pairing.invite.list", "operator.pairing"),
    ("pairing.list", "operator.pairing"),
    ("pairing.reject", "operator.pairing"),
    ("pairing.revoke", "operator.pairing"),
    ("status", "operator.read"),
    ("system-presence", "operator.read"),
    // Those of nodes.
    ("node.event", ""),
    ("node.invoke.progress", ""),
    ("node.invoke.result", ""),
    ("node.pending.ack", ""),
    ("node.pending.drain", ""),
    ("node.pending.pull", ""),
    ("node.pluginSurface.refresh", ""),
    ("node.pluginTools.update", ""),
    ("node.runnerInventory.update", ""),
    ("node.skills.update", ""),
    ("skills.bins", ""),
];

#[tokio::test]
async fn features_are_what_there_is() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let methods = admin.hello["features"]["methods"]
        .as_array()
        .unwrap()
        .clone();
    let mut expected: Vec<_> = OPERATORS.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(json!(methods), json!(expected));
    for method in methods {
        let method = method.as_str().unwrap();
        if let Err(error) = admin.call(method, json!({ "no such": 1 })).await {
            let message = error["message"].as_str().unwrap();
            assert!(
                !message.starts_with("unknown method"),
                "{method}: {message}"
            );
        }
    }
    assert_eq!(
        admin.hello["features"]["events"],
        json!([
            "connect.challenge",
            "tick",
            "presence",
            "shutdown",
            "device.pair.requested",
            "device.pair.changed",
            "device.pair.resolved",
            "device.pair.setup.completed",
            "device.pair.setup.deliveryUncertain",
            "node.pair.requested",
            "node.pair.resolved",
            "pairing.requested",
            "pairing.resolved",
            "pairing.changed",
            "node.invoke.request",
            "message.inbound"
        ])
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_unknown_is_answered_and_the_connection_goes_on() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    for (method, told) in [
        ("no.such", "INVALID_REQUEST unknown method: no.such"),
        ("Health", "INVALID_REQUEST unknown method: Health"),
        ("connect", "INVALID_REQUEST unknown method: connect"),
        ("", "INVALID_REQUEST unknown method: "),
    ] {
        if method.is_empty() {
            continue;
        }
        assert_eq!(admin.refused(method, json!({})).await, told);
    }
    let long = "x".repeat(10_000);
    let told = admin.refused(&long, json!({})).await;
    assert_eq!(told.len(), "INVALID_REQUEST unknown method: ".len() + 128);
    assert_eq!(admin.call("health", json!({})).await.unwrap()["ok"], true);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_the_connection_goes_on() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    for (frame, id) in [
        ("not json", "invalid"),
        ("[]", "invalid"),
        (r#"{"type":"event","event":"tick"}"#, "invalid"),
        (r#"{"type":"req","id":"7"}"#, "7"),
        (r#"{"type":"req","id":"8","method":7}"#, "8"),
        (r#"{"type":"req","method":"health"}"#, "invalid"),
    ] {
        admin.raw.send(frame).await;
        let error = admin.answer(id).await.unwrap_err();
        assert_eq!(error["code"], "INVALID_REQUEST", "{frame}");
    }
    assert_eq!(admin.call("health", json!({})).await.unwrap()["ok"], true);
    gateway.stop().await;
}

#[tokio::test]
async fn a_missing_scope_is_named_and_only_that_scope_helps() {
    let gateway = start().await;
    let mut readers: Vec<(&str, Talk)> = Vec::new();
    for scope in [
        "operator.read",
        "operator.write",
        "operator.pairing",
        "operator.approvals",
    ] {
        readers.push((scope, gateway.asks(&[scope]).await));
    }
    for (method, needed) in OPERATORS.iter().filter(|(_, scope)| !scope.is_empty()) {
        for (has, reader) in &mut readers {
            let implied = (*has, *needed) == ("operator.write", "operator.read");
            let answer = reader.call(method, json!({ "no such": 1 })).await;
            let message = match &answer {
                Ok(_) => "",
                Err(error) => error["message"].as_str().unwrap(),
            };
            let missing = format!("missing scope: {needed}");
            assert_eq!(
                message == missing,
                has != needed && !implied,
                "{has} {method} {message}"
            );
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_node_and_an_operator_have_methods_of_their_own() {
    let gateway = start().await;
    let mut node = gateway.node_device(&gateway.device(), &[]).await;
    let mut admin = gateway.admin().await;
    for (method, scope) in OPERATORS {
        let (asker, told) = if scope.is_empty() {
            (&mut admin, "INVALID_REQUEST unauthorized role: operator")
        } else {
            (&mut node, "INVALID_REQUEST unauthorized role: node")
        };
        assert_eq!(asker.refused(method, json!({})).await, told, "{method}");
    }
    assert_eq!(
        node.call("skills.bins", json!({})).await,
        Ok(json!({ "bins": [] }))
    );
    let event = json!({ "event": "voice", "payloadJSON": "{}" });
    assert_eq!(
        node.call("node.event", event).await,
        Ok(json!({ "ok": true }))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn bad_params_are_told_by_their_field_and_never_by_their_value() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let mut told = String::new();
    for (method, params) in [
        ("device.pair.list", json!({ "hunter2": 1 })),
        ("device.pair.list", json!([])),
        ("device.pair.approve", json!({})),
        ("device.pair.approve", json!({ "requestId": ["hunter2"] })),
        ("device.pair.approve", json!({ "requestId": "" })),
        ("device.pair.reject", json!({ "requestId": 7 })),
        ("device.pair.remove", json!({ "device": "hunter2" })),
        ("device.pair.rename", json!({ "deviceId": "x", "label": 7 })),
        ("channels.pairing.list", json!({ "channel": 7 })),
        ("channels.pairing.approve", json!({ "channel": "telegram" })),
        (
            "channels.pairing.dismiss",
            json!({ "requestId": ["hunter2"] }),
        ),
        (
            "device.pair.setupCode",
            json!({ "url": "ws://hunter2.example.com" }),
        ),
        (
            "device.pair.setupCode",
            json!({ "url": "wss://a", "profile": "hunter2" }),
        ),
        ("device.pair.setupCode", json!({ "qr": "hunter2" })),
        ("device.pair.setupCode.end", json!({})),
        ("device.token.rotate", json!({ "deviceId": "x" })),
        (
            "device.token.rotate",
            json!({ "deviceId": "x", "role": "node", "scopes": [7] }),
        ),
        (
            "device.token.revoke",
            json!({ "deviceId": "x", "role": "node", "scopes": [] }),
        ),
        ("node.pair.request", json!({ "nodeId": { "hunter2": 1 } })),
        ("node.pair.request", json!({ "nodeId": "hun\nter2" })),
        (
            "node.pair.request",
            json!({ "nodeId": "a", "commands": "hunter2" }),
        ),
        (
            "node.pair.verify",
            json!({ "nodeId": "a", "token": ["hunter2"] }),
        ),
        ("node.pair.remove", json!({ "node": "hunter2" })),
        ("node.rename", json!({ "nodeId": "a" })),
        ("node.describe", json!({})),
        ("node.invoke", json!({ "nodeId": "a", "command": "b" })),
        (
            "node.invoke",
            json!({
                "nodeId": "a", "command": "b", "timeoutMs": -1, "idempotencyKey": "k",
            }),
        ),
        ("pairing.list", json!({ "channel": 7 })),
        ("pairing.list", json!({ "accountId": "" })),
        ("pairing.approve", json!({ "channel": "telegram" })),
        (
            "pairing.allow",
            json!({ "channel": "telegram", "entry": 7 }),
        ),
    ] {
        told += &format!("{method}: {}\n", admin.refused(method, params).await);
    }
    assert!(
        !told.contains("hunter2.example") && !told.contains("\"hunter2\""),
        "{told}"
    );
    insta::assert_snapshot!("bad-params", told);
    gateway.stop().await;
}

#[tokio::test]
async fn how_the_gateway_is() {
    let gateway = start().await;
    let mut admin = gateway.asks(ADMIN).await;
    let mut told = String::new();
    for method in ["health", "status", "system-presence"] {
        let answer = admin.call(method, json!({})).await.unwrap();
        told += &format!("{method}: {}\n", shown(&answer));
    }
    insta::assert_snapshot!("system", told);
    gateway.stop().await;
}
