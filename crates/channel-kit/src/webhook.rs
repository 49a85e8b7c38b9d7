//! Requests by which a chat system delivers messages, to the HTTP server of the program that runs the adapter.

use std::fmt;

/// An HTTP endpoint of an adapter. The program that runs the adapter has the server, and asks in this order:
/// [`path`](Self::path), [`admits`](Self::admits), then [`receive`](Self::receive).
///
/// What must hold:
/// - Nothing of a request is believed before [`admits`](Self::admits), and its body is not read before.
/// - No method blocks or waits.
pub trait Webhook: Send + Sync {
    /// The path that it answers, such as `/bluebubbles-webhook`. Several adapters may have the same.
    fn path(&self) -> &str;

    /// Whether a request is the chat system's, by all that precedes its body. Secrets are compared in constant time.
    fn admits(&self, head: &WebhookHead<'_>) -> bool;

    /// The longest body, in bytes.
    fn longest_body(&self) -> usize;

    /// Takes the body of an admitted request.
    fn receive(&self, body: &[u8]) -> Delivery;
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
    /// There is no room for it now; the adapter fetches later what it misses.
    Busy,
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
