//! The address of signal-cli's daemon.

use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use pairing_core::escape;

/// The address of a daemon: `https://…`, or `http://` on this machine or the local network. Whoever reaches a daemon may
/// use its accounts, so it belongs on loopback.
///
/// Has a host, and no user name, path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonUrl(Box<str>);

/// A text is no address of a daemon. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Another scheme, no host, or more than that.
    #[error("it is no address of a signal-cli daemon")]
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
                "set an address such as http://127.0.0.1:8080, without user name, path and query"
            }
            Self::Unencrypted => {
                "run signal-cli on this machine, or set an encrypted address: messages and the account are behind it"
            }
        }
    }
}

impl DaemonUrl {
    /// Where signal-cli listens unless it is told otherwise.
    pub const USUAL: &str = "http://127.0.0.1:8080";

    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = ServiceUrl::split(text, ["https", "http"]).ok_or(AddressError::Shape)?;
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

impl Default for DaemonUrl {
    fn default() -> Self {
        Self(Self::USUAL.into())
    }
}

impl fmt::Display for DaemonUrl {
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
            (" HTTP://127.0.0.1:8080/ ", "http://127.0.0.1:8080"),
            ("https://signal.example", "https://signal.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(DaemonUrl::parse(text).unwrap().as_str(), kept);
        }
        assert_eq!(DaemonUrl::parse(DaemonUrl::USUAL), Ok(DaemonUrl::default()));
        for (text, error) in [
            ("", AddressError::Shape),
            ("127.0.0.1:8080", AddressError::Shape),
            ("http://127.0.0.1:8080/api", AddressError::Shape),
            ("https://ann:secret@signal.example", AddressError::Shape),
            ("http://signal.example:8080", AddressError::Unencrypted),
        ] {
            assert_eq!(DaemonUrl::parse(text), Err(error), "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
    }
}
