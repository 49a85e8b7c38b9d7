//! The webhook on the gateway's own HTTP server, over raw sockets.

use serde_json::json;
use test_support::Logs;
use test_support::bluebubbles::{ANN, BlueBubbles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{QUERY, chat, install, sent, start};
use crate::bots::Running;

const PATH: &str = "/bluebubbles-webhook";

/// The status of the answer to a request whose bytes these are.
async fn status(gateway: &Running, request: &str) -> u16 {
    let address = gateway.url.to_string().replace("ws://", "");
    let address = address.trim_end_matches('/');
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = request.replace("HOST", address);
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let read = socket.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: HOST\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn only_whoever_knows_the_password_is_heard_and_their_body_is_not_read_before() {
    let server = BlueBubbles::start().await;
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    let body = server.notes(ANN, "let me in").to_string();
    for path in [
        PATH.to_owned(),
        format!("{PATH}?password=wrong"),
        format!("{PATH}?password="),
    ] {
        assert_eq!(
            status(&gateway, &post(&path, "", &body)).await,
            401,
            "{path}"
        );
    }
    // The answer comes before the body, which never does.
    let announced =
        format!("POST {PATH}?password=x HTTP/1.1\r\nhost: HOST\r\ncontent-length: 1000000\r\n\r\n");
    assert_eq!(status(&gateway, &announced).await, 401);
    let wrong = post(&format!("{PATH}?{QUERY}"), "x-password: wrong\r\n", &body);
    assert_eq!(status(&gateway, &wrong).await, 401);
    let elsewhere = post(&format!("/other?{QUERY}"), "", &body);
    assert_eq!(status(&gateway, &elsewhere).await, 405);
    let get = format!("GET {PATH}?{QUERY} HTTP/1.1\r\nhost: HOST\r\n\r\n");
    assert_eq!(status(&gateway, &get).await, 405);
    let right = post(PATH, "x-password: hunter2 & co\r\n", &body);
    assert_eq!(status(&gateway, &right).await, 200);
    assert_eq!(sent(&server).await.0, chat(ANN));
    gateway.stop().await;
}

#[tokio::test]
async fn bad_bodies_are_refused_and_the_next_message_comes_through() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let server = BlueBubbles::start().await;
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    let path = format!("{PATH}?{QUERY}");
    for body in [
        "",
        "{",
        "[]",
        "{\"type\":\"new-message\"}",
        "payload=%7B%7D",
    ] {
        assert_eq!(
            status(&gateway, &post(&path, "", body)).await,
            400,
            "{body}"
        );
    }
    let long = format!("POST {path} HTTP/1.1\r\nhost: HOST\r\ncontent-length: 1048577\r\n\r\n");
    assert_eq!(status(&gateway, &long).await, 413);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
    let chunked =
        format!("POST {path} HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(status(&gateway, &(chunked + &chunk.repeat(17))).await, 413);
    assert_eq!(server.says(ANN, "let me in").await, [200]);
    assert_eq!(sent(&server).await.0, chat(ANN));
    gateway.stop().await;
    assert!(!logs.text().contains("hunter2"));
}

#[tokio::test]
async fn a_second_content_length_is_refused() {
    let server = BlueBubbles::start().await;
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    let body = server.notes(ANN, "smuggled").to_string();
    let path = format!("{PATH}?{QUERY}");
    for second in [
        "content-length: 5\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        assert_eq!(
            status(&gateway, &post(&path, second, &body)).await,
            400,
            "{second}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn guesses_are_counted_and_named() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let server = BlueBubbles::start().await;
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    for guess in 0..3 {
        let path = format!("{PATH}?password={guess}");
        assert_eq!(status(&gateway, &post(&path, "", "{}")).await, 401);
    }
    assert_eq!(logs.count("call of a webhook refused"), 3);
    // On this machine guesses are slowed, and whoever knows the password is heard.
    assert_eq!(server.says(ANN, "let me in").await, [200]);
    gateway.stop().await;
}

#[tokio::test]
async fn two_accounts_share_a_path_and_the_password_tells_them_apart() {
    let (one, two) = (BlueBubbles::start().await, BlueBubbles::start().await);
    let dir = install(&one, false);
    let file = dir.path().join("openclaw.json");
    let mut config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    two.set_password("another");
    let work = json!({ "serverUrl": two.root(), "password": "another" });
    config["channels"]["bluebubbles"]["accounts"] = json!({ "work": work });
    std::fs::write(&file, config.to_string()).unwrap();
    let gateway = start(&dir, &one).await;
    while two.requested("POST message/query").await["sort"] != "ASC" {}
    two.add_webhook(&super::webhook(&gateway).replace(QUERY, "password=another"));
    assert_eq!(two.says(ANN, "to the other one").await, [200]);
    assert_eq!(sent(&two).await.0, chat(ANN));
    assert_eq!(one.requests("POST message/text"), 0);
    gateway.stop().await;
    // With one password for both there is no telling.
    config["channels"]["bluebubbles"]["accounts"]["work"]["password"] = json!("hunter2 & co");
    two.set_password("hunter2 & co");
    std::fs::write(&file, config.to_string()).unwrap();
    let gateway = start(&dir, &one).await;
    assert_eq!(one.says(ANN, "to whom?").await, [401]);
    gateway.stop().await;
}
