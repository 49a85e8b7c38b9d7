//! The webhook on the gateway's own HTTP server, over raw sockets.

use test_support::Logs;
use test_support::whatsapp::{ANN, APP_SECRET, VERIFY_TOKEN, WhatsApp, signature};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{install, start, webhook};
use crate::bots::Running;

const PATH: &str = "/whatsapp-webhook";

/// The whole answer to a request whose bytes these are.
async fn answer(gateway: &Running, request: &str) -> String {
    let address = gateway.url.to_string().replace("ws://", "");
    let address = address.trim_end_matches('/');
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = request.replace("HOST", address);
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = socket.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

async fn status(gateway: &Running, request: &str) -> u16 {
    let answer = answer(gateway, request).await;
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {PATH} HTTP/1.1\r\nhost: HOST\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn signed(body: &str) -> String {
    format!(
        "x-hub-signature-256: {}\r\n",
        signature(body.as_bytes(), APP_SECRET)
    )
}

#[tokio::test]
async fn t181_only_what_meta_signs_is_heard() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, false);
    let gateway = start(&dir, &whatsapp).await;
    let body = whatsapp.note(ANN, "let me in").to_string();
    let changed = body.replace("15550001111", "15559990000");
    assert_eq!(status(&gateway, &post("", &body)).await, 401);
    // Neither another body under the same signature, nor another secret, nor a choice of two.
    let secret = signature(body.as_bytes(), "fedcba9876543210fedcba9876543210");
    for (headers, body) in [
        (signed(&body), &changed),
        (signed("{}"), &body),
        (format!("x-hub-signature-256: {secret}\r\n"), &body),
        (format!("{}{}", signed(&body), signed("{}")), &body),
        (signed(&body).replace("-256", ""), &body),
    ] {
        assert_eq!(
            status(&gateway, &post(&headers, body)).await,
            401,
            "{headers}"
        );
    }
    assert!(logs.count("call of a webhook refused") >= 3);
    assert_eq!(whatsapp.count_sent(), 0);
    assert_eq!(status(&gateway, &post(&signed(&body), &body)).await, 200);
    whatsapp.sent_to(ANN).await;
    // A replay is taken, and does nothing.
    assert_eq!(status(&gateway, &post(&signed(&body), &body)).await, 200);
    assert_eq!(whatsapp.says("+15550002222", "me too").await, 200);
    whatsapp.sent_to("+15550002222").await;
    assert_eq!(whatsapp.count_sent(), 2);
    gateway.stop().await;
    assert!(!logs.text().contains(APP_SECRET) && !logs.text().contains("let me in"));
}

#[tokio::test]
async fn bad_bodies_are_refused_and_the_next_message_comes_through() {
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, false);
    let gateway = start(&dir, &whatsapp).await;
    for body in ["", "{", "[]", "payload=%7B%7D"] {
        assert_eq!(
            status(&gateway, &post(&signed(body), body)).await,
            400,
            "{body}"
        );
    }
    let announced =
        format!("POST {PATH} HTTP/1.1\r\nhost: HOST\r\ncontent-length: 1000000\r\n\r\n");
    // Without a signature, the answer comes before the body.
    assert_eq!(status(&gateway, &announced).await, 401);
    let long = announced
        .replace("1000000", "3145729")
        .replace("\r\n\r\n", &format!("\r\n{}\r\n", signed("")));
    assert_eq!(status(&gateway, &long).await, 413);
    let body = whatsapp.note(ANN, "smuggled").to_string();
    for second in [
        "content-length: 5\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let headers = format!("{second}{}", signed(&body));
        assert_eq!(
            status(&gateway, &post(&headers, &body)).await,
            400,
            "{second}"
        );
    }
    assert_eq!(whatsapp.says(ANN, &"x".repeat(100_000)).await, 200);
    whatsapp.sent_to(ANN).await;
    assert_eq!(whatsapp.count_sent(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn the_webhook_is_set_up_by_its_token_alone() {
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, false);
    let gateway = start(&dir, &whatsapp).await;
    let url = webhook(&gateway);
    assert_eq!(whatsapp.subscribe(&url, "another-token").await, Some(401));
    assert_eq!(whatsapp.subscribe(&url, "").await, Some(401));
    let get = |query: &str| format!("GET {PATH}?{query} HTTP/1.1\r\nhost: HOST\r\n\r\n");
    let right = format!("hub.mode=subscribe&hub.challenge=4711&hub.verify_token={VERIFY_TOKEN}");
    let answered = answer(&gateway, &get(&right)).await;
    assert!(answered.ends_with("\r\n\r\n4711"), "{answered}");
    assert!(
        answered.contains("text/plain") && answered.contains("nosniff"),
        "{answered}"
    );
    let script = right.replace("4711", "%3Cscript%3E");
    assert_eq!(status(&gateway, &get(&script)).await, 401);
    assert_eq!(status(&gateway, &get("")).await, 401);
    let delete = get(&right).replace("GET", "DELETE");
    assert_eq!(status(&gateway, &delete).await, 405);
    gateway.stop().await;
}
