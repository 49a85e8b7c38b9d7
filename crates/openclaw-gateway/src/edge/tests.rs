use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// An upgrade, called by this name, and what comes with it.
fn upgrade(host: &str, more: &[(&str, &str)]) -> HeaderMap {
    let mut lines = vec![("host", host), ("upgrade", "WebSocket")];
    lines.extend(more);
    headers(&lines)
}

fn door(proxies: &[&str], origins: &[&str]) -> Door {
    let proxies = Cidrs::parse(proxies).unwrap();
    Door::new(proxies, origins, &["gw.example.org"], false).unwrap()
}

const HERE: &str = "127.0.0.1:18789";

#[test]
fn t27_a_page_is_never_local_and_has_to_be_allowed() {
    let door = door(&[], &["https://ui.example.org", "http://localhost:5173"]);
    for (host, origin, is_allowed) in [
        (HERE, "http://127.0.0.1:18789", true),
        ("localhost:18789", "http://localhost:18789", true),
        ("LOCALHOST:18789", "HTTP://localhost:18789", true),
        ("claw.local", "http://claw.local", true),
        ("claw.local:80", "http://claw.local", true),
        ("gw.example.org:18789", "http://gw.example.org:18789", true),
        ("[::1]:18789", "http://[::1]:18789", true),
        (HERE, "https://ui.example.org", true),
        (HERE, "https://UI.example.org:443", true),
        ("ui.example.org", "https://ui.example.org", true),
        (HERE, "http://localhost:5173", true),
        // Another page on this machine, another port, another scheme.
        (HERE, "http://localhost:18789", false),
        (HERE, "http://127.0.0.1", false),
        (HERE, "http://127.0.0.1:3000", false),
        (HERE, "https://127.0.0.1:18789", false),
        (HERE, "http://localhost:5174", false),
        (HERE, "http://127.0.0.1:18789/", false),
        (HERE, "https://evil.example", false),
        (HERE, "https://ui.example.org.evil.example", false),
        (HERE, "https://ui.example.org:8443", false),
        (HERE, "null", false),
        (HERE, "", false),
        (HERE, "*", false),
        (HERE, "https://*", false),
        (HERE, "h\u{e9}", false),
    ] {
        let arrival = door.judge(ip("127.0.0.1"), &upgrade(host, &[("origin", origin)]));
        let arrival = arrival.unwrap();
        let expected = if is_allowed {
            Origin::Allowed(origin.to_owned())
        } else {
            Origin::Refused(origin.to_owned())
        };
        assert_eq!(arrival.origin, expected, "{host}");
        assert!(!arrival.is_local(), "{host} {origin}");
    }
    let arrival = door.judge(ip("127.0.0.1"), &upgrade(HERE, &[])).unwrap();
    assert!(arrival.is_local() && arrival.origin == Origin::None);
}

#[test]
fn t27_every_origin_is_not_one() {
    for (bad, index) in [
        (["https://a.example", "*"], 1),
        (["null", "*"], 0),
        (["a", "b"], 0),
    ] {
        let error = Door::new(Cidrs::default(), &bad, &[""; 0], false).unwrap_err();
        let found = bad[index].to_owned();
        assert_eq!(error, DoorError::Origin { index, found });
    }
    for bad in ["*", "a:1", "https://a", "*.example.org", ""] {
        assert!(
            Door::new(Cidrs::default(), &[""; 0], &[bad], false).is_err(),
            "{bad}"
        );
    }
    assert!(
        Door::new(
            Cidrs::default(),
            &["https://a.example/"],
            &["::1"; 0],
            false
        )
        .is_ok()
    );
}

#[test]
fn t27_a_page_has_to_call_the_gateway_by_a_name_of_its_own() {
    let door = door(&[], &["https://ui.example.org"]);
    for (host, passes) in [
        ("127.0.0.1", true),
        ("192.0.2.7:18789", true),
        ("[::1]:18789", true),
        ("localhost", true),
        ("claw.local:18789", true),
        ("claw.tail1234.ts.net", true),
        ("gw.example.org:1", true),
        ("GW.Example.org.", true),
        ("ui.example.org", true),
        ("rebind.evil.example", false),
        ("gw.example.org.evil.example", false),
        ("claw", false),
        ("127.0.0.1.evil.example", false),
    ] {
        let name = host.split(':').next().unwrap().to_owned();
        let refused = |result: Result<Arrival, Turned>| match result {
            Ok(_) => None,
            Err(turned) => {
                assert_eq!(turned, Turned::UnknownHost { host: name.clone() });
                assert_eq!(turned.status(), 403);
                assert!(turned.message().contains("gateway.allowedHosts"));
                Some(())
            }
        };
        let expected = (!passes).then_some(());
        let page = door.judge(ip("192.0.2.1"), &headers(&[("host", host)]));
        assert_eq!(refused(page), expected, "{host}");
        // Whatever the Origin is: where a name was pointed here, both are the same.
        let origin = format!("http://{host}");
        let socket = door.judge(ip("127.0.0.1"), &upgrade(host, &[("origin", &origin)]));
        assert_eq!(refused(socket), expected, "{host}");
        // A program is not fooled by names.
        let program = door.judge(ip("192.0.2.1"), &upgrade(host, &[])).unwrap();
        assert_eq!(program.is_direct, passes, "{host}");
    }
    let no_host = Turned::UnknownHost {
        host: String::new(),
    };
    let origin = headers(&[
        ("upgrade", "websocket"),
        ("origin", "https://ui.example.org"),
    ]);
    for headers in [HeaderMap::new(), origin] {
        assert_eq!(door.judge(ip("127.0.0.1"), &headers), Err(no_host.clone()));
    }
}

#[test]
fn t28_loopback_by_another_name_is_not_local() {
    let door = door(&[], &[]);
    for (host, is_local) in [
        ("127.0.0.1:18789", true),
        ("127.0.0.2", true),
        ("localhost:18789", true),
        ("[::1]:18789", true),
        // A proxy on this machine hands on what its clients called it by.
        ("192.168.1.5:18789", false),
        ("gw.example.org", false),
        ("claw.local", false),
        ("claw.tail1234.ts.net", false),
        ("evil.example", false),
    ] {
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let arrival = door.judge(ip(peer), &upgrade(host, &[])).unwrap();
            assert_eq!(arrival.is_local(), is_local, "{peer} {host}");
            assert_eq!(arrival.is_direct, is_local, "{peer} {host}");
        }
        let arrival = door.judge(ip("192.0.2.1"), &upgrade(host, &[])).unwrap();
        assert!(!arrival.is_local());
    }
    let no_host = headers(&[("upgrade", "websocket")]);
    assert!(!door.judge(ip("127.0.0.1"), &no_host).unwrap().is_local());
}

#[test]
fn t28_nobody_but_a_trusted_proxy_speaks_for_others() {
    let door = door(&["10.0.0.1"], &[]);
    for name in [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Server",
        "X-Forwarded-Prefix",
        "X-Forwarded",
        "X-Forwarded-Anything",
        "X-Real-IP",
        "Via",
        "CF-Connecting-IP",
        "CF-Connecting-IPv6",
        "CF-Ray",
        "CF-Visitor",
        "True-Client-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "X-Original-Forwarded-For",
        "X-Original-Host",
        "X-Envoy-External-Address",
        "Fastly-Client-IP",
        "Fly-Client-IP",
        "CDN-Loop",
        "Tailscale-User-Login",
        "Tailscale-User-Name",
        "Tailscale-Anything",
        "Client-IP",
        "X-ProxyUser-Ip",
        "X-Azure-ClientIP",
    ] {
        for (peer, value) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::1", ""),
            ("192.0.2.1", "x"),
            ("10.0.0.2", "\u{e9}"),
        ] {
            let turned = door
                .judge(ip(peer), &upgrade(HERE, &[(name, value)]))
                .unwrap_err();
            assert_eq!(turned.status(), 403, "{name}");
            let message = turned.message();
            assert!(message.contains("gateway.trustedProxies"), "{message}");
            assert!(message.contains(&name.to_ascii_lowercase()), "{message}");
        }
    }
    // These have nothing to do with proxies.
    let harmless = [
        ("user-agent", "node"),
        ("x-request-id", "1"),
        ("accept-language", "de"),
    ];
    assert!(
        door.judge(ip("127.0.0.1"), &upgrade(HERE, &harmless))
            .unwrap()
            .is_local()
    );
}

#[test]
fn t28_a_trusted_proxy_is_believed_and_never_local() {
    let door = door(&["127.0.0.1", "10.0.0.0/8"], &[]);
    let peer = "127.0.0.1";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], peer),
        (&[("x-real-ip", "192.0.2.1")], peer),
        (&[("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
        (&[("x-forwarded-for", "127.0.0.1")], "127.0.0.1"),
        (&[("x-forwarded-for", "::ffff:192.0.2.1")], "192.0.2.1"),
        (&[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1"),
        (&[("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
        // What the client made up stands to the left of what the proxy saw.
        (&[("x-forwarded-for", "127.0.0.1, 192.0.2.1")], "192.0.2.1"),
        (
            &[("x-forwarded-for", "garbage, 192.0.2.1 , 10.1.1.1,10.2.2.2")],
            "192.0.2.1",
        ),
        (
            &[
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-for", "192.0.2.1"),
            ],
            "192.0.2.1",
        ),
        (&[("x-forwarded-for", "10.9.9.9, 10.1.1.1")], "10.9.9.9"),
        (&[("forwarded", "for=192.0.2.1;proto=https")], "192.0.2.1"),
        (
            &[("forwarded", "for=\"[2001:db8::1]:4711\", for=10.1.1.1")],
            "2001:db8::1",
        ),
        (
            &[("forwarded", "for=127.0.0.1, For = \"192.0.2.1\" ; by=x")],
            "192.0.2.1",
        ),
        (
            &[("forwarded", "for=\"127.0.0.1, for=\", for=192.0.2.1")],
            "192.0.2.1",
        ),
        (
            &[
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded-for", "8.8.8.8, 192.0.2.1"),
            ],
            "192.0.2.1",
        ),
    ];
    for (lines, address) in cases {
        let arrival = door.judge(ip(peer), &upgrade(HERE, lines)).unwrap();
        assert_eq!(arrival.address, ip(address), "{lines:?}");
        assert!(!arrival.is_direct && !arrival.is_local(), "{lines:?}");
    }
    let bad: &[&[(&str, &str)]] = &[
        &[("x-forwarded-for", "unknown")],
        &[("x-forwarded-for", "192.0.2.1, _hidden")],
        &[("x-forwarded-for", "192.0.2.1, 127.evil.com")],
        &[("x-forwarded-for", "192.0.2.1, \u{e9}")],
        &[("forwarded", "for=unknown")],
        &[("forwarded", "for=\"192.0.2.1")],
        &[("forwarded", "garbage")],
        &[("forwarded", "for=127.0.0.1, proto=https")],
        &[("forwarded", "for=127.0.0.1;for=192.0.2.1")],
        &[
            ("forwarded", "for=127.0.0.1;x=\""),
            ("forwarded", "for=\"192.0.2.1\""),
        ],
        &[
            ("forwarded", "for=127.0.0.1;x=\"\\\""),
            ("forwarded", "for=\"192.0.2.1\""),
        ],
        &[
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.2"),
        ],
    ];
    for lines in bad {
        let turned = door.judge(ip(peer), &upgrade(HERE, lines)).unwrap_err();
        assert!(
            matches!(turned, Turned::Forwarding { .. }),
            "{lines:?} {turned:?}"
        );
        assert_eq!(turned.status(), 400);
    }
}

#[test]
fn t28_behind_a_proxy_that_encrypts_the_page_is_an_https_one() {
    let door = door(&["10.0.0.1"], &[]);
    for (line, origin, is_allowed) in [
        (
            ("x-forwarded-proto", "https"),
            "https://gw.example.org",
            true,
        ),
        (
            ("x-forwarded-proto", "https"),
            "http://gw.example.org",
            false,
        ),
        (
            ("x-forwarded-proto", "http, HTTPS"),
            "https://gw.example.org",
            true,
        ),
        (
            ("forwarded", "for=192.0.2.1;proto=https"),
            "https://gw.example.org",
            true,
        ),
        (("x-forwarded-proto", "http"), "http://gw.example.org", true),
        (
            ("x-forwarded-for", "192.0.2.1"),
            "https://gw.example.org",
            false,
        ),
    ] {
        let headers = upgrade("gw.example.org", &[line, ("origin", origin)]);
        let arrival = door.judge(ip("10.0.0.1"), &headers).unwrap();
        assert_eq!(
            matches!(arrival.origin, Origin::Allowed(_)),
            is_allowed,
            "{line:?} {origin}"
        );
    }
}

#[test]
fn t29_a_proxy_is_trusted_however_its_address_is_written() {
    for range in ["10.0.0.0/8", "::ffff:10.0.0.0/104"] {
        for peer in ["10.1.2.3", "::ffff:10.1.2.3"] {
            let headers = upgrade(HERE, &[("x-forwarded-for", "::ffff:192.0.2.1")]);
            let arrival = door(&[range], &[]).judge(ip(peer), &headers).unwrap();
            assert_eq!(arrival.address, ip("192.0.2.1"), "{range} {peer}");
        }
    }
}

#[test]
fn t30_the_address_is_the_sockets_and_no_text() {
    let door = door(&[], &[]);
    for (peer, is_local) in [
        ("127.0.0.1", true),
        ("127.8.8.8", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("128.0.0.1", false),
        ("12.7.0.1", false),
        ("::7f00:1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("10.0.0.1", false),
    ] {
        let arrival = door.judge(ip(peer), &upgrade("localhost", &[])).unwrap();
        assert_eq!(arrival.is_local(), is_local, "{peer}");
    }
}

#[test]
fn headers_that_may_be_there_once_are() {
    let door = door(&[], &[]);
    let mut two_hosts = upgrade(HERE, &[]);
    two_hosts.append(HOST, HeaderValue::from_static(HERE));
    let two_origins = upgrade(HERE, &[("origin", "http://a"), ("origin", "http://a")]);
    for (headers, name) in [(two_hosts, HOST), (two_origins, ORIGIN)] {
        let turned = door.judge(ip("127.0.0.1"), &headers).unwrap_err();
        assert_eq!(turned, Turned::Several { header: name });
        assert_eq!(turned.status(), 400);
    }
    for bad in ["", "a b", "user@localhost", "localhost:x", "[::1", "\u{e9}"] {
        assert_eq!(
            door.judge(ip("127.0.0.1"), &upgrade(bad, &[])),
            Err(Turned::BadHost),
            "{bad}"
        );
    }
}

const NAMES: [&str; 12] = [
    "host",
    "origin",
    "upgrade",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "tailscale-user-login",
    "accept",
    "x-other",
];

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let value = prop_oneof![
        "[ -~]{0,40}".prop_map(String::into_bytes),
        Just(HERE.as_bytes().to_vec()),
        Just(b"for=\"[::1]:1\";proto=https, for=127.0.0.1".to_vec()),
        proptest::collection::vec(0x20..=0xff_u8, 0..20),
    ];
    let line = (proptest::sample::select(&NAMES[..]), value);
    proptest::collection::vec(line, 0..8).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    })
}

proptest! {
    #[test]
    fn t28_whatever_is_sent_nobody_forwarded_is_local(
        headers in any_headers(),
        peer in prop_oneof![Just(ip("127.0.0.1")), Just(ip("::1")), any::<IpAddr>()],
        is_trusted: bool,
    ) {
        let proxies: &[&str] = if is_trusted { &["0.0.0.0/0", "::/0"] } else { &[] };
        let judged = door(proxies, &["https://ui.example.org"]).judge(peer, &headers);
        let is_forwarded = NAMES[3..10].iter().any(|name| headers.contains_key(*name));
        match judged {
            Ok(arrival) => {
                prop_assert!(!is_forwarded || is_trusted);
                prop_assert!(!arrival.is_direct || !is_trusted);
                prop_assert_eq!(arrival.origin.page().is_some(), headers.contains_key(ORIGIN));
                let pages = arrival.origin.page().is_some();
                let is_here = canonical_ip(peer).is_loopback();
                prop_assert!(!arrival.is_local() || (is_here && !pages && !is_forwarded));
                prop_assert_eq!(arrival.address, canonical_ip(arrival.address));
            }
            Err(turned) => {
                prop_assert!([400, 403].contains(&turned.status()));
                prop_assert!(!turned.message().contains(char::is_control));
            }
        }
    }
}

#[test]
fn behind_tailscale_its_clients_come_in_and_are_never_local() {
    let door = door(&[], &[]).behind_tailscale(true);
    let name = "home.tail1234.ts.net";
    let served = upgrade(
        name,
        &[
            ("x-forwarded-for", "100.101.102.103"),
            ("x-forwarded-proto", "https"),
            ("tailscale-user-login", "ann@example.org"),
            ("origin", "https://home.tail1234.ts.net"),
        ],
    );
    let arrival = door.judge(ip("127.0.0.1"), &served).unwrap();
    assert_eq!(arrival.address, ip("100.101.102.103"));
    assert!(!arrival.is_direct && arrival.is_encrypted && !arrival.is_local());
    assert_eq!(
        arrival.origin,
        Origin::Allowed("https://home.tail1234.ts.net".to_owned())
    );
    // Nobody else is Tailscale's proxy, and a program here that speaks for nobody is local as ever.
    assert!(door.judge(ip("10.0.0.9"), &served).is_err());
    assert!(
        door.judge(ip("127.0.0.1"), &upgrade(HERE, &[]))
            .unwrap()
            .is_local()
    );
    assert!(
        self::door(&[], &[])
            .judge(ip("127.0.0.1"), &served)
            .is_err()
    );
}
