//! The address of Slack's Web API, and the addresses that it names.

use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use pairing_core::escape;

/// The address of the Web API: `https://…`, or `http://` on the local network.
///
/// - Every request carries a token, so `http://` leads only to loopback, private and link-local addresses and `.local`
///   names.
/// - Has a host, no user name, no query, and no slash at its end. A path is kept; without one, it is `/api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoot(Box<str>);

/// A text is no address of a server of Slack's kind. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, no host, or more than that and a path.
    #[error("the apiRoot is no address of a Slack server")]
    Shape,
    /// Not encrypted where others may listen in.
    #[error("the apiRoot is not encrypted, and leads out of the local network")]
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
                "remove the setting to use Slack itself, or set an address such as https://slack.com/api, without user \
                 name and query"
            }
            Self::Unencrypted => {
                "set an encrypted address, or that of a server on this machine or a private network: the tokens are \
                 sent there"
            }
        }
    }
}

impl ApiRoot {
    /// Slack's own.
    pub const USUAL: &str = "https://slack.com/api";

    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = ServiceUrl::split(text, ["https", "http"]).ok_or(AddressError::Shape)?;
        url.check()?;
        if url.rest().contains(['?', '#', ' ']) {
            return Err(AddressError::Shape);
        }
        let path = if url.rest().contains('/') { "" } else { "/api" };
        Ok(Self(format!("{url}{path}").into()))
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
        Self(Self::USUAL.into())
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
    fn addresses_are_completed() {
        for (text, kept) in [
            ("https://slack.com", "https://slack.com/api"),
            ("https://slack.com/api/", "https://slack.com/api"),
            (" HTTP://127.0.0.1:8081/ ", "http://127.0.0.1:8081/api"),
            ("http://10.1.2.3/proxy/api", "http://10.1.2.3/proxy/api"),
        ] {
            assert_eq!(ApiRoot::parse(text).unwrap().as_str(), kept);
        }
        assert_eq!(ApiRoot::parse(ApiRoot::USUAL), Ok(ApiRoot::default()));
    }

    #[test]
    fn what_is_no_address_and_what_is_open_to_others() {
        for text in [
            "",
            "slack.com",
            "wss://slack.com",
            "https://",
            "https://ann:secret@slack.example",
            "https://slack.example/?x=1",
            "https://slack.example/a b",
        ] {
            let error = ApiRoot::parse(text).unwrap_err();
            assert_eq!(error, AddressError::Shape, "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
        for text in ["http://slack.com", "http://8.8.8.8"] {
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
        let usual = "wss://wss-primary.slack.com/link/?ticket=x&app_id=y";
        assert!(own.names(usual, sockets) && local.names(usual, sockets));
        assert!(!own.names("ws://127.0.0.1:1/link", sockets));
        assert!(local.names("ws://127.0.0.1:1/link?ticket=x", sockets));
        for wrong in [
            "",
            "ws://slack.com/",
            "https://slack.com",
            "wss://a@slack.com/",
            "wss://slack.com/ x",
        ] {
            assert!(!local.names(wrong, sockets), "{wrong}");
        }
    }
}
