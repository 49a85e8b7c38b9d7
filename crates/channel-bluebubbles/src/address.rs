//! The address of a BlueBubbles server.

use std::borrow::Cow;
use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use pairing_core::escape;

/// The address of a server: `https://…`, or `http://` on this machine or the local network. The password is in every
/// request to it.
///
/// Has a host, and no user name, path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(Box<str>);

/// A text is no address of a server. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, no host, or more than that.
    #[error("it is no address of a BlueBubbles server")]
    Shape,
    /// Not encrypted where others may listen in.
    #[error("it is not encrypted, and leads out of the local network")]
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
                "set an address such as http://192.168.1.100:1234, without user name, path and query"
            }
            Self::Unencrypted => {
                "set an encrypted address: the password and the messages would be read on the way"
            }
        }
    }
}

impl ServerUrl {
    /// Checks an address. Without a scheme it is `http://`, as the other program has it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let has_scheme = text.contains("://");
        let text = if has_scheme {
            Cow::from(text)
        } else {
            Cow::from(format!("http://{}", text.trim()))
        };
        let url = ServiceUrl::split(&text, ["https", "http"]).ok_or(AddressError::Shape)?;
        if url.rest().contains(['/', '?', '#', ' ']) {
            return Err(AddressError::Shape);
        }
        url.check()?;
        Ok(Self(url.to_string().into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl fmt::Display for ServerUrl {
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
            (" HTTP://192.168.1.100:1234/ ", "http://192.168.1.100:1234"),
            ("192.168.1.100:1234", "http://192.168.1.100:1234"),
            ("https://mac.example", "https://mac.example"),
            ("http://[::1]:1234", "http://[::1]:1234"),
        ] {
            assert_eq!(ServerUrl::parse(text).unwrap().as_str(), kept);
        }
        for (text, error) in [
            ("", AddressError::Shape),
            ("ftp://127.0.0.1", AddressError::Shape),
            ("http://127.0.0.1:1234/api", AddressError::Shape),
            ("http://127.0.0.1:1234?password=secret", AddressError::Shape),
            ("https://ann:secret@mac.example", AddressError::Shape),
            ("http://mac.example:1234", AddressError::Unencrypted),
            ("mac.example:1234", AddressError::Unencrypted),
        ] {
            assert_eq!(ServerUrl::parse(text), Err(error), "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
    }
}
