//! The address of a gateway, which a setup code passes to a phone.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The address of a gateway: `wss://host…`, or `ws://` if the connection stays local.
///
/// - `ws://` only for loopback, private (RFC 1918, `fc00::/7`) and link-local addresses (`169.254/16`,
///   `fe80::/10` with its zone) and `.local` names; `wss://` for any host.
/// - The host can be connected to: not `0.0.0.0`, `::` or a multicast address. Addresses are parsed
///   rather than compared as text; spellings of IPv4 that only some programs understand are rejected.
/// - No user name, password or fragment.
/// - Kept byte for byte: no port is added, no path dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GatewayUrl {
    text: Box<str>,
    encrypted: bool,
    loopback: bool,
}

/// The reason that a text is not a gateway URL, and a remedy. The text is not repeated, because it may
/// contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayUrlError {
    /// Longer than 2048 bytes.
    #[error(
        "a gateway URL has at most {} bytes, this has {found}",
        GatewayUrl::MAX_BYTES
    )]
    Long {
        /// Number of bytes found.
        found: usize,
    },
    /// A space, a control character, a backslash, or a character beyond ASCII.
    #[error(
        "a gateway URL holds no {found:?}: percent-encode it, or write the host name in its xn-- form"
    )]
    Character {
        /// The character found.
        found: char,
    },
    /// Neither `ws://` nor `wss://`.
    #[error("a gateway URL starts with wss:// or ws://")]
    Scheme,
    /// A user name or password before an `@`.
    #[error("a gateway URL holds no user name or password: remove what stands before the @")]
    UserInfo,
    /// A fragment after a `#`.
    #[error("a gateway URL ends before the #: remove it and what follows")]
    Fragment,
    /// No host.
    #[error("the gateway URL names no host: set the name or address that the phone can reach")]
    NoHost,
    /// Neither a host name nor an address.
    #[error(
        "the host of the gateway URL is neither a name nor an address: \
         set a name, an IPv4 address of four decimal numbers, or an IPv6 address in brackets"
    )]
    Host,
    /// An address in `0.0.0.0/8`, `::`, or a broadcast or multicast address.
    #[error(
        "{found} is no address that a phone can connect to: \
         set the address that this machine has in its network"
    )]
    Unreachable {
        /// The address.
        found: IpAddr,
    },
    /// A link-local IPv6 address without a zone, or another address with one.
    #[error(
        "an fe80:: address, and no other, needs the zone it is meant in, as in [fe80::1%25wlan0]: \
         set the zone, or another address"
    )]
    Zone,
    /// The port is not a number from 1 to 65535.
    #[error(
        "the port of the gateway URL is no number from 1 to 65535: set one, or leave out the colon"
    )]
    Port,
    /// `ws://` to a host beyond the local network, where others could eavesdrop.
    #[error(
        "ws:// is not encrypted, and the host is no loopback, private or link-local address \
         and no .local name: set a wss:// URL, or an address of the local network"
    )]
    Unencrypted,
}

impl GatewayUrl {
    /// Maximum length of a URL, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Checks a URL, and keeps it unchanged.
    pub fn parse(text: &str) -> Result<Self, GatewayUrlError> {
        if text.len() > Self::MAX_BYTES {
            return Err(GatewayUrlError::Long { found: text.len() });
        }
        if let Some(found) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '\\') {
            return Err(GatewayUrlError::Character { found });
        }
        let (scheme, rest) = text.split_once("://").ok_or(GatewayUrlError::Scheme)?;
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "wss" => true,
            "ws" => false,
            _ => return Err(GatewayUrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(GatewayUrlError::Fragment);
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(GatewayUrlError::UserInfo);
        }
        let reach = Reach::of(host(authority)?)?;
        if !encrypted && reach == Reach::Anywhere {
            return Err(GatewayUrlError::Unencrypted);
        }
        Ok(Self {
            text: text.into(),
            encrypted,
            loopback: reach == Reach::ThisMachine,
        })
    }

    /// Returns the URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether it leads only to the machine that opens it, so that a phone cannot use it.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<GatewayUrl> for String {
    fn from(url: GatewayUrl) -> Self {
        url.text.into_string()
    }
}

impl TryFrom<String> for GatewayUrl {
    type Error = GatewayUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// A host as it is written in the URL.
#[derive(Clone, Copy)]
enum Host<'t> {
    Bracketed(&'t str),
    Plain(&'t str),
}

/// Returns the host of `host[:port]`, after checking the port.
fn host(authority: &str) -> Result<Host<'_>, GatewayUrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']').ok_or(GatewayUrlError::Host)?;
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(GatewayUrlError::Host),
            };
            (Host::Bracketed(host), port)
        }
        None => match authority.split_once(':') {
            // An IPv6 address without brackets.
            Some((_, port)) if port.contains(':') => return Err(GatewayUrlError::Host),
            Some((host, port)) => (Host::Plain(host), Some(port)),
            None => (Host::Plain(authority), None),
        },
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    match port.map(|port| (digits(port), port.parse::<u16>())) {
        None | Some((true, Ok(1..))) => Ok(host),
        _ => Err(GatewayUrlError::Port),
    }
}

/// The extent of the network in which others could eavesdrop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    ThisMachine,
    LocalNetwork,
    Anywhere,
}

impl Reach {
    fn of(host: Host<'_>) -> Result<Self, GatewayUrlError> {
        match host {
            Host::Plain("") | Host::Bracketed("") => Err(GatewayUrlError::NoHost),
            Host::Plain(name) => match name.parse() {
                Ok(address) => Self::of_address(IpAddr::V4(address)),
                Err(_) => Self::of_name(name),
            },
            Host::Bracketed(literal) => {
                let (address, zone) = match literal.split_once('%') {
                    // In a URL the percent sign is written `%25`, but people write `%`.
                    Some((address, zone)) => {
                        (address, Some(zone.strip_prefix("25").unwrap_or(zone)))
                    }
                    None => (literal, None),
                };
                let address: Ipv6Addr = address.parse().map_err(|_| GatewayUrlError::Host)?;
                let well_formed = zone.is_none_or(|zone| {
                    !zone.is_empty()
                        && zone
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
                });
                if zone.is_some() != address.is_unicast_link_local() || !well_formed {
                    return Err(GatewayUrlError::Zone);
                }
                Self::of_address(IpAddr::V6(address).to_canonical())
            }
        }
    }

    fn of_address(address: IpAddr) -> Result<Self, GatewayUrlError> {
        let (unreachable, local) = match address {
            IpAddr::V4(v4) => (
                v4.octets()[0] == 0 || v4.is_broadcast() || v4.is_multicast(),
                v4.is_private() || v4.is_link_local(),
            ),
            IpAddr::V6(v6) => (
                v6.is_unspecified() || v6.is_multicast(),
                v6.is_unique_local() || v6.is_unicast_link_local(),
            ),
        };
        match (unreachable, local) {
            (true, _) => Err(GatewayUrlError::Unreachable { found: address }),
            (false, _) if address.is_loopback() => Ok(Self::ThisMachine),
            (false, true) => Ok(Self::LocalNetwork),
            (false, false) => Ok(Self::Anywhere),
        }
    }

    fn of_name(name: &str) -> Result<Self, GatewayUrlError> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let labels: Vec<&str> = name.split('.').collect();
        let well_formed = |label: &&str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        // Browsers and many libraries read `127.1`, `0x7f000001` and `2130706433` as addresses.
        let last = labels.last().copied().unwrap_or_default();
        let number = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
        if name.len() > 253 || number || !labels.iter().all(well_formed) {
            return Err(GatewayUrlError::Host);
        }
        Ok(match last {
            "localhost" => Self::ThisMachine,
            "local" if labels.len() > 1 => Self::LocalNetwork,
            _ => Self::Anywhere,
        })
    }
}

#[cfg(test)]
mod tests;
