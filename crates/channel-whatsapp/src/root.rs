//! The address of the Graph API.

use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use pairing_core::escape;

/// The address of the Graph API with its version: `https://…`, or `http://` on the local network.
///
/// - Every request carries the token, so `http://` leads only to loopback, private and link-local addresses and `.local`
///   names.
/// - Has a host, no user name, no query, and no slash at its end. A path is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoot(Box<str>);

/// A text is no address of a Graph API. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, no host, or more than that and a path.
    #[error("this is no address of a Graph API")]
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
                "set an address with the version of the interface, such as https://graph.facebook.com/v26.0, without user \
                 name and query, or leave it out"
            }
            Self::Unencrypted => {
                "set an encrypted address, or that of a server on this machine or a private network: the token is sent \
                 there"
            }
        }
    }
}

impl ApiRoot {
    /// Meta's own.
    pub const META: &str = "https://graph.facebook.com/v26.0";

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
}

impl Default for ApiRoot {
    fn default() -> Self {
        Self(Self::META.into())
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
    fn addresses_and_what_is_none() {
        for (text, kept) in [
            (
                " HTTPS://graph.facebook.com/v25.0/ ",
                "https://graph.facebook.com/v25.0",
            ),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ] {
            assert_eq!(ApiRoot::parse(text).unwrap().as_str(), kept);
        }
        assert_eq!(ApiRoot::parse(ApiRoot::META), Ok(ApiRoot::default()));
        for (text, error) in [
            ("", AddressError::Shape),
            ("graph.facebook.com", AddressError::Shape),
            ("wss://graph.facebook.com", AddressError::Shape),
            ("https://", AddressError::Shape),
            ("https://ann:secret@graph.example", AddressError::Shape),
            ("https://graph.example/?x=secret", AddressError::Shape),
            ("http://graph.facebook.com/v26.0", AddressError::Unencrypted),
        ] {
            assert_eq!(ApiRoot::parse(text), Err(error), "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
    }
}
