//! Gateway URLs: kept byte for byte, and in clear only to hosts that an independent reading finds local.

use gateway_protocol::GatewayUrl;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

target!(|text: &str| {
    for url in [
        text.to_owned(),
        format!("ws://{text}"),
        format!("ws://[{text}]"),
        format!("wss://{text}"),
    ] {
        let Ok(parsed) = GatewayUrl::parse(&url) else {
            continue;
        };
        assert_eq!(parsed.as_str(), url);
        assert_eq!(GatewayUrl::try_from(url.clone()).as_ref(), Ok(&parsed));
        assert!(url.is_ascii() && !url.contains(['#', '\\', ' ']));
        assert_eq!(parsed.is_encrypted(), url[..3].eq_ignore_ascii_case("wss"));

        let usual = match url::Url::parse(&url_without_zone(&url)) {
            Ok(usual) => usual,
            // It decodes international names, and so finds some that stand for nothing.
            Err(url::ParseError::IdnaError) if url.to_lowercase().contains("xn--") => continue,
            Err(error) => panic!("{url} is no URL to others: {error}"),
        };
        assert_eq!((usual.username(), usual.password()), ("", None));
        assert_ne!(usual.port(), Some(0));
        let host = usual.host().expect("a host");
        if !parsed.is_encrypted() {
            assert!(is_local(&host), "{url}");
        }
        if parsed.is_loopback() {
            assert!(is_loopback(&host), "{url}");
        }
    }
});

/// Others know no zones.
fn url_without_zone(url: &str) -> String {
    match (url.find('%'), url.find(']')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &url[..from], &url[to..]),
        _ => url.to_owned(),
    }
}

fn is_local(host: &url::Host<&str>) -> bool {
    let v4 = |a: Ipv4Addr| a.is_loopback() || a.is_private() || a.is_link_local();
    match host {
        url::Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local")
        }
        url::Host::Ipv4(address) => v4(*address),
        url::Host::Ipv6(address) => match address.to_canonical() {
            IpAddr::V4(address) => v4(address),
            IpAddr::V6(address) => is_local_v6(address),
        },
    }
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    address == Ipv6Addr::LOCALHOST || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => name.trim_end_matches('.').ends_with("localhost"),
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.to_canonical().is_loopback(),
    }
}
