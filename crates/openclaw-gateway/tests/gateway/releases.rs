//! What releases from 2026.7 on call and look for, in the form that they have it.

use serde_json::json;

use crate::support::{Running, start};
use crate::talk::{ADMIN, node_of, revoked};

fn is_allowed(gateway: &Running, account: &str, sender: &str) -> bool {
    let telegram = gateway.pairing.channel("telegram").unwrap();
    telegram
        .account(account)
        .unwrap()
        .is_allowed(sender)
        .unwrap()
}

#[tokio::test]
async fn senders_are_listed_without_their_codes_and_decided_by_a_public_id() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let code = gateway.stranger("telegram", "default", "111");
    gateway.pass(1);
    gateway.stranger("telegram", "work", "222");
    let list = admin
        .call("channels.pairing.list", json!({}))
        .await
        .unwrap();
    assert!(!list.to_string().contains(&code), "{list}");
    assert_eq!(
        list["limits"],
        json!({ "pendingPerAccount": 3, "ttlMs": 3_600_000 })
    );
    assert_eq!(list["commandOwnerConfigured"], json!(false));
    let requests = list["requests"].as_array().unwrap().clone();
    let senders: Vec<_> = requests
        .iter()
        .map(|request| &request["senderId"])
        .collect();
    assert_eq!(senders, ["111", "222"]);
    assert_eq!(requests[0]["channelLabel"], "Telegram");
    assert_eq!(requests[0]["notifySupported"], false);
    let work = json!({ "channel": "telegram", "accountId": "work" });
    let only = admin.call("channels.pairing.list", work).await.unwrap();
    assert_eq!(only["requests"], json!([requests[1]]));

    let decide = |request: &serde_json::Value| {
        json!({
            "channel": request["channel"], "accountId": request["accountId"],
            "requestId": request["requestId"],
        })
    };
    let mut approve = decide(&requests[0]);
    approve["notify"] = json!(true);
    let approved = admin
        .call("channels.pairing.approve", approve.clone())
        .await;
    let id = &requests[0]["requestId"];
    assert_eq!(
        approved,
        Ok(json!({
            "requestId": id, "senderId": "111", "notification": "unsupported",
            "commandOwnerBootstrap": "not-requested",
        }))
    );
    assert!(is_allowed(&gateway, "default", "111"));
    let gone = "INVALID_REQUEST pending DM access request no longer exists";
    assert_eq!(
        admin.refused("channels.pairing.approve", approve).await,
        gone
    );

    // The id of another account's request names nothing.
    let mut elsewhere = decide(&requests[1]);
    elsewhere["accountId"] = json!("default");
    assert_eq!(
        admin.refused("channels.pairing.dismiss", elsewhere).await,
        gone
    );
    let dismissed = admin
        .call("channels.pairing.dismiss", decide(&requests[1]))
        .await;
    assert_eq!(
        dismissed,
        Ok(json!({ "requestId": requests[1]["requestId"], "senderId": "222" }))
    );
    assert!(!is_allowed(&gateway, "work", "222"));
    gateway.stop().await;
}

#[tokio::test]
async fn only_admin_may_ask_for_an_owner_and_none_is_made_over_the_wire() {
    let gateway = start().await;
    gateway.stranger("telegram", "default", "111");
    let mut keeper = gateway.asks(&["operator.pairing"]).await;
    let list = keeper
        .call("channels.pairing.list", json!({}))
        .await
        .unwrap();
    let params = json!({
        "channel": "telegram", "accountId": "default",
        "requestId": list["requests"][0]["requestId"], "bootstrapCommandOwner": true,
    });
    assert_eq!(
        keeper
            .refused("channels.pairing.approve", params.clone())
            .await,
        "INVALID_REQUEST missing scope: operator.admin"
    );
    assert!(!is_allowed(&gateway, "default", "111"));
    let mut admin = gateway.admin().await;
    let approved = admin
        .call("channels.pairing.approve", params)
        .await
        .unwrap();
    assert_eq!(approved["commandOwnerBootstrap"], "unavailable");
    assert_eq!(approved["notification"], "not-requested");
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_newer_node_reports_is_answered_so_that_it_goes_on() {
    let gateway = start().await;
    let device = gateway.device();
    let mut node = gateway.node_device(&device, &["system.which"]).await;
    let id = device.id();
    for (method, params, answer) in [
        (
            "node.runnerInventory.update",
            json!({ "protocolFeatures": ["v6"], "workerHost": { "enabled": false } }),
            json!({ "nodeId": id }),
        ),
        (
            "node.skills.update",
            json!({ "skills": [] }),
            json!({ "nodeId": id, "skills": [] }),
        ),
        (
            "node.pluginTools.update",
            json!({ "tools": [] }),
            json!({ "nodeId": id, "tools": [] }),
        ),
        (
            "node.invoke.progress",
            json!({ "invokeId": "a", "nodeId": id, "seq": 0, "chunk": "x" }),
            json!({ "ok": true }),
        ),
        (
            "node.pending.pull",
            json!({}),
            json!({ "nodeId": id, "actions": [] }),
        ),
        (
            "node.pending.drain",
            json!({ "maxItems": 3 }),
            json!({ "nodeId": id, "revision": 0, "items": [], "hasMore": false }),
        ),
        (
            "node.pending.ack",
            json!({ "ids": ["a"] }),
            json!({ "nodeId": id, "ackedIds": ["a"], "remainingCount": 0 }),
        ),
    ] {
        assert_eq!(node.call(method, params).await, Ok(answer), "{method}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_change_of_devices_is_told_by_the_event_that_newer_clients_know() {
    let gateway = start().await;
    let mut admin = gateway.admin().await;
    let mut reader = gateway.asks(&["operator.read"]).await;
    let device = gateway.device();
    gateway.node_asks(&device, &[]).await;
    assert_eq!(admin.event("device.pair.changed").await, json!({}));
    // The answer comes after every event that was told before.
    reader.call("health", json!({})).await.unwrap();
    assert!(!reader.has_event("device.pair.changed"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_node_that_is_a_device_is_removed_by_the_nodes_method() {
    let gateway = start().await;
    let (node, both) = (gateway.device(), gateway.device());
    let mut connected = gateway.node_device(&node, &[]).await;
    gateway.operator_device(&both, ADMIN).await;
    drop(gateway.node_device(&both, &[]).await);
    let mut admin = gateway.admin().await;
    let remove = |id: &str| json!({ "nodeId": id });
    let (only, also) = (node.id(), both.id());
    assert_eq!(
        admin.call("node.pair.remove", remove(&only)).await,
        Ok(remove(&only))
    );
    assert_eq!(connected.closed().await, revoked());
    assert_eq!(
        admin.call("node.pair.remove", remove(&also)).await,
        Ok(remove(&also))
    );
    let list = admin.call("device.pair.list", json!({})).await.unwrap();
    let left: Vec<_> = list["paired"].as_array().unwrap().iter().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["deviceId"], json!(also));
    assert_eq!(
        admin.refused("node.pair.remove", remove(&also)).await,
        "INVALID_REQUEST unknown nodeId"
    );
    // As a node, it has to ask anew.
    let mut raw = gateway.raw().await;
    let answer = raw.connect_as(&both, &gateway, node_of(&[])).await;
    assert_eq!(answer["error"]["details"]["code"], "PAIRING_REQUIRED");
    gateway.stop().await;
}

#[tokio::test]
async fn a_device_is_renamed_by_either_name_of_the_member_and_not_by_both() {
    let gateway = start().await;
    let device = gateway.device();
    drop(gateway.node_device(&device, &[]).await);
    let mut admin = gateway.admin().await;
    let id = device.id();
    assert_eq!(
        admin
            .call(
                "device.pair.rename",
                json!({ "deviceId": id, "label": "Kitchen" })
            )
            .await,
        Ok(json!({ "deviceId": id, "label": "Kitchen" }))
    );
    assert_eq!(
        admin
            .call(
                "device.pair.rename",
                json!({ "deviceId": id, "displayName": "Hall" })
            )
            .await,
        Ok(json!({ "deviceId": id, "displayName": "Hall" }))
    );
    let neither = "INVALID_REQUEST invalid device.pair.rename params: one of displayName and label is required";
    for params in [
        json!({ "deviceId": id }),
        json!({ "deviceId": id, "label": "a", "displayName": "b" }),
    ] {
        assert_eq!(admin.refused("device.pair.rename", params).await, neither);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_approval_that_is_refused_says_what_makes_newer_command_lines_ask_as_admin() {
    let gateway = start().await;
    let device = gateway.device();
    let request = gateway.node_asks(&device, &[]).await;
    let params = json!({ "requestId": request });
    let mut keeper = gateway.asks(&["operator.pairing"]).await;
    let error = keeper.call("device.pair.approve", params.clone()).await;
    let error = error.unwrap_err();
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("device pairing approval denied"),
        "{message}"
    );
    assert_eq!(error["details"]["code"], "MISSING_SCOPE");
    assert!(
        gateway
            .admin()
            .await
            .call("device.pair.approve", params)
            .await
            .is_ok()
    );
    gateway.stop().await;
}
