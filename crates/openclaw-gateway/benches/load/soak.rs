//! Everything at once, for minutes: devices that pair, are revoked, rotated and removed, connections
//! that come and go, calls, clients that never read, sockets that say nothing, and a store of which
//! every 50th operation fails.
//!
//! Nothing may be lost (what was approved and not removed is there at the end, and what was removed is
//! not), whoever is revoked is disconnected, and memory stays flat.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use pairing_core::device::Identity;
use pairing_fs::SystemEntropy;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Socket, knock, next};
use crate::server::{Server, TOKEN};

/// Paired nodes that stay, at most.
const KEPT: usize = 100;

/// How long something that has to happen may take.
const SOON: Duration = Duration::from_secs(10);

/// What has to be true at the end.
#[derive(Default)]
struct Expected {
    kept: Mutex<BTreeSet<String>>,
    done: Mutex<Done>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Done {
    paired: u64,
    ended: u64,
    connections: u64,
    calls: u64,
    failures: u64,
    never_read: u64,
    silent: u64,
}

impl Expected {
    fn count(&self, what: impl Fn(&mut Done)) {
        what(&mut self.done.lock().unwrap());
    }
}

pub(crate) fn run(during: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(soak(during));
}

async fn soak(during: Duration) {
    let server = Server::start(100, true);
    let (port, until) = (server.port, Instant::now() + during);
    let expected = Arc::new(Expected::default());
    let mut tasks = JoinSet::new();
    for number in 0..2 {
        tasks.spawn(devices(port, expected.clone(), until, number));
    }
    for (device, token) in server.devices.iter().take(4).cloned() {
        tasks.spawn(comings_and_goings(
            port,
            device,
            token,
            expected.clone(),
            until,
        ));
    }
    tasks.spawn(calls(port, expected.clone(), until));
    tasks.spawn(never_reading(port, expected.clone(), until));
    tasks.spawn(silence(port, expected.clone(), until));

    let mut resident = Vec::new();
    while Instant::now() < until {
        sleep((during / 30).min(until - Instant::now())).await;
        resident.push(server.resident_kib());
        println!(
            "{:>4} s left, {:.1} MiB resident, {:?}",
            until.saturating_duration_since(Instant::now()).as_secs(),
            *resident.last().unwrap() as f64 / 1024.0,
            expected.done.lock().unwrap()
        );
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a client saw something that must not be");
    }
    nothing_is_lost(port, &expected).await;
    is_flat(&resident);
    println!(
        "soak: nothing lost, memory flat, {:?}",
        expected.done.lock().unwrap()
    );
}

/// Devices that ask, are approved, come in, and mostly are thrown out again.
async fn devices(port: u16, expected: Arc<Expected>, until: Instant, mut turn: usize) {
    let mut owner = Caller::new(port).await;
    while Instant::now() < until {
        turn += 1;
        let device = Identity::generate(&SystemEntropy).unwrap();
        let id = device.id().to_string();
        let auth = json!({ "token": TOKEN });
        let (_, asked) = knock_well(port, &device, &auth, &expected).await;
        let request = &asked["error"]["details"]["requestId"];
        assert!(request.is_string(), "{asked}");
        owner
            .decide(
                "device.pair.approve",
                json!({ "requestId": request }),
                &expected,
            )
            .await;
        let (mut node, answer) = knock_well(port, &device, &auth, &expected).await;
        assert_eq!(answer["ok"], true, "{answer}");
        expected.count(|done| done.paired += 1);
        let may_stay = expected.kept.lock().unwrap().len() < KEPT;
        if may_stay && turn.is_multiple_of(8) {
            expected.kept.lock().unwrap().insert(id);
            continue;
        }
        let role = json!({ "deviceId": id, "role": "node" });
        let (how, params) = match turn % 3 {
            0 => ("device.token.rotate", role),
            1 => ("device.token.revoke", role),
            _ => ("device.pair.remove", json!({ "deviceId": id })),
        };
        owner.decide(how, params, &expected).await;
        let ended = async { while let Some(Ok(_)) = node.next().await {} };
        timeout(SOON, ended)
            .await
            .expect("whoever is thrown out is disconnected");
        expected.count(|done| done.ended += 1);
        if how != "device.pair.remove" {
            let id = json!({ "deviceId": id });
            owner.decide("device.pair.remove", id, &expected).await;
        }
    }
}

/// Tries until the store does what it should.
async fn knock_well(
    port: u16,
    device: &Identity,
    auth: &Value,
    expected: &Expected,
) -> (Socket, Value) {
    loop {
        let (socket, answer) = knock(port, device, "node", auth).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if answer["error"]["code"] != "UNAVAILABLE" {
            return (socket, answer);
        }
        expected.count(|done| done.failures += 1);
    }
}

async fn comings_and_goings(
    port: u16,
    device: Arc<Identity>,
    token: String,
    expected: Arc<Expected>,
    until: Instant,
) {
    while Instant::now() < until {
        let auth = json!({ "deviceToken": token });
        let (mut socket, answer) = knock(port, &device, "operator", &auth).await;
        let is_in = answer.contains(r#""ok":true"#);
        assert!(is_in || answer.contains("UNAVAILABLE"), "{answer}");
        expected.count(|done| done.connections += 1);
        let _ = socket.close(None).await;
        sleep(Duration::from_millis(10)).await;
    }
}

async fn calls(port: u16, expected: Arc<Expected>, until: Instant) {
    let mut caller = Caller::new(port).await;
    while Instant::now() < until {
        for method in [
            "device.pair.list",
            "node.list",
            "status",
            "pairing.list",
            "no.such",
        ] {
            caller.call(method, json!({})).await;
            expected.count(|done| done.calls += 1);
        }
        // Fewer refused calls than get a connection closed.
        sleep(Duration::from_millis(200)).await;
    }
}

/// Asks and asks, and does not listen.
async fn never_reading(port: u16, expected: Arc<Expected>, until: Instant) {
    while Instant::now() < until {
        let mut caller = Caller::new(port).await;
        let call = json!({ "type": "req", "id": "x", "method": "device.pair.list" }).to_string();
        let asking = async { while caller.0.send(Message::text(call.clone())).await.is_ok() {} };
        let _ = timeout(Duration::from_secs(2), asking).await;
        expected.count(|done| done.never_read += 1);
    }
}

/// Sockets that say nothing, or half of something.
async fn silence(port: u16, expected: Arc<Expected>, until: Instant) {
    while Instant::now() < until {
        let mut silent = Vec::new();
        for number in 0..8 {
            let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .unwrap();
            if number % 2 == 0 {
                let half = b"GET / HTTP/1.1\r\nHost: loc";
                tokio::io::AsyncWriteExt::write_all(&mut socket, half)
                    .await
                    .unwrap();
            }
            silent.push(socket);
        }
        for mut socket in silent {
            let left = until.saturating_duration_since(Instant::now());
            // The gateway hangs up when their time is over.
            let _ = timeout(left, socket.read_to_end(&mut Vec::new())).await;
            expected.count(|done| done.silent += 1);
        }
    }
}

async fn nothing_is_lost(port: u16, expected: &Expected) {
    let mut owner = Caller::new(port).await;
    let list = owner.decide("device.pair.list", json!({}), expected).await;
    let paired: BTreeSet<String> = list["payload"]["paired"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|device| device["displayName"].is_null())
        .map(|device| device["deviceId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paired, *expected.kept.lock().unwrap());
}

/// The last third takes no more than the second, but for a little.
fn is_flat(resident: &[u64]) {
    let third = resident.len() / 3;
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part[part.len() / 2]
    };
    let (second, last) = (
        median(&resident[third..2 * third]),
        median(&resident[2 * third..]),
    );
    println!("resident: {second} KiB in the second third, {last} KiB in the last");
    assert!(last <= second + second / 10 + 1024, "memory grows");
}

/// An operator without a device, who asks one thing after the other.
struct Caller(Socket);

impl Caller {
    async fn new(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let url = format!("ws://127.0.0.1:{port}/");
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        next(&mut socket).await;
        let mut caller = Self(socket);
        let answer = caller
            .call(
                "connect",
                json!({
                    "minProtocol": 3, "maxProtocol": 3, "auth": { "token": TOKEN },
                    "scopes": ["operator.admin"],
                    "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" },
                }),
            )
            .await;
        assert_eq!(answer["ok"], true, "{answer}");
        caller
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let call = json!({ "type": "req", "id": "1", "method": method, "params": params });
        self.0.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let frame: Value = serde_json::from_str(&next(&mut self.0).await).unwrap();
            if frame["type"] == "res" {
                return frame;
            }
        }
    }

    /// Tries until the store does what it should.
    async fn decide(&mut self, method: &str, params: Value, expected: &Expected) -> Value {
        loop {
            let answer = self.call(method, params.clone()).await;
            if answer["ok"] == true {
                return answer;
            }
            assert_eq!(answer["error"]["code"], "UNAVAILABLE", "{method}: {answer}");
            expected.count(|done| done.failures += 1);
        }
    }
}
