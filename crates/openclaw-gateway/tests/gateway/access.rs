//! Who is local, who is a page, and what that decides.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::refusals::{connect, refused};
use crate::support::{Running, TOKEN, node_params, operator_params, settings, start, start_with};

/// A gateway behind a proxy on this machine, so that clients of it come from elsewhere.
pub(crate) async fn start_behind_proxy(gateway: &str) -> Running {
    let settings = settings(&format!("trustedProxies: ['127.0.0.1'], {gateway}"));
    start_with(settings, |builder| builder).await
}

/// The answer to a `connect` with these headers; `device` of it is signed if there is one.
pub(crate) async fn answer(gateway: &Running, headers: &[(&str, &str)], params: &Value) -> Value {
    let mut raw = gateway.raw_with(headers).await.unwrap();
    raw.connect(params.clone()).await
}

/// The same as a new device.
async fn answer_new(gateway: &Running, headers: &[(&str, &str)], params: &Value) -> Value {
    let mut raw = gateway.raw_with(headers).await.unwrap();
    raw.connect_as(&gateway.device(), gateway, params.clone())
        .await
}

/// The status and text of an upgrade that is refused.
async fn turned(gateway: &Running, headers: &[(&str, &str)]) -> (u16, String) {
    match gateway.raw_with(headers).await {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("upgraded"),
    }
}

#[tokio::test]
async fn t22_a_secret_counts_only_if_it_is_right() {
    let gateway = start().await;
    for auth in [
        json!(null),
        json!({}),
        json!({ "token": "" }),
        json!({ "token": "guess" }),
        json!({ "password": TOKEN }),
        json!({ "deviceToken": TOKEN }),
        json!({ "bootstrapToken": TOKEN }),
        json!({ "token": format!("{TOKEN} ") }),
    ] {
        let mut params = operator_params();
        params["auth"] = auth.clone();
        let mut raw = gateway.raw().await;
        raw.challenge().await;
        raw.send(connect(&params)).await;
        let (error, end) = refused(&mut raw).await;
        assert_eq!(error["code"], "NOT_PAIRED", "{auth}");
        assert_eq!(error["message"], "device identity required", "{auth}");
        assert_eq!(
            error["details"],
            json!({ "code": "DEVICE_IDENTITY_REQUIRED" })
        );
        assert_eq!(
            end,
            json!({ "close": 1008, "reason": "device identity required" })
        );
    }
    // A node needs a device in any case.
    let refused = answer(&gateway, &[], &node_params()).await;
    assert_eq!(
        refused["error"]["details"]["code"],
        "DEVICE_IDENTITY_REQUIRED"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t23_without_a_device_scopes_are_kept_on_this_machine_only() {
    let gateway = start_behind_proxy("").await;
    let direct = start().await;
    let scopes = async |gateway: &Running, headers: &[(&str, &str)]| {
        let answer = answer(gateway, headers, &operator_params()).await;
        answer["payload"]["auth"]["scopes"].clone()
    };
    let own = format!("http://{}", direct.address);
    assert_eq!(scopes(&direct, &[]).await, json!(["operator.admin"]));
    assert_eq!(
        scopes(&direct, &[("Host", "localhost")]).await,
        json!(["operator.admin"])
    );
    assert_eq!(scopes(&direct, &[("Origin", &own)]).await, json!([]));
    assert_eq!(scopes(&gateway, &[]).await, json!([]));
    for client in ["192.0.2.1", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(
            scopes(&gateway, &[("X-Forwarded-For", client)]).await,
            json!([]),
            "{client}"
        );
    }
    // And without scopes, nothing is answered.
    let mut raw = gateway.raw().await;
    raw.connect(operator_params()).await;
    for method in ["health", "device.pair.list", "node.list", "node.pair.list"] {
        raw.request(method, json!({})).await;
        let answer = raw.answer().await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("missing scope: "),
            "{method}: {message}"
        );
    }
    direct.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn t26_what_a_client_calls_itself_opens_nothing() {
    let gateway = start_behind_proxy("").await;
    let elsewhere = [("X-Forwarded-For", "192.0.2.1")];
    for (id, mode) in [
        ("cli", "cli"),
        ("openclaw-control-ui", "ui"),
        ("webchat-ui", "webchat"),
        ("gateway-client", "backend"),
        ("openclaw-ios", "ui"),
        ("openclaw-android", "node"),
        ("openclaw-macos", "ui"),
        ("openclaw-probe", "probe"),
        ("test", "test"),
    ] {
        let mut params = operator_params();
        params["client"] = json!({ "id": id, "version": "1", "platform": "ios", "mode": mode });
        let answered = answer(&gateway, &elsewhere, &params).await;
        assert_eq!(answered["payload"]["auth"]["scopes"], json!([]), "{id}");
        let asked = answer_new(&gateway, &elsewhere, &params).await;
        assert_eq!(
            asked["error"]["details"]["reason"], "not-paired",
            "{id}: {asked}"
        );
        params["auth"] = json!({ "token": "guess" });
        gateway.clock.0.advance(std::time::Duration::from_secs(60));
        let refused = answer_new(&gateway, &elsewhere, &params).await;
        assert_eq!(
            refused["error"]["details"]["code"], "AUTH_TOKEN_MISMATCH",
            "{id}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t27_a_page_of_another_origin_is_refused_whatever_it_shows() {
    let gateway = start().await;
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        "http://127.0.0.1:1",
        "file://",
        "chrome-extension://abcdef",
    ] {
        let (status, text) = turned(&gateway, &[("Origin", origin)]).await;
        assert_eq!(status, 403, "{origin}");
        assert!(text.starts_with("origin not allowed"), "{text}");
    }
    // Rebinding: a name that somebody else can point here.
    let (status, text) = turned(
        &gateway,
        &[
            ("Origin", "http://rebind.example"),
            ("Host", "rebind.example"),
        ],
    )
    .await;
    assert_eq!(status, 403);
    assert!(text.contains("gateway.allowedHosts"), "{text}");
    gateway.stop().await;
}

#[tokio::test]
async fn t27_an_allowed_page_is_asked_about_even_on_this_machine() {
    let allowed = "controlUi: { allowedOrigins: ['https://ui.example'] }";
    let gateway = start_with(settings(allowed), |builder| builder).await;
    let own = format!("http://{}", gateway.address);
    for page in [own.as_str(), "https://ui.example"] {
        let asked = answer_new(&gateway, &[("Origin", page)], &operator_params()).await;
        assert_eq!(asked["error"]["code"], "NOT_PAIRED", "{page}: {asked}");
        assert_eq!(asked["error"]["message"], "pairing required");
    }
    // No page, on this machine, with the secret: nobody is asked.
    let in_ = answer_new(&gateway, &[], &operator_params()).await;
    assert_eq!(
        in_["payload"]["auth"]["scopes"],
        json!(["operator.admin"]),
        "{in_}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t28_headers_of_proxies_from_nobody_trusted_refuse_the_upgrade() {
    let gateway = start().await;
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-For", ""),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("Via", "1.1 proxy"),
        ("CF-Connecting-IP", "127.0.0.1"),
        ("Tailscale-User-Login", "ann@example.org"),
    ] {
        let (status, text) = turned(&gateway, &[(name, value)]).await;
        assert_eq!(status, 403, "{name}");
        let expected = format!(
            "the request has the header {}, and 127.0.0.1 is no trusted proxy: if it is a proxy of \
             yours, add it to gateway.trustedProxies\n",
            name.to_ascii_lowercase()
        );
        assert_eq!(text, expected);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t28_nobody_behind_a_proxy_is_local() {
    let gateway = start_behind_proxy("").await;
    for headers in [
        &[][..],
        &[("X-Forwarded-For", "127.0.0.1")],
        &[("X-Forwarded-For", "192.0.2.1")],
    ] {
        let asked = answer_new(&gateway, headers, &operator_params()).await;
        assert_eq!(
            asked["error"]["details"]["reason"], "not-paired",
            "{headers:?}: {asked}"
        );
    }
    let (status, text) = turned(&gateway, &[("X-Forwarded-For", "somebody")]).await;
    assert_eq!(status, 400, "{text}");
    gateway.stop().await;
}

#[tokio::test]
async fn t30_a_name_that_begins_like_loopback_is_not_local() {
    let gateway = start().await;
    for host in [
        "127.evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "127.1",
        "192.0.2.1",
    ] {
        let headers = [("Host", host)];
        let answered = answer(&gateway, &headers, &operator_params()).await;
        assert_eq!(answered["payload"]["auth"]["scopes"], json!([]), "{host}");
        let asked = answer_new(&gateway, &headers, &operator_params()).await;
        assert_eq!(asked["error"]["message"], "pairing required", "{host}");
    }
    for host in ["127.0.0.1", "localhost:1", "[::1]"] {
        let answered = answer(&gateway, &[("Host", host)], &operator_params()).await;
        assert_eq!(
            answered["payload"]["auth"]["scopes"],
            json!(["operator.admin"]),
            "{host}"
        );
    }
    gateway.stop().await;
}
