//! Where the Bot API answers.

use std::fmt;

use gateway_protocol::{GatewayUrlError, ServiceUrl};
use hyper::Uri;
use pairing_core::escape;

/// Where the Bot API answers: `https://…`, or `http://` where nobody else listens in.
///
/// - Every request carries the bot's token, so `http://` leads only to loopback, private and link-local
///   addresses and `.local` names: where people run a Bot API server of their own.
/// - Has a host, no user name, no query, and no slash at its end; a path is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoot(Box<str>);

/// A text is no address of a Bot API server. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiRootError {
    /// Neither `http://` nor `https://`, no host, or more than that and a path.
    #[error("the apiRoot is no address of a Bot API server")]
    Shape,
    /// `http://` where others may listen in.
    #[error("the apiRoot is not encrypted, and leads out of the local network")]
    Unencrypted,
}

impl ApiRootError {
    /// A line that says what to do next, for a person.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Shape => {
                "set an address such as https://api.telegram.org, without user name and query"
            }
            Self::Unencrypted => {
                "set an https:// address, or that of a server on this machine or a private network: \
                 every request carries the bot's token"
            }
        }
    }
}

impl ApiRoot {
    /// Telegram's own.
    pub const USUAL: &str = "https://api.telegram.org";

    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, ApiRootError> {
        let text = text.trim().trim_end_matches('/');
        let url = ServiceUrl::split(text, ["https", "http"]).ok_or(ApiRootError::Shape)?;
        url.check().map_err(|error| match error {
            GatewayUrlError::Unencrypted => ApiRootError::Unencrypted,
            _ => ApiRootError::Shape,
        })?;
        if url.rest().contains('?') || text.parse::<Uri>().is_err() {
            return Err(ApiRootError::Shape);
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.as_bytes().get(4).is_some_and(|b| *b != b':')
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
    fn encrypted_anywhere_and_in_clear_where_nobody_listens_in() {
        for (text, kept) in [
            ("https://api.telegram.org", "https://api.telegram.org"),
            (" HTTPS://Bots.example/ ", "HTTPS://Bots.example"),
            (
                "https://bots.example:8443/api//",
                "https://bots.example:8443/api",
            ),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://localhost:8081/", "http://localhost:8081"),
            ("http://[::1]:8081", "http://[::1]:8081"),
            ("http://10.1.2.3", "http://10.1.2.3"),
            ("http://192.168.1.5:8081/x", "http://192.168.1.5:8081/x"),
            ("http://bots.local", "http://bots.local"),
        ] {
            let root = ApiRoot::parse(text).unwrap();
            assert_eq!(root.as_str(), kept);
            assert_eq!(root.is_encrypted(), text.to_lowercase().contains("https"));
        }
        assert_eq!(ApiRoot::parse(ApiRoot::USUAL), Ok(ApiRoot::default()));
    }

    #[test]
    fn a_token_never_leaves_the_local_network_in_clear() {
        for text in [
            "http://api.telegram.org",
            "http://8.8.8.8",
            "http://bots:8081",
        ] {
            assert_eq!(
                ApiRoot::parse(text),
                Err(ApiRootError::Unencrypted),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "api.telegram.org",
            "ftp://localhost",
            "https://",
            "https://ann:secret@bots.example",
            "https://bots.example/?x=1",
            "https://bots.example/#x",
            "https://bots.example/a b",
            "https://bots.example:99999",
            "https://bots.example\n.evil",
        ] {
            let error = ApiRoot::parse(text).unwrap_err();
            assert_eq!(error, ApiRootError::Shape, "{text}");
            assert!(!format!("{error}{error:?}{}", error.advice()).contains("secret"));
        }
    }
}
