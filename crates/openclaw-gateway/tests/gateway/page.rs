//! The page for browsers: which clients it is served to, and what keeps others out.

use crate::access::start_behind_proxy;
use crate::http::ask;
use crate::support::{Running, settings, start, start_with};

const GET: &str = "GET / HTTP/1.1";
const HERE: &str = "Host: 127.0.0.1:18789";

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

async fn with(gateway: &str) -> Running {
    start_with(settings(gateway), |builder| builder).await
}

#[tokio::test]
async fn every_file_keeps_others_out() {
    let gateway = start().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/?a=b", "text/html; charset=utf-8"),
        ("/ui/app.js", "text/javascript; charset=utf-8"),
        ("/ui/style.css", "text/css; charset=utf-8"),
        ("/ui/icon.svg", "image/svg+xml"),
    ] {
        let line = format!("GET {path} HTTP/1.1");
        let (status, answer) = ask(&gateway, &[&line, HERE]).await;
        assert_eq!(status, 200, "{path}: {answer}");
        assert_eq!(header(&answer, "content-type"), Some(kind), "{path}");
        let policy = header(&answer, "content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|found| found == part), "{policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{path}");
        }
        assert!(!answer.to_ascii_lowercase().contains("access-control"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_told_so() {
    let gateway = start().await;
    let (_, answer) = ask(&gateway, &[GET, HERE]).await;
    let tag = format!("If-None-Match: {}", header(&answer, "etag").unwrap());
    let (status, answer) = ask(&gateway, &[GET, HERE, &tag]).await;
    assert_eq!(status, 304);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(header(&answer, "content-security-policy").is_some());
    let (status, answer) = ask(&gateway, &["GET /ui/app.js HTTP/1.1", HERE, &tag]).await;
    assert_eq!(status, 200, "{answer}");
    let packed = [
        "HEAD /ui/app.js HTTP/1.1",
        HERE,
        "Accept-Encoding: br, gzip",
    ];
    let (status, answer) = ask(&gateway, &packed).await;
    assert_eq!(
        (status, header(&answer, "content-encoding")),
        (200, Some("gzip"))
    );
    assert_eq!(header(&answer, "vary"), Some("accept-encoding"));
    let (status, answer) = ask(&gateway, &["HEAD / HTTP/1.1", HERE]).await;
    assert_eq!((status, header(&answer, "content-encoding")), (200, None));
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    gateway.stop().await;
}

/// In the clear it is for this machine alone, unless the owner says otherwise: the secret is typed into it.
#[tokio::test]
async fn by_default_it_is_for_this_machine_or_by_tls() {
    let (from, tls) = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https");
    let proxied = start_behind_proxy("").await;
    assert_eq!(ask(&proxied, &[GET, HERE, from, tls]).await.0, 200);
    let (status, answer) = ask(&proxied, &[GET, HERE, from]).await;
    assert_eq!(status, 403);
    assert!(answer.contains("http://localhost"), "{answer}");
    // Who stands behind a proxy is not of this machine, whatever the address.
    let local = "X-Forwarded-For: 127.0.0.1";
    assert_eq!(ask(&proxied, &[GET, HERE, local]).await.0, 403);
    assert_eq!(
        ask(&proxied, &["GET /ui/app.js HTTP/1.1", HERE, from])
            .await
            .0,
        403
    );
    proxied.stop().await;

    let open = start_behind_proxy("controlUi: { enabled: true }").await;
    assert_eq!(ask(&open, &[GET, HERE, from]).await.0, 200);
    open.stop().await;

    let closed = with("controlUi: { enabled: false }").await;
    for path in ["/", "/ui/app.js"] {
        let line = format!("GET {path} HTTP/1.1");
        let (status, answer) = ask(&closed, &[&line, HERE]).await;
        assert_eq!(status, 404, "{answer}");
        assert!(answer.contains("connect by WebSocket"), "{answer}");
    }
    closed.stop().await;
}

#[tokio::test]
async fn t30_by_a_name_that_is_not_its_own_there_is_no_page() {
    let gateway = start().await;
    for host in [
        "rebind.evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com:18789",
    ] {
        let host = format!("Host: {host}");
        for path in ["/", "/ui/app.js"] {
            let line = format!("GET {path} HTTP/1.1");
            let (status, answer) = ask(&gateway, &[&line, &host]).await;
            assert_eq!(status, 403, "{host}: {answer}");
            assert!(!answer.contains("<html"), "{answer}");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn nothing_is_changed_by_asking_for_a_page() {
    let gateway = start().await;
    for line in [
        "POST / HTTP/1.1",
        "PUT /ui/app.js HTTP/1.1",
        "DELETE / HTTP/1.1",
        "POST /pairing.approve HTTP/1.1",
    ] {
        let (status, answer) = ask(&gateway, &[line, HERE, "Content-Length: 0"]).await;
        assert_eq!(status, 405, "{line}: {answer}");
    }
    for path in [
        "/ui/",
        "/ui",
        "/ui/types.d.ts",
        "/ui/../ui/app.js",
        "/index.html",
        "//",
    ] {
        let line = format!("GET {path} HTTP/1.1");
        assert_eq!(ask(&gateway, &[&line, HERE]).await.0, 404, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn below_a_base_path_everything_is_found_by_proxies_of_either_kind() {
    let gateway = with("controlUi: { basePath: 'my/openclaw' }").await;
    for path in ["/my/openclaw", "/my/openclaw/", "/my/openclaw/?a=b", "/"] {
        let line = format!("GET {path} HTTP/1.1");
        let (status, answer) = ask(&gateway, &[&line, HERE]).await;
        assert_eq!(status, 200, "{path}: {answer}");
        for part in [
            "<html data-base=\"/my/openclaw/\"",
            "src=\"/my/openclaw/ui/app.js\"",
            "href=\"/my/openclaw/ui/style.css\"",
        ] {
            assert!(answer.contains(part), "{path}: {answer}");
        }
        let parts = header(&answer, "link").unwrap();
        assert!(
            parts.contains("</my/openclaw/ui/wire.js>; rel=modulepreload"),
            "{parts}"
        );
        assert!(header(&answer, "content-security-policy").is_some());
    }
    for (path, status) in [
        ("/my/openclaw/ui/app.js", 200),
        ("/ui/app.js", 200),
        ("/my/openclaw/healthz", 200),
        ("/healthz", 200),
        ("/my/openclawui/app.js", 404),
        ("/my/openclaw/my/openclaw/", 404),
        ("/my/", 404),
    ] {
        let line = format!("GET {path} HTTP/1.1");
        assert_eq!(ask(&gateway, &[&line, HERE]).await.0, status, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_base_path_that_cannot_be_understood_closes_the_page() {
    let gateway = with("controlUi: { enabled: true, basePath: '/a b' }").await;
    assert_eq!(ask(&gateway, &[GET, HERE]).await.0, 404);
    assert_eq!(ask(&gateway, &["GET /healthz HTTP/1.1", HERE]).await.0, 200);
    gateway.stop().await;
}
