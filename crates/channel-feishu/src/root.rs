//! The address of Feishu's Open API, and the addresses that it names.

use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use pairing_core::escape;

/// The address of the Open API: `https://…`, or `http://` on the local network.
///
/// - Every request carries a secret, so `http://` leads only to loopback, private and link-local addresses and `.local`
///   names.
/// - Has a host, no user name, no query, and no slash at its end. A path is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoot(Box<str>);

/// A text is no address of a server of Feishu's kind. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, no host, or more than that and a path.
    #[error("this is no address of a Feishu server")]
    Shape,
    /// Not encrypted where others may listen in.
    #[error("the address is not encrypted, and leads out of the local network")]
    Unencrypted,
}

impl From<GatewayUrlError> for AddressError {
    fn from(error: GatewayUrlError) -> Self {
        match error {
            GatewayUrlError::Unencrypted => Self::Unencrypted,
            _ => Self::Shape,
        }
    }
}

impl AddressError {
    /// A line that says what to do next, for a person.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Shape => {
                "set domain to feishu or lark, or an address such as https://open.feishu.cn, without user name and query"
            }
            Self::Unencrypted => {
                "set an encrypted address, or that of a server on this machine or a private network: the app's secret \
                 is sent there"
            }
        }
    }
}

impl ApiRoot {
    /// Feishu's own, in mainland China.
    pub const FEISHU: &str = "https://open.feishu.cn";
    /// Lark's, everywhere else.
    pub const LARK: &str = "https://open.larksuite.com";

    /// The address for a domain: `feishu`, `lark`, or an address.
    pub fn of_domain(domain: &str) -> Result<Self, AddressError> {
        Self::parse(match domain.trim() {
            "feishu" => Self::FEISHU,
            "lark" => Self::LARK,
            other => other,
        })
    }

    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = ServiceUrl::split(text, ["https", "http"]).ok_or(AddressError::Shape)?;
        url.check()?;
        if url.rest().contains(['?', '#', ' ']) {
            return Err(AddressError::Shape);
        }
        Ok(Self(url.to_string().into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Whether an address that the server names may be used: with one of two schemes, of which the first encrypts. Who has
    /// asked for encryption gets it, whatever the server says.
    pub(crate) fn names(&self, address: &str, schemes: [&str; 2]) -> bool {
        ServiceUrl::may_follow(address, schemes, self.is_encrypted())
    }
}

impl Default for ApiRoot {
    fn default() -> Self {
        Self(Self::FEISHU.into())
    }
}

impl fmt::Display for ApiRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_by_domain_or_as_they_are() {
        for (text, kept) in [
            ("feishu", ApiRoot::FEISHU),
            (" lark ", ApiRoot::LARK),
            ("https://open.feishu.cn/", ApiRoot::FEISHU),
            (" HTTP://127.0.0.1:8081/ ", "http://127.0.0.1:8081"),
            ("http://10.1.2.3/proxy", "http://10.1.2.3/proxy"),
        ] {
            assert_eq!(ApiRoot::of_domain(text).unwrap().as_str(), kept);
        }
        assert_eq!(ApiRoot::parse(ApiRoot::FEISHU), Ok(ApiRoot::default()));
    }

    #[test]
    fn what_is_no_address_and_what_is_open_to_others() {
        for text in [
            "",
            "Feishu",
            "open.feishu.cn",
            "wss://open.feishu.cn",
            "https://",
            "https://ann:secret@feishu.example",
            "https://feishu.example/?x=1",
            "https://feishu.example/a b",
        ] {
            let error = ApiRoot::of_domain(text).unwrap_err();
            assert_eq!(error, AddressError::Shape, "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
        for text in ["http://open.feishu.cn", "http://8.8.8.8"] {
            assert_eq!(
                ApiRoot::parse(text),
                Err(AddressError::Unencrypted),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_that_the_server_names_is_as_private_as_the_server() {
        let (own, local) = (
            ApiRoot::default(),
            ApiRoot::parse("http://127.0.0.1:1").unwrap(),
        );
        let sockets = ["wss", "ws"];
        let usual = "wss://msg-frontier.feishu.cn/ws/v2?service_id=1&ticket=x";
        assert!(own.names(usual, sockets) && local.names(usual, sockets));
        assert!(!own.names("ws://127.0.0.1:1/ws/v2", sockets));
        assert!(local.names("ws://127.0.0.1:1/ws/v2?ticket=x", sockets));
        for wrong in [
            "",
            "ws://open.feishu.cn/",
            "https://open.feishu.cn",
            "wss://a@open.feishu.cn/",
            "wss://open.feishu.cn/ x",
        ] {
            assert!(!local.names(wrong, sockets), "{wrong}");
        }
    }
}
