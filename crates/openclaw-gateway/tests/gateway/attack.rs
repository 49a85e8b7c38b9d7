//! The owner is served while others attack. Takes ten seconds of all processors, so it runs only where it is asked
//! for: `cargo test --release -p openclaw-gateway --test gateway attack -- --ignored --nocapture`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::owner_socket::owner;
use crate::serving::{options, try_serve};

/// How long it is attacked.
const LASTS: Duration = Duration::from_secs(10);
/// Attackers, each with many addresses.
const ATTACKERS: u16 = 64;
/// What the owner waits at most, in 99 of 100 cases.
const PROMISED: Duration = Duration::from_millis(100);

/// How an attacker spends their time.
#[derive(Debug, Clone, Copy)]
enum Attack {
    /// Sockets with half a request, as many as there are places.
    Half,
    /// Guesses at the secret.
    Guesses,
    /// With the secret: messages that do not end.
    Unfinished,
    /// Pages of another origin.
    Origin,
    /// Signatures that are none.
    Signatures,
}

const ALL: [Attack; 5] = [
    Attack::Half,
    Attack::Guesses,
    Attack::Unfinished,
    Attack::Origin,
    Attack::Signatures,
];

/// One of the many addresses that Linux gives to loopback.
async fn dial(gateway: SocketAddr, from: u16) -> Option<TcpStream> {
    let [high, low] = from.to_be_bytes();
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(([127, 1, high, low], 0).into()).ok()?;
    socket.connect(gateway).await.ok()
}

async fn connect(gateway: SocketAddr, stream: TcpStream, params: Value) -> Option<Value> {
    let (mut ws, _) = client_async(format!("ws://{gateway}/"), stream)
        .await
        .ok()?;
    let challenge = ws.next().await?.ok()?;
    let challenge: Value = serde_json::from_str(challenge.to_text().ok()?).ok()?;
    let mut params = params;
    if let Some(device) = params.get_mut("device") {
        device["nonce"] = challenge["payload"]["nonce"].clone();
        device["signedAt"] = challenge["payload"]["ts"].clone();
    }
    let request = json!({ "type": "req", "id": "1", "method": "connect", "params": params });
    ws.send(Message::text(request.to_string())).await.ok()?;
    let answer = ws.next().await?.ok()?;
    let answer = serde_json::from_str(answer.to_text().ok()?).ok()?;
    // Half of what may be sent at once, and no end of it.
    let mut head = vec![0x01, 0xfe];
    head.extend(60_000_u16.to_be_bytes());
    head.extend(vec![0; 30_000]);
    ws.get_mut().write_all(&head).await.ok()?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    Some(answer)
}

async fn strike(attack: Attack, gateway: SocketAddr, from: u16) -> Option<()> {
    let mut stream = dial(gateway, from).await?;
    let client = json!({ "id": "cli", "version": "1", "platform": "linux", "mode": "cli" });
    let params = |token: &str| {
        json!({ "minProtocol": 3, "maxProtocol": 3, "client": client, "role": "operator",
            "scopes": ["operator.admin"], "auth": { "token": token } })
    };
    match attack {
        Attack::Half => {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Attack::Origin => {
            let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Origin: https://evil.example\r\n\r\n";
            stream.write_all(request.as_bytes()).await.ok()?;
            stream.read_to_end(&mut Vec::new()).await.ok()?;
        }
        Attack::Guesses => drop(connect(gateway, stream, params("guess")).await),
        Attack::Unfinished => drop(connect(gateway, stream, params("known")).await),
        Attack::Signatures => {
            let mut params = params("guess");
            params["device"] = json!({
                "id": "152e8f91f28eef00c563d900d0a07092e2b661062714671d9d3ee06e5b99cfbe",
                "publicKey": "GxNEj8M89UaLcJu3-1ivCIAkBBGmiagRm1BtZIYIcmI",
                "signature": "A".repeat(86),
            });
            drop(connect(gateway, stream, params).await);
        }
    }
    Some(())
}

/// Attacks from a runtime of its own, until it is dropped.
fn attackers(
    gateway: SocketAddr,
    attacks: &[Attack],
    count: &Arc<AtomicU64>,
) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }
        .worker_threads(2)
        // They are elsewhere, and only what they send takes this machine's time.
        .on_thread_start(|| {
            let _ = rustix::process::setpriority_process(None, 19);
        })
        .enable_all()
        .build()
        .unwrap();
    for attacker in 0..ATTACKERS {
        for attack in attacks.iter().copied() {
            let count = count.clone();
            runtime.spawn(async move {
                for round in 0_u16.. {
                    let from = attacker.wrapping_mul(997).wrapping_add(round % 512);
                    let strike = strike(attack, gateway, from);
                    let struck = tokio::time::timeout(Duration::from_secs(1), strike).await;
                    count.fetch_add(1, Ordering::Relaxed);
                    if !matches!(struck, Ok(Some(()))) {
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
    }
    runtime
}

/// What the owner waits for a new connection and an answer each time, sorted.
async fn waits(state: &std::path::Path, lasts: Duration) -> Vec<Duration> {
    let (mut waits, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < lasts {
        let asked = Instant::now();
        let (client, _events) = owner(state).await.unwrap();
        let listed: Value = client.call("device.pair.list", json!({})).await.unwrap();
        assert_eq!(listed["paired"], json!([]));
        waits.push(asked.elapsed());
    }
    waits.sort_unstable();
    waits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes of all processors: run it in a release build on a machine that has nothing else to do"]
async fn t104_t105_the_owner_is_served_while_others_attack() {
    let dir = tempfile::tempdir().unwrap();
    let config = "{ gateway: { auth: { token: 'known' } } }";
    std::fs::write(dir.path().join("openclaw.json"), config).unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let show = |name: &str, waits: &[Duration], strikes: u64| {
        let at = |part: usize| waits[(waits.len() - 1) * part / 100];
        println!(
            "{name}: {strikes} strikes; the owner asked {} times and waited {:?} (median), {:?} (99 of 100), {:?} \
             at most",
            waits.len(),
            at(50),
            at(99),
            at(100),
        );
        at(99)
    };
    show("nobody", &waits(dir.path(), LASTS / 5).await, 0);
    let mut late = Vec::new();
    let single = ALL.iter().map(std::slice::from_ref);
    for attacks in single.chain([&ALL[..]]) {
        let count = Arc::default();
        let attacking = attackers(served.address(), attacks, &count);
        let waits = waits(dir.path(), LASTS).await;
        attacking.shutdown_background();
        let name = format!("{attacks:?}");
        if show(&name, &waits, count.load(Ordering::Relaxed)) > PROMISED {
            late.push(name);
        }
    }
    assert!(late.is_empty(), "{late:?}");
    served.stop().await;
}
