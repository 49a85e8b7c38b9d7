//! Join codes: made by an operator, and fetched once.

use gateway_protocol::SetupCode;
use serde_json::{Value, json};

use crate::access::start_behind_proxy;
use crate::http::ask;
use crate::support::{Running, settings, start_with};

async fn get(gateway: &Running, line: &str) -> (u16, String) {
    let (status, answer) = ask(gateway, &[line, "Host: localhost"]).await;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    (status, body.to_owned())
}

#[tokio::test]
async fn a_join_code_is_exchanged_once() {
    let limits = "limits: { loopbackDelayMs: 1, maxLoopbackDelayMs: 1 }";
    let gateway = start_with(settings(limits), |builder| builder).await;
    let mut admin = gateway.admin().await;
    // As the command line of release 2026.9.6 asks for one.
    let params = json!({
        "bootstrapProfile": "node", "includeQr": false, "joinUrl": true, "url": "wss://a.example/base/",
    });
    let issued = admin.call("device.pair.setupCode", params).await.unwrap();
    let url = issued["joinUrl"].as_str().unwrap();
    let code = url.strip_prefix("https://a.example/base/j/").unwrap();
    assert_eq!(code.len(), 22, "{url}");
    assert_eq!(issued["roles"], json!(["node"]));

    let path = format!("/j/{code}");
    for line in [
        "GET /j/AAAAAAAAAAAAAAAAAAAAAA HTTP/1.1".to_owned(),
        "GET /j/ HTTP/1.1".to_owned(),
        format!("GET {path}?a HTTP/1.1"),
        format!("GET {path}/ HTTP/1.1"),
    ] {
        let (status, body) = get(&gateway, &line).await;
        assert_eq!(
            (status, body.as_str()),
            (404, r#"{"error":"not_found"}"#),
            "{line}"
        );
    }
    assert_eq!(get(&gateway, &format!("HEAD {path} HTTP/1.1")).await.0, 404);
    let (status, body) = get(&gateway, &format!("GET {path} HTTP/1.1")).await;
    assert_eq!(status, 200, "{body}");
    let payload: Value = serde_json::from_str(&body).unwrap();
    let setup = SetupCode::decode(issued["setupCode"].as_str().unwrap()).unwrap();
    assert_eq!(payload["bootstrapToken"], setup.token.expose());
    assert_eq!(payload["url"], "wss://a.example/base/");
    let (status, body) = get(&gateway, &format!("GET {path} HTTP/1.1")).await;
    assert_eq!((status, body.as_str()), (404, r#"{"error":"not_found"}"#));
    gateway.stop().await;
}

#[tokio::test]
async fn t99_guesses_at_join_codes_are_guesses() {
    let gateway = start_behind_proxy("").await;
    let device = gateway.device();
    let mut admin = gateway.operator_device(&device, &["operator.admin"]).await;
    let params = json!({ "profile": "node", "joinUrl": true, "url": "wss://a.example" });
    let issued = admin.call("device.pair.setupCode", params).await.unwrap();
    let path = issued["joinUrl"].as_str().unwrap();
    let path = path.strip_prefix("https://a.example").unwrap();
    let right = format!("GET {path} HTTP/1.1");
    let get = async |line: &str| {
        let lines = [line, "Host: localhost", "X-Forwarded-For: 192.0.2.1"];
        ask(&gateway, &lines).await
    };
    for number in 0..10 {
        let guess = format!("GET /j/guess{number} HTTP/1.1");
        assert_eq!(get(&guess).await.0, 404);
    }
    // The right one comes too late.
    let (status, answer) = get(&right).await;
    assert_eq!(status, 429, "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    gateway.stop().await;
}
