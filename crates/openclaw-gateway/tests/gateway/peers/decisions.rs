//! What is decided at one gateway counts at all: by the store, and what it tells.

use serde_json::json;

use super::Cluster;
use crate::talk::{node_of, revoked};

#[tokio::test]
async fn a_device_asks_at_one_is_approved_at_another_and_removed_at_a_third() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let (three, _) = cluster.gateway("three").await;
    let (mut at_two, mut at_three) = (two.admin().await, three.admin().await);
    let device = one.device();
    let request = one.node_asks(&device, &["ping"]).await;
    for admin in [&mut at_two, &mut at_three] {
        let told = admin.event("device.pair.requested").await;
        assert_eq!(told["requestId"], request.as_str());
    }
    let params = json!({ "requestId": request });
    at_two.call("device.pair.approve", params).await.unwrap();
    let told = at_three.event("device.pair.resolved").await;
    assert_eq!(told["decision"], "approved");

    let mut node = one.enter(&device, node_of(&["ping"])).await;
    node.call("skills.bins", json!({})).await.unwrap();
    let params = json!({ "deviceId": device.id() });
    at_three.call("device.pair.remove", params).await.unwrap();
    assert_eq!(node.closed().await, revoked());
    for gateway in [one, two, three] {
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_stranger_who_writes_to_one_is_let_in_at_another() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let mut admin = two.admin().await;
    let code = one.stranger("telegram", "default", "111");
    assert_eq!(admin.event("pairing.requested").await["id"], "111");
    let params = json!({ "channel": "telegram", "code": code });
    admin.call("pairing.approve", params).await.unwrap();
    let account = one.pairing.channel("telegram").unwrap();
    let account = account.account("default").unwrap();
    assert!(account.is_allowed("111").unwrap());
    let params = json!({ "channel": "telegram", "entry": "111" });
    let revoke = admin.call("pairing.revoke", params).await;
    revoke.unwrap();
    assert!(!account.is_allowed("111").unwrap());
    one.stop().await;
    two.stop().await;
}

/// Guesses at codes are counted in the store; those at a gateway's own secret are its own.
#[tokio::test]
async fn who_guesses_codes_at_one_is_locked_out_at_all() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let (two, _) = cluster.gateway("two").await;
    let code = one.stranger("telegram", "default", "111");
    let mut guesser = one.admin().await;
    let wrong = json!({ "channel": "telegram", "code": "AAAAAAA2" });
    for _ in 0..10 {
        guesser
            .call("pairing.approve", wrong.clone())
            .await
            .unwrap_err();
    }
    let mut other = two.admin().await;
    let right = json!({ "channel": "telegram", "code": code });
    let refused = other.call("pairing.approve", right).await.unwrap_err();
    assert_eq!(refused["details"]["code"], "LOCKED_OUT", "{refused}");
    one.stop().await;
    two.stop().await;
}
