//! Replays to this client the traffic of a gateway of version 2026.2.17.

use gateway_client::ConnectError;
use gateway_protocol::device::DevicePairList;
use gateway_protocol::invoke::NodeEntries;
use gateway_protocol::node::NodePairList;
use gateway_protocol::{Empty, Secret};
use pairing_core::device::Role;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::gateway::{Drawer, Gateway, Peer, failing, identity};

const CLI: &str = include_str!("fixtures/cli.jsonl");
const NODE: &str = include_str!("fixtures/node-host.jsonl");

/// Returns the lines of one connection.
fn session(file: &str, number: u64) -> Vec<Value> {
    let lines = file
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<_> = lines.filter(|line| line["conn"] == number).collect();
    assert!(!lines.is_empty());
    lines
}

/// Sends the gateway's lines, and waits for this client wherever the recorded one spoke. Substitutes its ids.
async fn replay(peer: &mut Peer, lines: &[Value]) {
    let mut id = String::new();
    for line in lines {
        let mut frame = line["frame"].clone();
        match line["dir"].as_str() {
            Some("<") => {
                if frame["type"] == "res" {
                    frame["id"] = id.as_str().into();
                }
                peer.send(frame.to_string()).await;
            }
            Some(">") => {
                let request = peer.request().await;
                assert_eq!(request.method, frame["method"]);
                id = request.id;
            }
            _ => {
                let code = line["close"].as_u64().unwrap();
                if code != 1005 {
                    peer.close(code.try_into().unwrap(), line["reason"].as_str().unwrap())
                        .await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_node_is_asked_to_pair_and_comes_back_with_a_token() {
    let gateway = Gateway::start().await;
    let drawer = Arc::new(Drawer::default());
    let connect = gateway
        .connect()
        .token("secret-tok".into())
        .identity(identity(), drawer.clone())
        .role(Role::Node);
    let asked = session(NODE, 1);
    let error = failing(&connect, async {
        replay(&mut gateway.accept().await, &asked).await;
    })
    .await;
    assert_eq!(
        error.request_id(),
        Some("5d252984-4a7d-44a8-bbab-70c72575c383")
    );
    let ConnectError::Refused(refused) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(refused.close_code, Some(1008));

    let approved = session(NODE, 2);
    let script = async {
        let mut peer = gateway.accept().await;
        replay(&mut peer, &approved).await;
        peer
    };
    let (opened, _peer) = tokio::join!(connect.open(), script);
    let (client, _events) = opened.unwrap();
    assert_eq!(client.hello().protocol, 3);
    let token = drawer.token(Role::Node).unwrap();
    let sent = &approved[2]["frame"]["payload"]["auth"]["deviceToken"];
    assert_eq!(
        Secret::from(token.as_str()),
        Secret::from(sent.as_str().unwrap())
    );
}

#[tokio::test]
async fn an_operators_lists_are_read() {
    for (number, method) in [
        (1, "node.pair.list"),
        (2, "node.list"),
        (4, "device.pair.list"),
        (5, "status"),
    ] {
        let gateway = Gateway::start().await;
        let connect = gateway
            .connect()
            .token("secret-tok".into())
            .identity(identity(), Arc::new(Drawer::default()));
        let lines = session(CLI, number);
        let answer = &lines[4]["frame"]["payload"];
        let script = async {
            let mut peer = gateway.accept().await;
            replay(&mut peer, &lines).await;
            peer
        };
        let calling = async {
            let (client, _events) = connect.open().await.unwrap();
            match method {
                "node.pair.list" => {
                    let list: NodePairList = client.call(method, Empty {}).await.unwrap();
                    json!(list)
                }
                "node.list" => {
                    let list: NodeEntries = client.call(method, Empty {}).await.unwrap();
                    json!(list)
                }
                "device.pair.list" => {
                    let list: DevicePairList = client.call(method, Empty {}).await.unwrap();
                    json!(list)
                }
                _ => client.call(method, Empty {}).await.unwrap(),
            }
        };
        let (read, _peer) = tokio::join!(calling, script);
        assert_eq!(&read, answer, "{method}");
    }
}
