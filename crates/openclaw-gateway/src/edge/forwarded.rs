//! What proxies tell of those they speak for.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{FORWARDED, HeaderMap, HeaderName};
use pairing_core::{Cidrs, canonical_ip};

use super::Turned;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Beginnings of headers that only proxies and tunnels send. Those of Tailscale name a person, and
/// those of Cloudflare its client.
const FAMILIES: [&str; 5] = [
    "x-forwarded",
    "x-original-",
    "x-envoy-",
    "tailscale-",
    "cf-",
];

/// Other such headers. `Via` counts: who sends it says that somebody stands between.
const NAMES: [&str; 18] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-proxyuser-ip",
    "x-azure-clientip",
    "x-appengine-user-ip",
    "true-client-ip",
    "client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "cdn-loop",
];

/// A header by which somebody says that they speak for another.
pub(super) fn forwarding_header(headers: &HeaderMap) -> Option<&HeaderName> {
    headers.keys().find(|name| {
        let name = name.as_str();
        NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
    })
}

/// What a trusted proxy tells. `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are read, and no
/// other: a proxy that does not know one of the rest hands on what the client made up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// The client: the last in the row that is no trusted proxy, or where all are, the first.
    pub(super) client: Option<IpAddr>,
    /// Whether the client's connection to the proxy used TLS.
    pub(super) tls: Option<bool>,
}

impl Forwarded {
    /// An error where what is told cannot be understood, or two headers tell of different clients: one
    /// of them is the client's own invention, and nobody knows which.
    pub(super) fn read(headers: &HeaderMap, proxies: &Cidrs) -> Result<Self, Turned> {
        let bad = |header: &HeaderName| Turned::Forwarding {
            header: header.clone(),
        };
        let list = Row::plain(headers).ok_or_else(|| bad(&FOR))?;
        let standard = Row::standard(headers).ok_or_else(|| bad(&FORWARDED))?;
        let of_list = list.client(proxies).map_err(|()| bad(&FOR))?;
        let of_standard = standard.client(proxies).map_err(|()| bad(&FORWARDED))?;
        if of_list.is_some() && of_standard.is_some() && of_list != of_standard {
            return Err(bad(&FORWARDED));
        }
        Ok(Self {
            client: of_list.or(of_standard),
            tls: list.tls.or(standard.tls),
        })
    }
}

/// The chain of addresses from the client to this machine.
struct Row {
    /// As they are written.
    hops: Vec<String>,
    tls: Option<bool>,
}

impl Row {
    /// Out of `X-Forwarded-For` and `X-Forwarded-Proto`; `None` for what is no text.
    fn plain(headers: &HeaderMap) -> Option<Self> {
        let hops = values(headers, &FOR)?;
        let hops = hops.split(',').map(str::trim).filter(|hop| !hop.is_empty());
        let schemes = values(headers, &PROTO)?;
        let scheme = schemes
            .rsplit(',')
            .map(str::trim)
            .find(|scheme| !scheme.is_empty());
        Some(Self {
            hops: hops.map(str::to_owned).collect(),
            tls: scheme.map(is_tls),
        })
    }

    /// Out of `Forwarded` (RFC 7239); `None` for what is no such header.
    fn standard(headers: &HeaderMap) -> Option<Self> {
        let text = values(headers, &FORWARDED)?;
        let mut row = Self {
            hops: Vec::new(),
            tls: None,
        };
        for element in split(&text, ',')? {
            if element.trim().is_empty() {
                continue;
            }
            let mut hop = None;
            for pair in split(element, ';')? {
                let (name, value) = pair.split_once('=')?;
                let value = unquoted(value)?;
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" if hop.is_some() => return None,
                    "for" => hop = Some(value),
                    "proto" => row.tls = Some(is_tls(&value)),
                    _ => {}
                }
            }
            // A proxy that keeps quiet about its client must not make it the one before.
            row.hops.push(hop.unwrap_or_default());
        }
        Some(row)
    }

    fn client(&self, proxies: &Cidrs) -> Result<Option<IpAddr>, ()> {
        let mut client = None;
        for hop in self.hops.iter().rev() {
            let hop = address(hop).ok_or(())?;
            client = Some(hop);
            if !proxies.contains(hop) {
                break;
            }
        }
        Ok(client)
    }
}

/// All values of a header as one list; empty where there is none.
fn values(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Option<Vec<_>> = values.map(|value| value.to_str().ok()).collect();
    Some(values?.join(","))
}

fn is_tls(scheme: &str) -> bool {
    ["https", "wss"]
        .iter()
        .any(|tls| scheme.eq_ignore_ascii_case(tls))
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse().ok();
    let bracketed = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .ok()
            .map(IpAddr::V6)
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    bare()
        .or_else(bracketed)
        .or_else(with_port)
        .map(canonical_ip)
}

/// Splits outside quotes; `None` where a quote does not end.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted, mut escaped) = (0, false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c == at && !quoted => {
                parts.push(&text[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!quoted).then_some(parts)
}

fn unquoted(value: &str) -> Option<String> {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let inner = inner.strip_suffix('"')?;
    // No address needs an escape.
    (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
}
