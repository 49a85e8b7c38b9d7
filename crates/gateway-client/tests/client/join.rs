//! Join URLs, at a server that answers as it is told.

use std::time::Duration;

use gateway_client::{ConnectError, JoinError, join};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Serves one answer at a join URL, and returns what was asked with what came of it.
async fn joined(answer: &str) -> (String, Result<gateway_protocol::SetupCode, JoinError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(socket.read_u8().await.unwrap());
        }
        // The client need not wait for the end.
        let _ = socket.write_all(answer.as_bytes()).await;
        String::from_utf8(asked)
            .unwrap()
            .replace(&port.to_string(), "PORT")
    };
    let url = format!("http://127.0.0.1:{port}/base/j/AAAA");
    let (asked, joined) = tokio::join!(serve, join(&url, None, TIMEOUT));
    (asked, joined)
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_join_url_is_exchanged_for_a_setup_code() {
    // Release 2026.9.6 has no `token` beside the `bootstrapToken`.
    let token = "A".repeat(43);
    let body =
        format!(r#"{{"url":"ws://127.0.0.1:22000","bootstrapToken":"{token}","access":"node"}}"#);
    let (asked, code) = joined(&ok(&body)).await;
    let code = code.unwrap();
    assert_eq!(code.url.as_str(), "ws://127.0.0.1:22000");
    assert_eq!(code.token.expose(), token);
    assert_eq!(
        asked,
        "GET /base/j/AAAA HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\naccept: application/json\r\n\r\n"
    );
}

#[tokio::test]
async fn answers_that_are_no_setup_code() {
    let none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(joined(none).await.1, Err(JoinError::Gone)));
    let limited = "HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    let limited = joined(limited).await.1;
    assert!(matches!(
        limited,
        Err(JoinError::Limited {
            retry_after: Some(7)
        })
    ));
    // Another address is not asked.
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(
        joined(moved).await.1,
        Err(JoinError::Status { status: 302 })
    ));
    for body in [
        "",
        "{}",
        "<html>",
        r#"{"url":"ws://8.8.8.8","bootstrapToken":"a"}"#,
    ] {
        let answer = joined(&ok(body)).await.1;
        assert!(
            matches!(answer, Err(JoinError::Answer(_))),
            "{body}: {answer:?}"
        );
    }
    let endless = ok(&"x".repeat(gateway_protocol::SetupCode::MAX_BYTES + 1));
    assert!(matches!(joined(&endless).await.1, Err(JoinError::Http(_))));
    assert!(matches!(joined("").await.1, Err(JoinError::Http(_))));
}

#[tokio::test]
async fn urls_that_are_no_join_urls() {
    let tried = async |url: &str| join(url, None, TIMEOUT).await.unwrap_err();
    // Without encryption, strangers would read the code.
    assert!(matches!(
        tried("http://8.8.8.8/j/AAAA").await,
        JoinError::Url(_)
    ));
    assert!(matches!(
        tried("https://gateway.example/").await,
        JoinError::NoCode
    ));
    assert!(matches!(
        tried("https://gateway.example/j/").await,
        JoinError::NoCode
    ));
    assert!(matches!(tried("file:///j/AAAA").await, JoinError::Url(_)));
    let nobody = tried("http://127.0.0.1:1/j/AAAA").await;
    assert!(
        matches!(nobody, JoinError::Connect(ConnectError::Io(_))),
        "{nobody:?}"
    );
}
