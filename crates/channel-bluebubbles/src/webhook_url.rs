//! The URL of the webhook, as the server sees it.

use std::ops::Deref;

use channel_kit::{WebhookPath, WebhookPathError};

use crate::{AddressError, ServerUrl};

/// The URL of a webhook: an address that a [`ServerUrl`] may have, and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl(Box<str>);

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
    fn urls_and_what_is_none() {
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
