//! Requests by which a chat system delivers messages, to the HTTP server of the program that runs the adapter.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// An HTTP endpoint of an adapter. The program that runs the adapter has the server. For a `POST` it asks in this order:
/// [`path`](Self::path), [`admits`](Self::admits), [`is_signed`](Self::is_signed), then [`receive`](Self::receive). For a
/// `GET` it asks [`path`](Self::path) and [`verify`](Self::verify).
///
/// What must hold:
/// - The body of a request is not read before [`admits`](Self::admits), and nothing of it is believed before
///   [`is_signed`](Self::is_signed).
/// - Secrets are compared in constant time.
/// - No method blocks or waits.
pub trait Webhook: Send + Sync {
    /// The path that it answers, such as `/bluebubbles-webhook`. Several adapters may have the same.
    fn path(&self) -> &str;

    /// Whether a request is the chat system's, by all that precedes its body. Where the chat system signs the body:
    /// whether there is a signature.
    fn admits(&self, head: &WebhookHead<'_>) -> bool;

    /// The longest body, in bytes.
    fn longest_body(&self) -> usize;

    /// Whether the body of an admitted request is the chat system's, where the chat system signs it. The bytes are those
    /// that were sent.
    fn is_signed(&self, _head: &WebhookHead<'_>, _body: &[u8]) -> bool {
        true
    }

    /// Whether a request may concern several adapters. Each of those that admit it then gets the body, and takes what
    /// is its own.
    fn is_shared(&self) -> bool {
        false
    }

    /// Takes the body of a request that is the chat system's.
    fn receive(&self, body: &[u8]) -> Delivery;

    /// Answers a request by which the chat system makes sure that the endpoint belongs to its owner.
    fn verify(&self, _head: &WebhookHead<'_>) -> Verification {
        Verification::Unable
    }
}

/// The path of a webhook: `/`, then printable ASCII without spaces, `?`, `#` and a `/` at its end.
///
/// ```
/// use channel_kit::WebhookPath;
///
/// let path = WebhookPath::parse("hooks/mac/")?;
/// assert_eq!(&*path, "/hooks/mac");
/// # Ok::<(), channel_kit::WebhookPathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookPath(Cow<'static, str>);

/// A text is no path of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's path is / and printable ASCII without spaces, ? and #, such as /hooks/chat")]
pub struct WebhookPathError;

impl WebhookPath {
    /// Checks a path. A `/` at its beginning is added, and one at its end is left out.
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

    /// A path that an adapter has if none is set. It is not checked.
    pub const fn usual(path: &'static str) -> Self {
        Self(Cow::Borrowed(path))
    }
}

impl Deref for WebhookPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// How a request is answered by which the chat system makes sure that an endpoint belongs to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// The chat system does no such thing.
    Unable,
    /// The request does not show what the owner has agreed on with the chat system.
    Refused,
    /// With this text, exactly.
    Answer(String),
}

/// What precedes the body of a request. Its `Debug` shows nothing, since it may hold a secret.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct WebhookHead<'r> {
    /// The query, without its question mark and as it was sent.
    pub query: Option<&'r str>,
    header: &'r dyn Fn(&str) -> Option<&'r str>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// It was taken, or is about nothing that the adapter wants to know.
    Taken,
    /// It is not what the chat system sends.
    Malformed,
    /// There is no room for it now. The chat system delivers it again, or the adapter fetches it later.
    Busy,
    /// It is for another account, which may be one of another adapter with the same path.
    Elsewhere,
}

impl<'r> WebhookHead<'r> {
    /// A query, and the headers by their names in lower case.
    pub fn new(query: Option<&'r str>, header: &'r dyn Fn(&str) -> Option<&'r str>) -> Self {
        Self { query, header }
    }

    /// A header, by its name in lower case. `None` if it is missing or is not text.
    pub fn header(&self, name: &str) -> Option<&'r str> {
        (self.header)(name)
    }
}

impl fmt::Debug for WebhookHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookHead").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_is_none() {
        for (text, kept) in [(" /webhook ", "/webhook"), ("hooks/mac/", "/hooks/mac")] {
            assert_eq!(&*WebhookPath::parse(text).unwrap(), kept);
        }
        for none in ["", "/", "/a b", "/a?b", "/a#b", "/ä", &"a".repeat(300)] {
            assert_eq!(WebhookPath::parse(none), Err(WebhookPathError), "{none}");
        }
        let usual = WebhookPath::usual("/webhook");
        assert_eq!(WebhookPath::parse(&usual), Ok(usual.clone()));
    }
}
