//! The same, encrypted.

use gateway_client::Connect;
use gateway_client::node::Node;
use gateway_protocol::GatewayUrl;
use openclaw_gateway::Tls;
use pairing_core::Timestamp;
use pairing_core::device::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Cluster, has, until};
use crate::invoke::ask;
use crate::support::{TOKEN, settings};

fn certificate(dir: &TempDir, name: &str) -> Tls {
    let now = Timestamp::from_millis(1_795_353_726_325);
    Tls::self_made(&dir.path().join(name), now).unwrap()
}

#[tokio::test]
async fn the_certificate_that_is_announced_is_believed_and_no_other() {
    let dir = TempDir::new().unwrap();
    let (tls, other) = (certificate(&dir, "two"), certificate(&dir, "other"));
    let fingerprint = tls.fingerprint();
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let encrypts = settings("tls: { enabled: true }");
    let (two, two_id) = cluster.gateway_with("two", encrypts, Some(tls)).await;
    let url = format!("wss://{}", two.address);

    let device = one.device();
    let mut admin = one.admin().await;
    drop(one.node_device(&device, &["ping"]).await);
    let connect = Connect::to(GatewayUrl::parse(&url).unwrap())
        .identity(device.identity.clone(), device.tokens.clone())
        .role(Role::Node)
        .token(TOKEN.into())
        .fingerprint(fingerprint);
    let node = Node::new().command("ping", async |_| Ok(json!("pong")));
    let entropy = std::sync::Arc::new(one.entropy.clone());
    let mut serving = node.keep(connect, entropy);
    let serving = tokio::spawn(async move { while serving.next().await.is_some() {} });
    let at_two = |entry: &Value| entry["gateway"] == two_id.as_str();
    until(&mut admin, |all| all.iter().any(at_two)).await;
    let answer = admin.call("node.invoke", ask(&device, "ping")).await;
    assert_eq!(answer.unwrap()["payload"], "pong");

    // Nothing is said to whoever shows another certificate than the one that is announced, or where none is.
    let mut forged = cluster.forged();
    forged.id.clone_from(&two_id);
    for fingerprint in [json!(other.fingerprint()), Value::Null] {
        forged.publish(&json!({ "url": url, "tlsFingerprint": fingerprint }), &[]);
        let is_forged =
            |entry: &Value| entry["instanceId"] == two_id.as_str() && entry["version"] == "9";
        until(&mut admin, |all| all.iter().any(is_forged)).await;
        let error = admin
            .call("node.invoke", ask(&device, "ping"))
            .await
            .unwrap_err();
        let gateway = json!({ "id": two_id, "url": url });
        let details = json!({ "code": "NODE_ELSEWHERE", "gateway": gateway });
        assert_eq!(error["details"], details);
        assert!(has(&until(&mut admin, |_| true).await, &device.id()));
    }
    serving.abort();
    one.stop().await;
    two.stop().await;
}
