use proptest::prelude::*;

use super::*;
use GatewayUrlError as E;

fn error(url: &str) -> E {
    match GatewayUrl::parse(url) {
        Ok(url) => panic!("{url} is accepted"),
        Err(error) => error,
    }
}

#[test]
fn t30_an_address_is_parsed_and_not_compared_by_its_beginning() {
    for url in [
        "ws://127.evil.com",
        "ws://127.0.0.1.evil.com",
        "ws://10.evil.com",
        "ws://localhost.evil.com",
        "ws://notlocalhost",
        "ws://local",
        "ws://evil.local.com",
        "ws://evil-local",
        "ws://[::1.evil]",
        "ws://fe80.example",
        "ws://192.168.1.1.nip.io",
    ] {
        let error = error(url);
        assert!(matches!(error, E::Unencrypted | E::Host), "{url}: {error}");
    }
}

#[test]
fn t48_in_clear_only_where_nobody_else_listens() {
    for url in [
        "ws://127.0.0.1:18789",
        "ws://127.8.9.10",
        "ws://localhost",
        "ws://LocalHost.:80",
        "ws://[::1]:1",
        "ws://[::ffff:127.0.0.1]",
        "ws://10.0.0.1",
        "ws://172.16.0.1",
        "ws://172.31.255.255",
        "ws://192.168.178.20:18789",
        "ws://169.254.1.2",
        "ws://[fc00::1]",
        "ws://[fdff::1]:443",
        "ws://[fe80::1%25wlan0]:18789",
        "ws://[febf::1%eth0]",
        "ws://[::ffff:192.168.0.1]",
        "ws://mac-mini.local",
        "WS://Mac.Local:18789/ws",
        "ws://a.b.local.",
    ] {
        let parsed = GatewayUrl::parse(url);
        assert!(parsed.is_ok_and(|parsed| !parsed.is_encrypted()), "{url}");
    }
    for url in [
        "ws://8.8.8.8",
        "ws://172.15.255.255",
        "ws://172.32.0.1",
        "ws://192.169.0.1",
        "ws://11.0.0.1",
        "ws://100.64.0.1",
        "ws://169.253.0.1",
        "ws://[2001:db8::1]",
        "ws://[fbff::1]",
        "ws://[fe00::1]",
        "ws://[::ffff:8.8.8.8]",
        "ws://gw.example",
        "ws://gateway",
        "ws://gw.ts.net",
    ] {
        assert_eq!(error(url), E::Unencrypted, "{url}");
        let encrypted = url.replacen("ws", "wss", 1);
        assert!(
            GatewayUrl::parse(&encrypted).is_ok_and(|url| url.is_encrypted()),
            "{encrypted}"
        );
    }
}

#[test]
fn t48_addresses_that_lead_nowhere() {
    for scheme in ["ws", "wss"] {
        for host in [
            "0.0.0.0",
            "[::]",
            "[::ffff:0.0.0.0]",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "[ff02::1]",
        ] {
            let error = error(&format!("{scheme}://{host}:18789"));
            assert!(matches!(error, E::Unreachable { .. }), "{host}: {error}");
        }
        for host in [
            "[fe80::1]",
            "[fe80::1%]",
            "[fe80::1%25]",
            "[fe80::1%25a/b]",
            "[fd00::1%25eth0]",
            "[::1%lo]",
        ] {
            let error = error(&format!("{scheme}://{host}"));
            assert!(matches!(error, E::Zone | E::Host), "{host}: {error}");
        }
    }
}

#[test]
fn t48_spellings_of_an_address_that_programs_read_differently() {
    for host in [
        "127.1",
        "0",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "1.2.3.4.5",
        "example.0x10",
        "256.1.1.1",
        "127.0.0.01",
    ] {
        assert_eq!(error(&format!("wss://{host}")), E::Host, "{host}");
    }
}

#[test]
fn t49_ports_are_checked() {
    for port in [
        "0",
        "65536",
        "99999999999999999999",
        "",
        "+1",
        "-1",
        "a",
        "1a",
        "00",
    ] {
        assert_eq!(
            error(&format!("wss://gw.example:{port}/x")),
            E::Port,
            "{port}"
        );
        assert_eq!(error(&format!("wss://[::1]:{port}")), E::Port, "{port}");
    }
    for port in ["1", "80", "18789", "65535", "00443"] {
        assert!(
            GatewayUrl::parse(&format!("wss://gw.example:{port}")).is_ok(),
            "{port}"
        );
    }
}

#[test]
fn t50_port_and_path_stay_as_they_are() {
    for url in [
        "wss://gw.example",
        "wss://gw.example/",
        "wss://gw.example:443",
        "WSS://GW.Example/a/../b/?q=%2F",
        "wss://gw.example?x",
        "wss://xn--bcher-kva.example/pfad",
    ] {
        let parsed = GatewayUrl::parse(url).unwrap();
        assert_eq!(parsed.as_str(), url);
        assert_eq!(parsed.to_string(), url);
        assert_eq!(
            GatewayUrl::try_from(String::from(parsed.clone())),
            Ok(parsed)
        );
    }
}

#[test]
fn everything_else_says_what_to_set() {
    let long = format!("wss://gw.example/{}", "a".repeat(GatewayUrl::MAX_BYTES));
    let table = [
        ("", E::Scheme),
        ("gw.example", E::Scheme),
        ("gw.example:18789", E::Scheme),
        ("http://127.0.0.1", E::Scheme),
        ("https://gw.example", E::Scheme),
        ("wss:/gw.example", E::Scheme),
        ("javascript://gw", E::Scheme),
        (" wss://gw.example", E::Character { found: ' ' }),
        ("wss://gw.example\n", E::Character { found: '\n' }),
        ("wss://bücher.example", E::Character { found: 'ü' }),
        ("wss:\\\\gw.example", E::Character { found: '\\' }),
        ("wss://", E::NoHost),
        ("wss:///path", E::NoHost),
        ("wss://:443", E::NoHost),
        ("wss://[]", E::NoHost),
        ("wss://?q", E::NoHost),
        ("wss://user@gw.example", E::UserInfo),
        ("ws://127.0.0.1:80@evil.com", E::UserInfo),
        ("wss://u:secret@gw.example", E::UserInfo),
        ("wss://gw.example#token=x", E::Fragment),
        ("ws://127.0.0.1#@evil.com", E::Fragment),
        ("wss://::1", E::Host),
        ("wss://[::1", E::Host),
        ("wss://[::1]x", E::Host),
        ("wss://[gw.example]", E::Host),
        ("wss://[127.0.0.1]", E::Host),
        ("wss://a..b", E::Host),
        ("wss://.", E::Host),
        ("wss://a%41", E::Host),
        ("wss://a*b", E::Host),
        (&*long, E::Long { found: long.len() }),
    ];
    for (url, expected) in table {
        let error = error(url);
        assert_eq!(error, expected, "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn loopback_is_told() {
    for (url, loopback) in [
        ("ws://127.0.0.1", true),
        ("wss://localhost/x", true),
        ("wss://[::1]", true),
        ("ws://a.local", false),
        ("ws://10.0.0.1", false),
        ("wss://gw.example", false),
    ] {
        assert_eq!(
            GatewayUrl::parse(url).unwrap().is_loopback(),
            loopback,
            "{url}"
        );
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_never_changes(text: String, host in "[\\[\\]a-f0-9:.%@/-]{0,20}") {
        for url in [text.clone(), format!("wss://{text}"), format!("ws://{host}"), format!("wss://[{host}]:1")] {
            if let Ok(parsed) = GatewayUrl::parse(&url) {
                prop_assert_eq!(parsed.as_str(), url);
            }
        }
    }

    #[test]
    fn in_clear_only_to_the_addresses_meant(bits: u32) {
        let address = std::net::Ipv4Addr::from_bits(bits);
        let [a, b, ..] = address.octets();
        let meant = matches!((a, b), (10 | 127, _) | (172, 16..=31) | (192, 168) | (169, 254));
        prop_assert_eq!(GatewayUrl::parse(&format!("ws://{address}:18789")).is_ok(), meant);
    }
}
