//! The addresses of Discord's REST API and of its gateway.

use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use pairing_core::escape;

/// The version of the API and of the gateway.
pub(crate) const VERSION: &str = "v10";

/// The address of the REST API: `https://…`, or `http://` on the local network.
///
/// - Every request carries the bot's token, so `http://` leads only to loopback, private and link-local addresses and
///   `.local` names.
/// - Has a host, no user name, no query, and no slash at its end. A path is kept; without one, it is `/api/v10`, and
///   one that ends in `/api` is completed by `/v10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoot(Box<str>);

/// The address of a gateway: `wss://…`, or `ws://` on the local network. Has no user name and no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAddress(Box<str>);

/// A text is no address of a server of Discord's kind. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, no host, or more than that and a path.
    #[error("the {setting} is no address of a Discord server")]
    Shape {
        /// The setting: `apiRoot` or `gatewayUrl`.
        setting: &'static str,
    },
    /// Not encrypted where others may listen in.
    #[error("the {setting} is not encrypted, and leads out of the local network")]
    Unencrypted {
        /// The setting: `apiRoot` or `gatewayUrl`.
        setting: &'static str,
    },
}

impl AddressError {
    /// A line that says what to do next, for a person.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Shape { .. } => {
                "remove the setting to use Discord itself, or set an address such as \
                 https://discord.com/api (apiRoot) or wss://gateway.discord.gg (gatewayUrl), \
                 without user name and query"
            }
            Self::Unencrypted { .. } => {
                "set an encrypted address, or that of a server on this machine or a private network: \
                 the bot's token is sent there"
            }
        }
    }
}

impl ApiRoot {
    /// Discord's own.
    pub const USUAL: &str = "https://discord.com/api/v10";

    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let kept = checked(text, ["https", "http"], "apiRoot")?;
        let (_, rest) = kept.split_once("://").unwrap_or_default();
        let completed = match rest.split_once('/') {
            None => format!("{kept}/api/{VERSION}"),
            Some((_, path)) if path == "api" || path.ends_with("/api") => {
                format!("{kept}/{VERSION}")
            }
            Some(_) => kept,
        };
        Ok(Self(completed.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.as_bytes().get(4).is_some_and(|b| *b != b':')
    }
}

impl GatewayAddress {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        checked(text, ["wss", "ws"], "gatewayUrl").map(|kept| Self(kept.into()))
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.as_bytes().get(2).is_some_and(|b| *b != b':')
    }

    /// The address to connect to: with the version and the encoding of the protocol.
    pub(crate) fn to_connect(&self) -> String {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        let slash = if rest.contains('/') { "" } else { "/" };
        format!("{}{slash}?v=10&encoding=json", self.0)
    }

    /// Whether both lead to the same host and port, by the same scheme.
    pub(crate) fn is_same_host(&self, other: &Self) -> bool {
        let authority = |of: &Self| {
            let (scheme, rest) = of.0.split_once("://").unwrap_or_default();
            let host = rest.split('/').next().unwrap_or_default();
            format!("{scheme}://{host}").to_ascii_lowercase()
        };
        authority(self) == authority(other)
    }
}

/// Checks an address with one of two schemes, of which the first encrypts.
fn checked(
    text: &str,
    schemes: [&'static str; 2],
    setting: &'static str,
) -> Result<String, AddressError> {
    let shape = AddressError::Shape { setting };
    let url = ServiceUrl::split(text, schemes).ok_or(shape)?;
    url.check().map_err(|error| match error {
        GatewayUrlError::Unencrypted => AddressError::Unencrypted { setting },
        _ => shape,
    })?;
    if url.rest().contains(['?', '#', ' ']) {
        return Err(shape);
    }
    Ok(url.to_string())
}

impl Default for ApiRoot {
    fn default() -> Self {
        Self(Self::USUAL.into())
    }
}

impl fmt::Display for ApiRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.0).fmt(f)
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (text, kept) in [
            ("https://discord.com", "https://discord.com/api/v10"),
            ("https://discord.com/api/", "https://discord.com/api/v10"),
            ("https://discord.com/api/v10", "https://discord.com/api/v10"),
            (" HTTP://127.0.0.1:8081/ ", "http://127.0.0.1:8081/api/v10"),
            ("http://[::1]:8081/x/api", "http://[::1]:8081/x/api/v10"),
            ("http://10.1.2.3/proxy/v10", "http://10.1.2.3/proxy/v10"),
        ] {
            let root = ApiRoot::parse(text).unwrap();
            assert_eq!(root.as_str(), kept);
            assert_eq!(root.is_encrypted(), kept.starts_with("https"));
        }
        assert_eq!(ApiRoot::parse(ApiRoot::USUAL), Ok(ApiRoot::default()));
        for (text, connects) in [
            (
                "wss://gateway.discord.gg",
                "wss://gateway.discord.gg/?v=10&encoding=json",
            ),
            (
                "wss://gateway.discord.gg/",
                "wss://gateway.discord.gg/?v=10&encoding=json",
            ),
            (
                "ws://127.0.0.1:7/x",
                "ws://127.0.0.1:7/x?v=10&encoding=json",
            ),
        ] {
            let address = GatewayAddress::parse(text).unwrap();
            assert_eq!(address.to_connect(), connects);
            assert_eq!(address.is_encrypted(), text.starts_with("wss"));
        }
    }

    #[test]
    fn hosts_are_compared_whole() {
        let at = |text| GatewayAddress::parse(text).unwrap();
        let own = at("wss://gateway.discord.gg/x");
        assert!(own.is_same_host(&at("WSS://GATEWAY.discord.gg")));
        for other in [
            "wss://gateway.discord.gg.evil.example",
            "wss://gateway.discord.gg:444",
            "wss://evil.example/gateway.discord.gg",
        ] {
            assert!(!own.is_same_host(&at(other)), "{other}");
        }
    }

    #[test]
    fn a_token_never_leaves_the_local_network_in_clear() {
        let setting = "apiRoot";
        for text in ["http://discord.com", "http://8.8.8.8", "http://bots:8081"] {
            let error = AddressError::Unencrypted { setting };
            assert_eq!(ApiRoot::parse(text), Err(error), "{text}");
        }
        let setting = "gatewayUrl";
        let error = AddressError::Unencrypted { setting };
        assert_eq!(GatewayAddress::parse("ws://gateway.discord.gg"), Err(error));
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "discord.com",
            "ftp://localhost",
            "wss://discord.com",
            "https://",
            "https://ann:secret@discord.example",
            "https://discord.example/?x=1",
            "https://discord.example/#x",
            "https://discord.example/a b",
            "https://discord.example\n.evil",
        ] {
            let error = ApiRoot::parse(text).unwrap_err();
            assert!(matches!(error, AddressError::Shape { .. }), "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
        assert!(GatewayAddress::parse("https://discord.com").is_err());
    }
}
