//! Calls of gateways, as they come over the wire: caller, receiver, time, and that each counts once.

use base64::engine::{Engine as _, general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Cluster, Forged, has, until};
use crate::sockets::until_closed;
use crate::support::{Running, settings, start};

/// A gateway that is called, and one that is announced and calls it.
struct Called {
    cluster: Cluster,
    gateway: Running,
    id: String,
    caller: Forged,
}

/// A call as it should be: tests change one thing about it.
#[derive(Clone)]
struct Call {
    from: String,
    to: String,
    at: i64,
    nonce: [u8; 16],
    body: String,
}

async fn called(limits: &str) -> Called {
    let cluster = Cluster::new();
    // Nobody has to wait here for having been wrong.
    let settings = settings(&format!("limits: {{ loopbackDelayMs: 0, {limits} }}"));
    let (gateway, id) = cluster.gateway_with("one", settings, None).await;
    let mut admin = gateway.admin().await;
    let caller = cluster.forged();
    caller.publish(&json!({}), &[]);
    until(&mut admin, |all| has(all, &caller.id)).await;
    Called {
        cluster,
        gateway,
        id,
        caller,
    }
}

impl Called {
    fn call(&self) -> Call {
        let body = json!({
            "askedBy": "operator:token", "nodeId": "0".repeat(64), "command": "ping",
            "timeoutMs": 5000, "idempotencyKey": "k", "more": "of a later version",
        });
        Call {
            from: self.caller.id.clone(),
            to: self.id.clone(),
            at: self.gateway.pairing.now().as_millis(),
            nonce: [7; 16],
            body: body.to_string(),
        }
    }

    /// Signs a call, and makes it.
    async fn make(&self, call: &Call) -> (u16, String) {
        let header = call.signed_by(&self.caller);
        self.post(&header, &call.body, "").await
    }

    async fn post(&self, header: &str, body: &str, more: &str) -> (u16, String) {
        send(&self.gateway, "POST", header, body, more).await
    }

    /// Whether it is valid unchanged.
    async fn is_answered(&self, call: &Call) {
        let (status, answer) = self.make(call).await;
        assert_eq!(status, 200, "{answer}");
        // There is no such node, which is no error of the call.
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            answer["failed"]["details"]["code"], "NOT_CONNECTED",
            "{answer}"
        );
    }

    async fn is_refused(&self, call: &Call) {
        refused(&self.make(call).await);
    }
}

/// Whatever is wrong, whoever calls learns nothing more.
fn refused((status, answer): &(u16, String)) {
    assert_eq!(
        (*status, answer.as_str()),
        (401, r#"{"error":"unauthorized"}"#)
    );
}

async fn send(
    gateway: &Running,
    method: &str,
    header: &str,
    body: &str,
    more: &str,
) -> (u16, String) {
    let length = format!("Content-Length: {}\r\n{more}", body.len());
    exchange(gateway, method, &format!("{length}{header}"), body).await
}

async fn exchange(gateway: &Running, method: &str, headers: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    let line = format!("{method} /peer/invoke HTTP/1.1");
    let head = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    // It need not be read to its end.
    let _ = socket.write_all(body.as_bytes()).await;
    let answer = until_closed(&mut socket).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

impl Call {
    fn signed_by(&self, caller: &Forged) -> String {
        let id = |text: &str| uuid::Uuid::parse_str(text).unwrap().into_bytes();
        let (at, digest) = (self.at.to_be_bytes(), Sha256::digest(&self.body));
        let parts: [&[u8]; 5] = [&id(&self.from), &id(&self.to), &at, &self.nonce, &digest];
        let purpose = "openclaw gateway-to-gateway call, version 1";
        let signature = caller.identity.sign_parts(purpose, &parts);
        format!(
            "Authorization: OpenClaw-Peer {}.{}.{}.{}.{}.{signature}\r\n",
            self.from,
            self.to,
            self.at,
            URL_SAFE_NO_PAD.encode(self.nonce),
            URL_SAFE_NO_PAD.encode(digest),
        )
    }
}

#[tokio::test]
async fn a_call_is_answered_once() {
    let called = called("").await;
    let call = called.call();
    called.is_answered(&call).await;
    called.is_refused(&call).await;
    let nonce = [8; 16];
    called.is_answered(&Call { nonce, ..call }).await;
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_that_another_signed_is_refused() {
    let called = called("").await;
    let (call, other) = (called.call(), called.cluster.forged());
    refused(&called.post(&call.signed_by(&other), &call.body, "").await);
    // So it has not been made yet.
    called.is_answered(&call).await;
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_of_a_gateway_that_is_not_announced_is_refused() {
    let called = called("").await;
    let (mut call, stranger) = (called.call(), called.cluster.forged());
    call.from.clone_from(&stranger.id);
    refused(
        &called
            .post(&call.signed_by(&stranger), &call.body, "")
            .await,
    );
    // Nor is one that was, and has gone.
    let call = called.call();
    let Called {
        gateway, caller, ..
    } = called;
    let mut admin = gateway.admin().await;
    let header = call.signed_by(&caller);
    let id = caller.id.clone();
    drop(caller);
    until(&mut admin, |all| !has(all, &id)).await;
    refused(&send(&gateway, "POST", &header, &call.body, "").await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_call_that_is_for_another_gateway_is_refused() {
    let called = called("").await;
    let mut call = called.call();
    call.to.clone_from(&called.caller.id);
    called.is_refused(&call).await;
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_of_another_time_is_refused() {
    let called = called("").await;
    let (call, minutes) = (called.call(), 120_000);
    for at in [call.at - minutes - 1, call.at + minutes + 1] {
        called.is_refused(&Call { at, ..call.clone() }).await;
    }
    for at in [call.at - minutes, call.at + minutes] {
        called.is_answered(&Call { at, ..call.clone() }).await;
    }
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_with_another_body_is_refused() {
    let called = called("").await;
    let call = called.call();
    let header = call.signed_by(&called.caller);
    let body = call.body.replace("ping", "pong");
    refused(&called.post(&header, &body, "").await);
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_that_is_not_understood_is_refused() {
    let called = called("").await;
    for (nonce, body) in ["", "{", "{}", r#"{"askedBy":"a"}"#]
        .into_iter()
        .enumerate()
    {
        let mut call = called.call();
        call.nonce = [u8::try_from(nonce).unwrap(); 16];
        body.clone_into(&mut call.body);
        called.is_refused(&call).await;
    }
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_that_is_too_long_is_refused_before_it_is_read() {
    let called = called("maxPayloadBytes: 65536").await;
    let mut call = called.call();
    // What surrounds the longest message has room; a mebibyte has not.
    call.body = call.body.replace("later version", &"v".repeat(100_000));
    called.is_answered(&call).await;
    call.nonce = [8; 16];
    call.body = call.body.replace("of a ", &"v".repeat(1 << 20));
    called.is_refused(&call).await;
    called.gateway.stop().await;
}

#[tokio::test]
async fn a_call_that_does_not_say_how_long_it_is_is_read_so_far() {
    let called = called("maxPayloadBytes: 65536").await;
    let mut call = called.call();
    let chunked = async |call: &Call| {
        let headers = format!(
            "Transfer-Encoding: chunked\r\n{}",
            call.signed_by(&called.caller)
        );
        let body = format!("{:x}\r\n{}\r\n0\r\n\r\n", call.body.len(), call.body);
        exchange(&called.gateway, "POST", &headers, &body).await
    };
    let (status, answer) = chunked(&call).await;
    assert_eq!(status, 200, "{answer}");
    call.nonce = [8; 16];
    // Just too long, so that all of it is sent before the answer comes.
    let longest = 65536 + openclaw_gateway::peers::MAX_VALUE;
    call.body = call.body.replace("of a ", &"v".repeat(longest));
    refused(&chunked(&call).await);
    called.gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_call_is_refused() {
    let called = called("").await;
    let call = called.call();
    let header = call.signed_by(&called.caller);
    for header in ["", "Authorization: Bearer token\r\n", &header.repeat(2)] {
        refused(&called.post(header, &call.body, "").await);
    }
    // To look is not to call.
    let (status, answer) = send(&called.gateway, "GET", &header, &call.body, "").await;
    assert_eq!(status, 404, "{answer}");
    let (status, _) = send(&called.gateway, "PUT", &header, &call.body, "").await;
    assert_eq!(status, 405);
    // Where there are no others, nobody calls.
    let alone = start().await;
    let (status, answer) = send(&alone, "POST", &header, &call.body, "").await;
    assert_eq!((status, answer.as_str()), (405, "GET only\n"));
    called.is_answered(&call).await;
    alone.stop().await;
    called.gateway.stop().await;
}

#[tokio::test]
async fn t118_who_pretends_to_be_a_gateway_is_locked_out_and_the_gateway_is_not() {
    let called = called("").await;
    let proxy = settings("trustedProxies: ['127.0.0.1']");
    called.gateway.handle.reload(proxy);
    let from = |address: u8| format!("X-Forwarded-For: 192.0.2.{address}\r\n");
    let call = called.call();
    let stranger = called.cluster.forged();
    for _ in 0..11 {
        for header in ["", &call.signed_by(&stranger)] {
            refused(&called.post(header, &call.body, &from(1)).await);
        }
    }
    // The gateway is at the same address, and is heard.
    let header = call.signed_by(&called.caller);
    let (status, answer) = called.post(&header, &call.body, &from(1)).await;
    assert_eq!(status, 200, "{answer}");
    // Its own faults lock nobody out: one of its calls that is made again, and one of another time.
    let late = Call {
        at: 0,
        ..call.clone()
    }
    .signed_by(&called.caller);
    for _ in 0..11 {
        for header in [&header, &late] {
            refused(&called.post(header, &call.body, &from(2)).await);
        }
    }
    let again = Call {
        nonce: [8; 16],
        ..call
    }
    .signed_by(&called.caller);
    let (status, answer) = called.post(&again, &called.call().body, &from(2)).await;
    assert_eq!(status, 200, "{answer}");
    called.gateway.stop().await;
}

#[tokio::test]
async fn t119_an_answer_that_the_called_gateway_did_not_sign_is_none() {
    let cluster = Cluster::new();
    let (one, _) = cluster.gateway("one").await;
    let mut admin = one.admin().await;
    let device = one.device();
    drop(one.node_device(&device, &["ping"]).await);
    // Somebody in between who answers whatever they like, with the signature of another gateway at most.
    let between = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", between.local_addr().unwrap());
    let called = cluster.forged();
    let later = one.pairing.now().as_millis() + 1;
    called.publish(&json!({ "url": url }), &[(&called.id, &device, later)]);
    until(&mut admin, |all| has(all, &device.id())).await;
    let other = cluster.forged();
    for is_signed in [false, true] {
        let asking = admin.call("node.invoke", crate::invoke::ask(&device, "ping"));
        let answering = async {
            use tokio::io::AsyncReadExt as _;
            let (mut socket, _) = between.accept().await.unwrap();
            let mut call = Vec::new();
            while !call.ends_with(b"}") {
                socket.read_buf(&mut call).await.unwrap();
            }
            let body = json!({ "invoked": {
                "ok": true, "nodeId": device.id(), "command": "ping", "payload": "forged",
            } });
            let body = body.to_string();
            let purpose = "openclaw gateway-to-gateway answer, version 1";
            let signature = other.identity.sign_parts(purpose, &[body.as_bytes()]);
            let signed = format!("OpenClaw-Peer-Answer: {signature}\r\n");
            let signed = if is_signed { signed.as_str() } else { "" };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{signed}\r\n",
                body.len()
            );
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(body.as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asking, answering);
        let error = answer.unwrap_err();
        assert_eq!(error["details"]["code"], "NODE_ELSEWHERE", "{error}");
    }
    one.stop().await;
}
