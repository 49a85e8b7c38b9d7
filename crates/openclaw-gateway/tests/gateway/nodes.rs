//! `node.list`, `node.describe`, `node.rename`, and the legacy store of `node.pair.*`.

use serde_json::{Value, json};

use crate::shown::shown;
use crate::support::{Running, node_params, settings, start, start_with};
use crate::talk::node_of;

async fn told(gateway: &Running, calls: &[(&str, Value)]) -> String {
    let mut admin = gateway.admin().await;
    let mut told = String::new();
    for (method, params) in calls {
        gateway.pass(1);
        let answer = match admin.call(method, params.clone()).await {
            Ok(answer) => shown(&answer),
            Err(error) => shown(&error),
        };
        told += &format!("{method}: {answer}\n");
    }
    told
}

#[tokio::test]
async fn connected_nodes_come_first_then_by_name() {
    let gateway = start().await;
    let (beta, alpha, gone) = (gateway.device(), gateway.device(), gateway.device());
    let mut params = node_of(&["camera.snap", "not.said"]);
    params["client"]["displayName"] = json!("beta");
    params["client"]["modelIdentifier"] = json!("Pi5");
    params["client"]["deviceFamily"] = json!("Pi");
    params["permissions"] = json!({ "camera": true });
    let mut raw = gateway.raw().await;
    let asked = raw.connect_as(&beta, &gateway, params.clone()).await;
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    let beta_session = gateway.enter(&beta, params).await;
    let alpha_session = gateway.node_device(&alpha, &[]).await;
    drop(gateway.node_device(&gone, &["ping"]).await);
    // Until the gateway has noticed that one has gone.
    let mut watcher = gateway.admin().await;
    while watcher.call("status", json!({})).await.unwrap()["connections"] != 3 {
        watcher.event("presence").await;
    }
    drop(watcher);
    let rename = |device: &crate::support::Device, name: &str| {
        (
            "node.rename",
            json!({ "nodeId": device.id(), "displayName": name }),
        )
    };
    let request = json!({
        "nodeId": "old-mac", "displayName": "Aardvark", "platform": "macos", "version": "1",
        "coreVersion": "2", "uiVersion": "3", "caps": ["canvas"], "commands": ["canvas.show"],
    });
    let asked = gateway
        .admin()
        .await
        .call("node.pair.request", request)
        .await
        .unwrap();
    let approve = json!({ "requestId": asked["request"]["requestId"] });
    let told = told(
        &gateway,
        &[
            ("node.pair.approve", approve),
            rename(&alpha, "Älpha"),
            rename(&gone, "aaa"),
            ("node.list", json!({})),
            ("node.describe", json!({ "nodeId": "old-mac" })),
            ("node.describe", json!({ "nodeId": "no such" })),
        ],
    )
    .await;
    insta::assert_snapshot!("nodes", told);
    drop((beta_session, alpha_session));
    gateway.stop().await;
}

#[tokio::test]
async fn who_may_only_read_sees_no_addresses() {
    let mut settings = crate::support::settings("trustedProxies: ['127.0.0.1']");
    settings.limits.drain = std::time::Duration::from_secs(10);
    let gateway = crate::support::start_with(settings, |builder| builder).await;
    let device = gateway.device();
    let connect = || async {
        let mut raw = gateway
            .raw_with(&[("x-forwarded-for", "203.0.113.9")])
            .await
            .unwrap();
        let answer = raw.connect_as(&device, &gateway, node_params()).await;
        (raw, answer)
    };
    let (_, asked) = connect().await;
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    let (_node, answer) = connect().await;
    assert_eq!(answer["ok"], true, "{answer}");
    for (scopes, address) in [
        (&["operator.read"][..], json!(null)),
        (&["operator.read", "operator.pairing"], json!(null)),
        (&["operator.admin"], json!("203.0.113.9")),
    ] {
        let mut reader = gateway.operator_device(&gateway.device(), scopes).await;
        let list = reader.call("node.list", json!({})).await.unwrap();
        assert_eq!(list["nodes"][0]["remoteIp"], address, "{scopes:?}");
        let params = json!({ "nodeId": device.id() });
        let node = reader.call("node.describe", params).await.unwrap();
        assert_eq!(node["remoteIp"], address, "{scopes:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_legacy_node_asks_is_approved_verified_and_renamed() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let mut told = String::new();
    let ask = json!({ "nodeId": "mac", "displayName": "Mac", "commands": ["canvas.show"] });
    let asked = admin.call("node.pair.request", ask.clone()).await.unwrap();
    told += &format!("request: {}\n", shown(&asked));
    let again = admin.call("node.pair.request", ask).await.unwrap();
    assert_eq!(
        (&again["created"], &again["request"]),
        (&json!(false), &asked["request"])
    );
    let request = json!({ "requestId": asked["request"]["requestId"] });
    told += &format!(
        "list: {}\n",
        shown(&admin.call("node.pair.list", json!({})).await.unwrap())
    );
    let approved = admin
        .call("node.pair.approve", request.clone())
        .await
        .unwrap();
    told += &format!("approve: {}\n", shown(&approved));
    told += &format!(
        "again: {}\n",
        admin.refused("node.pair.approve", request.clone()).await
    );
    told += &format!(
        "reject: {}\n",
        admin.refused("node.pair.reject", request).await
    );
    let token = &approved["node"]["token"];
    let good = json!({ "nodeId": "mac", "token": token });
    told += &format!(
        "verify: {}\n",
        shown(&admin.call("node.pair.verify", good).await.unwrap())
    );
    for (node, token) in [
        ("mac", json!("A".repeat(43))),
        ("other", token.clone()),
        ("mac", json!("x")),
    ] {
        let wrong = json!({ "nodeId": node, "token": token });
        let answer = admin.call("node.pair.verify", wrong).await;
        assert_eq!(answer, Ok(json!({ "ok": false })));
    }
    let rename = json!({ "nodeId": "mac", "displayName": "Studio" });
    told += &format!(
        "rename: {}\n",
        shown(&admin.call("node.rename", rename).await.unwrap())
    );
    let rename = json!({ "nodeId": "no such", "displayName": "Studio" });
    told += &format!("rename: {}\n", admin.refused("node.rename", rename).await);
    told += &format!(
        "list: {}\n",
        shown(&admin.call("node.pair.list", json!({})).await.unwrap())
    );
    insta::assert_snapshot!("legacy-node", told);
    gateway.stop().await;
}

#[tokio::test]
async fn a_legacy_node_is_rejected_and_asks_anew() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let ask = json!({ "nodeId": "mac" });
    let asked = admin.call("node.pair.request", ask.clone()).await.unwrap();
    let request = asked["request"]["requestId"].clone();
    let answer = admin
        .call("node.pair.reject", json!({ "requestId": request }))
        .await;
    assert_eq!(answer, Ok(json!({ "requestId": request, "nodeId": "mac" })));
    let again = admin.call("node.pair.request", ask).await.unwrap();
    assert_eq!(again["created"], true);
    assert_ne!(again["request"]["requestId"], request);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_denied_or_left_out_is_not_granted_to_a_legacy_node() {
    let settings = settings("nodes: { commands: { deny: ['system.run'] } }");
    let gateway = start_with(settings, |builder| builder).await;
    let mut admin = gateway.admin().await;
    let mut asks = async |node: &str| {
        let commands = ["camera.snap", "canvas.present", "system.run"];
        let ask = json!({ "nodeId": node, "commands": commands });
        let asked = admin.call("node.pair.request", ask).await.unwrap();
        asked["request"]["requestId"].clone()
    };
    let (one, other) = (asks("one").await, asks("other").await);
    let method = "node.pair.approve";
    let stray = json!({ "requestId": one, "commands": ["sms.send"] });
    assert_eq!(
        admin.refused(method, stray).await,
        "INVALID_REQUEST invalid node.pair.approve params: the request does not ask for the command sms.send"
    );
    let some = json!({ "requestId": one, "commands": ["camera.snap", "system.run"] });
    let approved = admin.call(method, some).await.unwrap();
    assert_eq!(approved["node"]["commands"], json!(["camera.snap"]));
    let all = json!({ "requestId": other });
    let approved = admin.call(method, all).await.unwrap();
    let granted = json!(["camera.snap", "canvas.present"]);
    assert_eq!(approved["node"]["commands"], granted);
    gateway.stop().await;
}

#[tokio::test]
async fn t14_a_device_that_is_not_admin_has_no_business_with_legacy_nodes() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let asked = admin
        .call("node.pair.request", json!({ "nodeId": "mac" }))
        .await
        .unwrap();
    let request = asked["request"]["requestId"].clone();
    let keeper = gateway.device();
    let scopes = &["operator.pairing", "operator.read"];
    let mut keeper = gateway.operator_device(&keeper, scopes).await;
    let nothing = json!({ "pending": [], "paired": [] });
    assert_eq!(keeper.call("node.pair.list", json!({})).await, Ok(nothing));
    let unknown = json!({ "requestId": "00000000-0000-4000-8000-000000000000" });
    for method in ["node.pair.approve", "node.pair.reject"] {
        let foreign = keeper.call(method, json!({ "requestId": request })).await;
        assert!(foreign.is_err(), "{method}");
        assert_eq!(
            foreign,
            keeper.call(method, unknown.clone()).await,
            "{method}"
        );
    }
    let approve = json!({ "requestId": request });
    let approved = admin.call("node.pair.approve", approve).await.unwrap();
    let verify = json!({ "nodeId": "mac", "token": approved["node"]["token"] });
    let answer = keeper.call("node.pair.verify", verify.clone()).await;
    assert_eq!(answer, Ok(json!({ "ok": false })));
    assert_eq!(
        admin.call("node.pair.verify", verify).await.unwrap()["ok"],
        true
    );
    let rename = |id: &str| json!({ "nodeId": id, "displayName": "x" });
    assert_eq!(
        keeper.refused("node.rename", rename("mac")).await,
        keeper.refused("node.rename", rename("no such")).await
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t13_approving_a_legacy_node_takes_the_scope_that_it_would_need() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let mut ids = Vec::new();
    for (node, commands) in [
        ("idle", json!([])),
        ("show", json!(["canvas.show"])),
        ("run", json!(["system.run"])),
    ] {
        let ask = json!({ "nodeId": node, "commands": commands });
        let asked = admin.call("node.pair.request", ask).await.unwrap();
        ids.push(asked["request"]["requestId"].clone());
    }
    let mut keeper = gateway.asks(&["operator.pairing"]).await;
    let mut writer = gateway.asks(&["operator.pairing", "operator.write"]).await;
    let approve = |n: usize| ("node.pair.approve", json!({ "requestId": ids[n] }));
    let refused = |scope: &str| format!("INVALID_REQUEST missing scope: {scope}");
    let (method, show) = approve(1);
    assert_eq!(
        keeper.refused(method, show.clone()).await,
        refused("operator.write")
    );
    let (_, run) = approve(2);
    assert_eq!(
        writer.refused(method, run.clone()).await,
        refused("operator.admin")
    );
    keeper.call(method, approve(0).1).await.unwrap();
    writer.call(method, show).await.unwrap();
    admin.call(method, run).await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn t14_a_legacy_node_is_forgotten_by_who_may() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let asked = admin
        .call("node.pair.request", json!({ "nodeId": "mac" }))
        .await
        .unwrap();
    let request = json!({ "requestId": asked["request"]["requestId"] });
    let approved = admin.call("node.pair.approve", request).await.unwrap();
    let node = json!({ "nodeId": "mac" });
    let unknown = "INVALID_REQUEST unknown nodeId";
    // To a device that is not admin there is no such node.
    let keeper = &["operator.pairing"];
    let mut keeper = gateway.operator_device(&gateway.device(), keeper).await;
    let refused = keeper.refused("node.pair.remove", node.clone()).await;
    assert_eq!(refused, unknown);
    assert_eq!(
        admin.call("node.pair.remove", node.clone()).await,
        Ok(node.clone())
    );
    let token = json!({ "nodeId": "mac", "token": approved["node"]["token"] });
    let verified = admin.call("node.pair.verify", token).await.unwrap();
    assert_eq!(verified["ok"], false);
    let refused = admin.refused("node.pair.remove", node).await;
    assert_eq!(refused, unknown);
    let refused = admin.refused("node.pair.remove", json!({ "nodeId": "a\nb" }));
    assert_eq!(refused.await, unknown);
    gateway.stop().await;
}

#[tokio::test]
async fn t107_a_legacy_node_fills_no_store() {
    let gateway = start().await;
    let mut admin = gateway.admin_device().await;
    let long = "x".repeat(1 << 16);
    let caps: Vec<_> = (0..20_000).map(|n| format!("cap-{n:05}")).collect();
    for node in ["one", "two", "three", "four"] {
        let ask = json!({
            "nodeId": node, "caps": caps, "commands": caps, "displayName": long, "version": long,
        });
        let asked = admin.call("node.pair.request", ask).await.unwrap();
        let request = &asked["request"];
        assert_eq!(request["caps"].as_array().unwrap().len(), 256);
        assert_eq!(request["commands"].as_array().unwrap().len(), 256);
        assert_eq!(request["displayName"].as_str().unwrap().len(), 256);
    }
    let list = admin.call("node.pair.list", json!({})).await.unwrap();
    assert_eq!(list["pending"].as_array().unwrap().len(), 4);
    assert!(list.to_string().len() < 64 * 1024);
    gateway.stop().await;
}
