//! Where the webhook is: its path at the gateway, and its URL as the server sees it.

use std::ops::Deref;

use crate::{AddressError, ServerUrl};

/// The path of a webhook: `/`, then printable ASCII without spaces, `?`, `#` and a `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookPath(Box<str>);

/// The URL of a webhook: an address that a [`ServerUrl`] may have, and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl(Box<str>);

/// A text is no path of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's path is / and letters, such as /bluebubbles-webhook")]
pub struct WebhookPathError;

impl WebhookPath {
    /// The usual path.
    pub const USUAL: &str = "/bluebubbles-webhook";

    /// Checks a path. A `/` at its beginning is added, and one at its end is left out, as the other program does.
    pub fn parse(text: &str) -> Result<Self, WebhookPathError> {
        let bare = text.trim().trim_matches('/');
        let is_path = !bare.is_empty()
            && bare.len() <= 256
            && bare
                .bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
        is_path
            .then(|| Self(format!("/{bare}").into()))
            .ok_or(WebhookPathError)
    }
}

impl WebhookUrl {
    /// Checks a URL. It has no query: the password is added to it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Shape)?;
        let (host, path) = rest.split_once('/').ok_or(AddressError::Shape)?;
        let root = ServerUrl::parse(&format!("{scheme}://{host}"))?;
        let path = WebhookPath::parse(path).map_err(|WebhookPathError| AddressError::Shape)?;
        Ok(Self(format!("{}{}", root.as_str(), &*path).into()))
    }
}

impl Default for WebhookPath {
    fn default() -> Self {
        Self(Self::USUAL.into())
    }
}

impl Deref for WebhookPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Deref for WebhookUrl {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls() {
        for (text, kept) in [
            (" /bluebubbles-webhook ", WebhookPath::USUAL),
            ("hooks/mac/", "/hooks/mac"),
        ] {
            assert_eq!(&*WebhookPath::parse(text).unwrap(), kept);
        }
        for none in ["", "/", "/a b", "/a?b", "/a#b", "/ä", &"a".repeat(300)] {
            assert_eq!(WebhookPath::parse(none), Err(WebhookPathError), "{none}");
        }
        let url = WebhookUrl::parse("HTTP://192.168.1.5:18789/bluebubbles-webhook/").unwrap();
        assert_eq!(&*url, "http://192.168.1.5:18789/bluebubbles-webhook");
        for (none, error) in [
            ("192.168.1.5/a", AddressError::Shape),
            ("http://192.168.1.5", AddressError::Shape),
            ("http://192.168.1.5/a?password=x", AddressError::Shape),
            ("https://ann:b@mac.example/a", AddressError::Shape),
            ("http://mac.example/a", AddressError::Unencrypted),
        ] {
            assert_eq!(WebhookUrl::parse(none), Err(error), "{none}");
        }
    }
}
