//! Sockets that come and say nothing, or too little, or are too many.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::access::start_behind_proxy;
use crate::support::{NEVER, Raw, Running, operator_params, settings, start, start_with};

/// Waits until the gateway has closed a socket; what came before.
pub(crate) async fn until_closed(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // However it is closed.
    let _ = tokio::time::timeout(NEVER, socket.read_to_end(&mut read))
        .await
        .unwrap();
    String::from_utf8_lossy(&read).into_owned()
}

/// A socket from one of the many addresses that Linux gives to loopback.
async fn dial(gateway: &Running, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(gateway.address).await.unwrap()
}

async fn raw_from(gateway: &Running, from: [u8; 4]) -> Result<Raw, Error> {
    let socket = dial(gateway, from).await;
    let (ws, _) = client_async(format!("ws://{}/", gateway.address), socket).await?;
    Ok(Raw(ws))
}

#[tokio::test]
async fn t97_an_address_has_32_connections_that_are_not_in() {
    let gateway = start_behind_proxy("").await;
    let (one, mapped) = ("192.0.2.1", "::ffff:192.0.2.1");
    let come = async |from: &str| gateway.raw_with(&[("X-Forwarded-For", from)]).await;
    let mut waiting = Vec::new();
    for count in 0..32 {
        waiting.push(
            come(if count % 2 == 0 { one } else { mapped })
                .await
                .unwrap(),
        );
    }
    for from in [one, mapped] {
        let Err(Error::Http(refused)) = come(from).await else {
            panic!("more than 32")
        };
        assert_eq!(refused.status(), 503);
        assert_eq!(
            refused.body().as_deref(),
            Some(&b"too many connections\n"[..])
        );
    }
    assert!(come("192.0.2.2").await.is_ok());
    // The shared secret alone makes no room, and an approval does.
    let device = gateway.device();
    let mut elsewhere = come("192.0.2.3").await.unwrap();
    let asked = elsewhere
        .connect_as(&device, &gateway, operator_params())
        .await;
    gateway.approve(asked["error"]["details"]["requestId"].as_str().unwrap());
    assert_eq!(waiting[1].connect(operator_params()).await["ok"], true);
    assert!(come(one).await.is_err());
    let connected = waiting[0].connect_as(&device, &gateway, operator_params());
    assert_eq!(connected.await["ok"], true);
    let last = come(one).await.unwrap();
    assert!(come(one).await.is_err());
    // Those who had come before are none the worse.
    assert_eq!(waiting[31].connect(operator_params()).await["ok"], true);
    drop((waiting, last));
    gateway.stop().await;
}

/// However many one address opens, it is the only one that is turned away.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn t97_ten_thousand_half_open_sockets_lock_nobody_else_out() {
    let gateway = start().await;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // As many as this process may have, with some for the gateway in it.
    let many = limit.map_or(10_000, |limit| limit.saturating_sub(200).min(10_000));
    let mut sockets = Vec::new();
    for count in 0..many {
        sockets.push(dial(&gateway, [127, 0, 0, 1]).await);
        // The first of them are still being listened to, for the ten seconds that each has for its request.
        if count == 500 {
            let health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            sockets[0].write_all(health).await.unwrap();
            let answer = until_closed(&mut sockets[0]).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        }
    }
    let last = sockets.last_mut().unwrap();
    assert_eq!(until_closed(last).await, "");
    let mut other = raw_from(&gateway, [127, 0, 0, 2]).await.unwrap();
    assert_eq!(other.connect(operator_params()).await["ok"], true);
    other.request("health", json!({})).await;
    assert_eq!(other.answer().await["ok"], true);
    drop(sockets);
    gateway.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn t97_sockets_of_everybody_are_bounded_and_those_that_say_nothing_go() {
    let limits = "limits: { maxConnections: 40, handshakeSeconds: 1 }";
    let gateway = start_with(settings(limits), |builder| builder).await;
    let mut silent = Vec::new();
    for count in 0..40 {
        silent.push(dial(&gateway, [127, 0, 1, count]).await);
    }
    let mut refused = dial(&gateway, [127, 0, 2, 1]).await;
    assert_eq!(until_closed(&mut refused).await, "");
    join_all(silent.iter_mut().map(until_closed)).await;
    let mut raw = raw_from(&gateway, [127, 0, 2, 1]).await.unwrap();
    assert_eq!(raw.connect(operator_params()).await["ok"], true);
    gateway.stop().await;
}

/// Nobody keeps a socket for nothing, at whatever point they stop.
#[tokio::test]
async fn t97_who_does_not_go_on_is_closed_in_time() {
    let limits = "limits: { handshakeSeconds: 1 }";
    let gateway = start_with(settings(limits), |builder| builder).await;
    let begun = std::time::Instant::now();
    let half = async |bytes: &[u8]| {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let said = until_closed(&mut socket).await;
        assert!(!said.contains("101"), "{said}");
    };
    let silent = async |first: &[u8]| {
        let mut raw = gateway.raw().await.0;
        raw.get_mut().write_all(first).await.unwrap();
        let mut raw = Raw(raw);
        raw.challenge().await;
        let end = json!({ "close": 1008, "reason": "handshake timeout" });
        assert_eq!(raw.next().await, end);
    };
    tokio::join!(
        half(b""),
        half(b"GET"),
        half(b"GET / HTTP/1.1\r\nHost: localhost\r\n"),
        half(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX: "),
        silent(b""),
        // Half a head, half a frame, and half a message.
        silent(&[0x81]),
        silent(&[0x81, 0xfe, 0x10, 0x00, 0, 0, 0, 0, b'{']),
        silent(&[0x01, 0x81, 0, 0, 0, 0, b'{']),
    );
    assert!(begun.elapsed() >= Duration::from_millis(900));
    // Whoever is in may be silent.
    let mut raw = gateway.raw().await;
    assert_eq!(raw.connect(operator_params()).await["ok"], true);
    half(b"").await;
    raw.request("health", json!({})).await;
    assert_eq!(raw.answer().await["ok"], true);
    gateway.stop().await;
}

/// A connection that is only just coming in when the gateway stops is told so, and does not stay.
#[tokio::test]
async fn who_is_not_in_when_the_gateway_stops_is_told_to_go() {
    let gateway = start().await;
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    let mut half = TcpStream::connect(gateway.address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut served = TcpStream::connect(gateway.address).await.unwrap();
    served
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut status = [0; 15];
    served.read_exact(&mut status).await.unwrap();
    // None of them is anybody yet.
    assert_eq!(gateway.handle.connections(), 0);
    gateway.stop().await;
    let end = json!({ "close": 1001, "reason": "gateway stopping" });
    assert_eq!(raw.next().await, end);
    until_closed(&mut served).await;
    until_closed(&mut half).await;
}

/// A web page can make its browser try, as often as it likes. No try holds a place.
#[tokio::test]
async fn t104_a_page_of_another_origin_is_answered_and_closed_at_once() {
    let gateway = start().await;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Origin: https://evil.example\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let answer = until_closed(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        crowd.push(socket);
    }
    let mut raw = gateway.raw().await;
    assert_eq!(raw.connect(operator_params()).await["ok"], true);
    gateway.stop().await;
}

/// Whoever guesses waits for the answer. Whoever goes meanwhile has gone.
#[tokio::test]
async fn t104_a_delayed_guess_frees_its_place_when_its_client_goes() {
    let slow = "limits: { loopbackDelayMs: 10000, maxLoopbackDelayMs: 10000 }";
    let gateway = start_with(settings(slow), |builder| builder).await;
    let mut raw = gateway.raw().await;
    raw.challenge().await;
    let mut params = operator_params();
    params["auth"]["token"] = json!("guess");
    raw.request("connect", params).await;
    raw.message(Message::Close(None)).await;
    // No answer comes first, which would take ten seconds.
    assert_eq!(raw.next().await["close"], 1005);
    gateway.stop().await;
}

#[tokio::test]
async fn t137_who_answers_no_pings_is_dropped_and_who_does_stays() {
    let mut settings = settings("");
    settings.limits.tick_interval = Duration::from_millis(50);
    let gateway = start_with(settings, |builder| builder).await;
    let mut awake = gateway.admin().await;
    // It stands still: its socket is open, and nobody reads from it.
    let _asleep = gateway.admin().await;
    // Calls would also show that it is there, so it makes none, and only reads: pings among the events.
    while gateway.handle.connections() == 2 {
        awake.any_event().await;
    }
    for _ in 0..10 {
        awake.any_event().await;
    }
    let status = awake.call("status", json!({})).await.unwrap();
    assert_eq!(status["connections"], 1);
    gateway.stop().await;
}
