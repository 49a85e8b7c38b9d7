//! The host of a `Host` header or an origin.

use std::net::{IpAddr, Ipv6Addr};

use pairing_core::canonical_ip;

/// A host, and a port where one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// A name in lower case without a dot at its end, or an address as it is written canonically.
    pub(super) name: String,
    pub(super) port: Option<u16>,
    address: Option<IpAddr>,
}

impl Host {
    /// Reads `name`, `name:port`, `[::1]:port`. An address is one only in its full spelling: `127.1`
    /// is a name, and so is `127.evil.com`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, port, address) = if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':')?),
            };
            (None, port, Some(IpAddr::V6(address)))
        } else {
            let (name, port) = match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            (Some(name), port, name.parse().ok())
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None => None,
        };
        let name = match address.map(canonical_ip) {
            Some(address) => address.to_string(),
            None => of_name(name?)?,
        };
        Some(Self {
            address: name.parse().ok(),
            name,
            port,
        })
    }

    /// No name that anybody else could point here: an address, `localhost`, a name of the local network
    /// (`*.local`) or of a tailnet (`*.ts.net`).
    pub(super) fn is_beyond_rebinding(&self) -> bool {
        let under = |domain: &str| {
            let name = self.name.strip_suffix(domain);
            name.is_some_and(|name| name.len() > 1 && name.ends_with('.'))
        };
        self.address.is_some() || self.name == "localhost" || under("local") || under("ts.net")
    }

    /// Whether it names this machine to itself only: loopback.
    pub(super) fn is_loopback(&self) -> bool {
        self.name == "localhost" || self.address.is_some_and(|address| address.is_loopback())
    }
}

/// A name as hosts have them: letters, digits, dashes, underscores, dots.
fn of_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(plain);
    (name.len() <= 253 && name.split('.').all(is_label)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_host() {
        for (text, name, port) in [
            ("localhost", "localhost", None),
            ("LocalHost.:18789", "localhost", Some(18789)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[::1]", "::1", None),
            ("[0:0::0:1]:18789", "::1", Some(18789)),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1", Some(1)),
            (
                "my_host-1.example.org:443",
                "my_host-1.example.org",
                Some(443),
            ),
            ("127.1", "127.1", None),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port), "{text}");
        }
        for bad in [
            "",
            ":80",
            ".",
            "a..b",
            "a b",
            "a:b",
            "a:",
            "a:+1",
            "a:65536",
            "a:1:2",
            "::1",
            "[::1",
            "[a]",
            "[::1]80",
            "[::1%eth0]",
            "[127.0.0.1]",
            "user@host",
            "a/b",
            "*",
            "h\u{e9}",
            "a,b",
        ] {
            // An empty port is read by some as none; here it is nobody's.
            assert_eq!(Host::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn t30_an_address_is_parsed_and_no_prefix() {
        for (text, is_loopback) in [
            ("127.0.0.1", true),
            ("127.255.255.254", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost", true),
            ("127.evil.com", false),
            ("127.0.0.1.evil.com", false),
            ("localhost.evil.com", false),
            ("evil-localhost", false),
            ("127.1", false),
            ("2130706433", false),
            ("0x7f000001", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("128.0.0.1", false),
        ] {
            assert_eq!(
                Host::parse(text).unwrap().is_loopback(),
                is_loopback,
                "{text}"
            );
        }
    }

    #[test]
    fn names_that_nobody_else_can_point_here() {
        for (text, is_ours) in [
            ("192.0.2.1", true),
            ("[2001:db8::1]", true),
            ("localhost", true),
            ("claw.local", true),
            ("a.b.local.", true),
            ("machine.tail1234.ts.net", true),
            ("local", false),
            ("evillocal", false),
            ("local.evil.com", false),
            ("ts.net", false),
            ("evilts.net", false),
            ("x.ts.net.evil.com", false),
            ("claw", false),
            ("rebind.evil.com", false),
        ] {
            assert_eq!(
                Host::parse(text).unwrap().is_beyond_rebinding(),
                is_ours,
                "{text}"
            );
        }
    }
}
