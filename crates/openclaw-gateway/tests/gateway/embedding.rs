//! A gateway with methods of one's own.

use gateway_protocol::{DetailCode, ErrorShape};
use openclaw_gateway::{Access, Call};
use serde::Deserialize;
use serde_json::json;

use crate::support::{settings, start_with};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greet {
    name: String,
}

async fn greet(call: Call) -> openclaw_gateway::Reply {
    let params: Greet = call.params()?;
    if params.name == "nobody" {
        return Err(ErrorShape::invalid(
            DetailCode::InvalidParams,
            "there is nobody",
        ));
    }
    tokio::task::yield_now().await;
    let waiting = call
        .pairing()
        .devices()
        .list(&call.approver())
        .unwrap()
        .pending
        .len();
    call.reply(&json!({ "greeting": format!("hello {}", params.name), "waiting": waiting }))
}

#[tokio::test]
async fn a_method_of_ones_own_is_listed_scoped_and_answered() {
    let gateway = start_with(settings(""), |builder| {
        builder
            .method("greet", Access::Operator("operator.write"), greet)
            .method("sense", Access::Node, |call| async move {
                call.reply(&json!(1))
            })
            // In place of the gateway's own.
            .method(
                "health",
                Access::Operator("operator.read"),
                |call| async move { call.reply(&json!({ "ok": true, "mine": true })) },
            )
    })
    .await;
    let mut writer = gateway.asks(&["operator.write"]).await;
    let methods = writer.hello["features"]["methods"].as_array().unwrap();
    assert!(methods.contains(&json!("greet")) && methods.contains(&json!("sense")));
    let answer = writer.call("greet", json!({ "name": "ann" })).await;
    assert_eq!(answer, Ok(json!({ "greeting": "hello ann", "waiting": 0 })));
    assert_eq!(
        writer.refused("greet", json!({ "name": 7 })).await,
        "INVALID_REQUEST invalid greet params: at name: expected a string"
    );
    assert_eq!(
        writer.refused("greet", json!({ "name": "nobody" })).await,
        "INVALID_REQUEST there is nobody"
    );
    assert_eq!(
        writer.call("health", json!({})).await.unwrap()["mine"],
        true
    );
    let mut reader = gateway.asks(&["operator.read"]).await;
    assert_eq!(
        reader.refused("greet", json!({ "name": "ann" })).await,
        "INVALID_REQUEST missing scope: operator.write"
    );
    let mut node = gateway.node_device(&gateway.device(), &[]).await;
    assert_eq!(node.call("sense", json!({})).await, Ok(json!(1)));
    assert_eq!(
        node.refused("greet", json!({ "name": "ann" })).await,
        "INVALID_REQUEST unauthorized role: node"
    );
    gateway.stop().await;
}
