//! Tests of a node that is asked to execute commands.

use std::sync::Arc;
use std::time::Duration;

use gateway_client::LinkEvent;
use gateway_client::node::{Node, Serving, error, params};
use gateway_protocol::invoke::{InvokeRequest, InvokeResult};
use pairing_core::device::Role;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::gateway::{Gateway, Peer, hello, no_jitter};

/// Runs a connected node until its gateway is gone.
async fn serving(
    node: Node,
) -> (
    Peer,
    gateway_protocol::ConnectParams,
    tokio::task::JoinHandle<()>,
) {
    let gateway = Gateway::start().await;
    let mut serving: Serving = node.keep(gateway.connect(), no_jitter());
    let (peer, params) = gateway.admit(hello(Role::Node, None)).await;
    assert!(matches!(
        serving.next().await,
        Some(LinkEvent::Connected(_))
    ));
    let task = tokio::spawn(async move {
        loop {
            match serving.next().await {
                Some(LinkEvent::Event(_)) => {}
                Some(LinkEvent::Disconnected { .. }) => return,
                other => panic!("{other:?}"),
            }
        }
    });
    (peer, params, task)
}

async fn ask(peer: &mut Peer, id: &str, command: &str, more: Value) {
    let mut request = json!({ "id": id, "nodeId": "me", "command": command });
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    peer.event("node.invoke.request", request).await;
}

async fn answer(peer: &mut Peer) -> InvokeResult {
    let request = peer.request().await;
    assert_eq!(request.method, "node.invoke.result");
    let result = gateway_protocol::read_params(&request.method, request.params.as_deref()).unwrap();
    peer.answer(&request.id, json!({ "ok": true })).await;
    result
}

fn code(result: InvokeResult) -> String {
    assert!(!result.ok);
    assert_eq!((result.payload, result.node_id.as_str()), (None, "me"));
    result.error.unwrap().code.unwrap()
}

async fn add(request: InvokeRequest) -> Result<Value, gateway_protocol::invoke::InvokeError> {
    let [a, b]: [i64; 2] = params(&request)?;
    a.checked_add(b)
        .map(Value::from)
        .ok_or_else(|| error("TOO_LARGE", "too large"))
}

#[tokio::test]
async fn commands_are_announced_done_and_answered() {
    let node = Node::with_builtins()
        .command("add", add)
        .permission("camera", false);
    let (mut peer, params, task) = serving(node).await;
    let names = |texts: &[gateway_protocol::Text]| -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    };
    assert_eq!(params.role(), "node");
    assert_eq!(names(&params.caps), ["device"]);
    assert_eq!(
        names(&params.commands),
        ["add", "device.info", "device.status"]
    );
    assert!(!params.permissions["camera"]);

    ask(&mut peer, "1", "add", json!({ "paramsJSON": "[2, 3]" })).await;
    let result = answer(&mut peer).await;
    assert!(result.ok);
    assert_eq!((result.id.as_str(), result.payload), ("1", Some(json!(5))));

    ask(&mut peer, "2", "add", json!({ "paramsJSON": "[2" })).await;
    assert_eq!(code(answer(&mut peer).await), "INVALID_PARAMS");
    ask(
        &mut peer,
        "3",
        "add",
        json!({ "paramsJSON": format!("[{}, 1]", i64::MAX) }),
    )
    .await;
    assert_eq!(code(answer(&mut peer).await), "TOO_LARGE");
    ask(&mut peer, "4", "rm", json!({})).await;
    assert_eq!(code(answer(&mut peer).await), "UNKNOWN_COMMAND");
    drop(peer);
    task.await.unwrap();
}

#[tokio::test]
async fn every_node_tells_of_its_machine() {
    let (mut peer, _, task) = serving(Node::with_builtins()).await;
    ask(&mut peer, "1", "device.info", json!({})).await;
    let info = answer(&mut peer).await.payload.unwrap();
    assert_eq!(info["systemName"], std::env::consts::OS);
    assert_eq!(info["appVersion"], env!("CARGO_PKG_VERSION"));
    assert!(info["deviceName"].is_string() || cfg!(not(unix)));

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(40)).await;
    tokio::time::resume();
    ask(&mut peer, "2", "device.status", json!({})).await;
    let status = answer(&mut peer).await.payload.unwrap();
    assert!(
        (40..45).contains(&status["uptimeSeconds"].as_u64().unwrap()),
        "{status}"
    );
    drop(peer);
    task.await.unwrap();
}

#[tokio::test]
async fn what_takes_too_long_or_breaks_is_answered_all_the_same() {
    let started = Arc::new(Notify::new());
    let starting = started.clone();
    let node = Node::new()
        .command("wait", move |_: InvokeRequest| {
            starting.notify_one();
            std::future::pending()
        })
        .command("break", |_: InvokeRequest| async { panic!("hunter2") });
    let (mut peer, _, task) = serving(node).await;
    ask(&mut peer, "1", "wait", json!({ "timeoutMs": 9000 })).await;
    started.notified().await;
    // Lets the node register its timer in the same turn.
    tokio::task::yield_now().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(9001)).await;
    tokio::time::resume();
    assert_eq!(code(answer(&mut peer).await), "TIMEOUT");

    ask(&mut peer, "2", "break", json!({})).await;
    let result = answer(&mut peer).await;
    assert!(!format!("{result:?}").contains("hunter2"));
    assert_eq!(code(result), "INTERNAL");
    drop(peer);
    task.await.unwrap();
}

#[tokio::test]
async fn only_so_many_run_at_once() {
    let go = Arc::new(Notify::new());
    let gate = go.clone();
    let node = Node::new()
        .at_once(2)
        .command("wait", move |request: InvokeRequest| {
            let gate = gate.clone();
            async move {
                gate.notified().await;
                Ok(request.id.into())
            }
        });
    let (mut peer, _, task) = serving(node).await;
    for id in ["1", "2", "3"] {
        ask(&mut peer, id, "wait", json!({})).await;
    }
    let refused = answer(&mut peer).await;
    assert_eq!(refused.id.as_str(), "3");
    assert_eq!(code(refused), "BUSY");
    go.notify_waiters();
    for _ in 0..2 {
        assert!(answer(&mut peer).await.ok);
    }
    // There is a free slot again.
    ask(&mut peer, "4", "wait", json!({})).await;
    go.notify_one();
    assert_eq!(answer(&mut peer).await.payload, Some(json!("4")));
    drop(peer);
    task.await.unwrap();
}
