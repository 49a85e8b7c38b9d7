//! HTTP: what is answered without a WebSocket, and what is not.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::access::start_behind_proxy;
use crate::sockets::until_closed;
use crate::support::{Running, TOKEN, operator_params, settings, start, start_with};

/// The status and the whole answer to a request of these lines.
pub(crate) async fn ask(gateway: &Running, lines: &[&str]) -> (u16, String) {
    ask_at(&gateway.address.to_string(), lines).await
}

pub(crate) async fn ask_at(address: &str, lines: &[&str]) -> (u16, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = lines.join("\r\n") + "\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let answer = until_closed(&mut socket).await;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), answer)
}

const HOST: &str = "Host: localhost";

const UPGRADE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The status of a page.
#[cfg(feature = "etcd")]
pub(crate) async fn status(gateway: &Running, path: &str) -> u16 {
    let first = format!("GET {path} HTTP/1.1");
    ask(gateway, &[&first, "Host: localhost"]).await.0
}

#[tokio::test]
async fn the_pages_for_machines() {
    let gateway = start().await;
    for (line, status, body) in [
        ("GET /healthz HTTP/1.1", 200, "{\"ok\":true}"),
        ("GET /readyz HTTP/1.1", 200, "{\"ok\":true}"),
        ("GET /healthz?verbose HTTP/1.1", 200, "{\"ok\":true}"),
        ("HEAD /healthz HTTP/1.1", 200, ""),
        (
            "GET /elsewhere HTTP/1.1",
            404,
            "this is a gateway of OpenClaw: connect by WebSocket\n",
        ),
        (
            "GET /healthz/ HTTP/1.1",
            404,
            "this is a gateway of OpenClaw: connect by WebSocket\n",
        ),
        ("HEAD /nothing HTTP/1.1", 404, ""),
        ("POST /healthz HTTP/1.1", 405, "GET only\n"),
        ("DELETE /metrics HTTP/1.1", 405, "GET only\n"),
        ("OPTIONS * HTTP/1.1", 405, "GET only\n"),
    ] {
        let (found, answer) = ask(&gateway, &[line, HOST]).await;
        assert_eq!(found, status, "{line}: {answer}");
        let (head, found) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(found, body, "{line}");
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\r\ncache-control: no-store"), "{head}");
        assert!(
            head.contains("\r\nx-content-type-options: nosniff"),
            "{head}"
        );
        // Nothing here is for pages of others.
        assert!(!head.contains("access-control"), "{head}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_the_secret() {
    let gateway = start_behind_proxy("").await;
    let direct = start().await;
    let get = "GET /metrics HTTP/1.1";
    let mut raw = direct.raw().await;
    assert_eq!(raw.connect(operator_params()).await["ok"], true);
    let mut guess = operator_params();
    guess["role"] = "king".into();
    direct.raw().await.connect(guess).await;
    let (status, answer) = ask(&direct, &[get, HOST]).await;
    assert_eq!(status, 200);
    for line in [
        "connections{role=\"operator\"} 1\n",
        "handshakes_total{outcome=\"ok\"} 1\n",
        "handshakes_total{outcome=\"role\"} 1\n",
    ] {
        assert!(answer.contains(line), "{answer}");
    }
    assert!(
        !answer.contains("127.0.0.1") && !answer.contains(TOKEN),
        "{answer}"
    );
    let (elsewhere, right) = (
        "X-Forwarded-For: 192.0.2.1",
        format!("Authorization: Bearer {TOKEN}"),
    );
    let (status, answer) = ask(&gateway, &[get, HOST, elsewhere]).await;
    assert_eq!(status, 401);
    assert!(answer.contains("Authorization: Bearer"), "{answer}");
    assert_eq!(ask(&gateway, &[get, HOST, elsewhere, &right]).await.0, 200);
    direct.stop().await;
    gateway.stop().await;
}

/// The secret is the same by another way in, and so are the guesses at it.
#[tokio::test]
async fn t99_guesses_by_http_are_guesses() {
    let gateway = start_behind_proxy("").await;
    let (get, elsewhere) = ("GET /metrics HTTP/1.1", "X-Forwarded-For: 192.0.2.1");
    for _ in 0..10 {
        let guess = [get, HOST, elsewhere, "Authorization: Bearer guess"];
        assert_eq!(ask(&gateway, &guess).await.0, 401);
    }
    let right = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(ask(&gateway, &[get, HOST, elsewhere, &right]).await.0, 401);
    let mut raw = gateway
        .raw_with(&[("X-Forwarded-For", "192.0.2.1")])
        .await
        .unwrap();
    let locked = raw.connect(operator_params()).await;
    assert_eq!(locked["error"]["details"]["code"], "AUTH_RATE_LIMITED");
    gateway.stop().await;

    // Out of this machine they are slowed, whatever it is called.
    let limits = "limits: { loopbackDelayMs: 40, maxLoopbackDelayMs: 40 }";
    let gateway = start_with(settings(limits), |builder| builder).await;
    let begun = Instant::now();
    for _ in 0..12 {
        let guess = [get, "Host: claw.local", "Authorization: Bearer guess"];
        assert_eq!(ask(&gateway, &guess).await.0, 401);
    }
    assert!(begun.elapsed() >= Duration::from_millis(480));
    assert_eq!(
        ask(&gateway, &[get, "Host: claw.local", &right]).await.0,
        200
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t27_pages_have_to_call_the_gateway_by_a_name_of_its_own() {
    let allowed = "allowedHosts: ['claw.example']";
    let gateway = start_with(settings(allowed), |builder| builder).await;
    let get = "GET /healthz HTTP/1.1";
    for (host, status) in [
        ("Host: localhost", 200),
        ("Host: 192.0.2.7:80", 200),
        ("Host: [::1]:18789", 200),
        ("Host: claw.local", 200),
        ("Host: claw.tail1234.ts.net", 200),
        ("Host: CLAW.example:443", 200),
        ("Host: evil.example", 403),
        ("Host: localhost.evil.example", 403),
        ("X-Host: localhost", 403),
        ("Host: ", 400),
        ("Host: a b", 400),
        ("Host: localhost\r\nHost: localhost", 400),
        ("Host: localhost\r\nHost: evil.example", 400),
        (
            "Host: localhost\r\nOrigin: http://a\r\nOrigin: http://b",
            400,
        ),
    ] {
        let (found, answer) = ask(&gateway, &[get, host]).await;
        assert_eq!(found, status, "{host}: {answer}");
    }
    gateway.stop().await;
}

/// The line of a request may name a host as well, and it would be the one that counts.
#[tokio::test]
async fn t27_a_request_that_names_its_host_itself_is_refused() {
    let gateway = start().await;
    for line in [
        "GET http://evil.example/healthz HTTP/1.1",
        "GET http://localhost/healthz HTTP/1.1",
        "GET ws://localhost/ HTTP/1.1",
        "CONNECT localhost:80 HTTP/1.1",
    ] {
        for more in [&[HOST][..], &[&[HOST][..], &UPGRADE].concat()] {
            let (status, answer) = ask(&gateway, &[&[line], more].concat()).await;
            assert_eq!(status, 400, "{line}: {answer}");
            assert!(
                answer.ends_with("this is no proxy: ask for a path\n"),
                "{answer}"
            );
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_upgrade_to_a_websocket_is_refused_in_words() {
    let gateway = start().await;
    let words = "not a WebSocket request of version 13\n";
    for (line, leave_out, instead) in [
        ("GET / HTTP/1.1", "Sec-WebSocket-Key", ""),
        ("GET / HTTP/1.1", "Sec-WebSocket-Version", ""),
        (
            "GET / HTTP/1.1",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Version: 8",
        ),
        ("GET / HTTP/1.1", "Upgrade", "Upgrade: h2c"),
        ("GET / HTTP/1.0", "none", ""),
        ("POST / HTTP/1.1", "none", ""),
    ] {
        let mut lines = vec![line, HOST];
        lines.extend(
            UPGRADE
                .into_iter()
                .filter(|header| !header.starts_with(leave_out)),
        );
        lines.extend(Some(instead).filter(|instead| !instead.is_empty()));
        let (status, answer) = ask(&gateway, &lines).await;
        assert_eq!(status, 400, "{line} without {leave_out}: {answer}");
        assert!(answer.ends_with(words), "{answer}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_collected() {
    let gateway = start().await;
    let long = format!("X: {}", "a".repeat(100_000));
    let (status, answer) = ask(&gateway, &["GET /healthz HTTP/1.1", HOST, &long]).await;
    assert!([0, 431].contains(&status), "{answer}");
    let many: Vec<_> = (0..2000).map(|count| format!("X-{count}: a")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let lines = [&["GET /healthz HTTP/1.1", HOST][..], &many].concat();
    let (status, answer) = ask(&gateway, &lines).await;
    assert!([0, 431].contains(&status), "{answer}");
    assert_eq!(ask(&gateway, &["GET /healthz HTTP/1.1", HOST]).await.0, 200);
    gateway.stop().await;
}
