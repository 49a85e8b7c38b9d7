//! Addresses of services to which secrets are sent, such as the server of a chat system.

use std::fmt;

use crate::{GatewayUrl, GatewayUrlError};

/// An address with one of two schemes, of which the first is encrypted: `https` and `http`, or `wss` and `ws`.
///
/// Which hosts may be talked to in clear is decided by [`GatewayUrl`], for all of them. What may follow the host is for the
/// caller to decide.
#[derive(Clone, Copy)]
pub struct ServiceUrl<'t> {
    scheme: &'static str,
    is_encrypted: bool,
    rest: &'t str,
}

/// The longest address that a server may name, in bytes.
const LONGEST: usize = 4096;

impl<'t> ServiceUrl<'t> {
    /// Takes an address apart. White space around it and slashes at its end are left out, and the scheme may be in any case.
    /// `None` if it has neither scheme.
    ///
    /// ```
    /// use gateway_protocol::ServiceUrl;
    ///
    /// let url = ServiceUrl::split(" HTTP://192.168.1.5:8080/api/ ", ["https", "http"]);
    /// let url = url.ok_or("another scheme")?;
    /// assert_eq!(url.rest(), "192.168.1.5:8080/api");
    /// assert_eq!(url.to_string(), "http://192.168.1.5:8080/api");
    /// url.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(text: &'t str, [encrypted, clear]: [&'static str; 2]) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let (scheme, rest) = text.split_once("://")?;
        let is = |own: &str| scheme.eq_ignore_ascii_case(own);
        let is_encrypted = is(encrypted);
        (is_encrypted || is(clear)).then_some(Self {
            scheme: if is_encrypted { encrypted } else { clear },
            is_encrypted,
            rest,
        })
    }

    /// What follows `://`.
    pub fn rest(&self) -> &'t str {
        self.rest
    }

    /// Checks the host, as that of a gateway is: [`GatewayUrlError::Unencrypted`] where a secret would be read on the way.
    pub fn check(&self) -> Result<(), GatewayUrlError> {
        check(self.is_encrypted, self.rest)
    }

    /// Whether an address that a server names may be used: it has exactly one of the two schemes, and its host passes
    /// [`check`](Self::check). Pass `must_encrypt` if the server itself is reached by encryption: who has asked for that gets
    /// it, whatever the server says.
    pub fn may_follow(address: &str, [encrypted, clear]: [&str; 2], must_encrypt: bool) -> bool {
        let Some((scheme, rest)) = address.split_once("://") else {
            return false;
        };
        let is_encrypted = scheme == encrypted;
        if !is_encrypted && (scheme != clear || must_encrypt) {
            return false;
        }
        let plain = rest.split(['?', '#']).next().unwrap_or_default();
        let is_text = address.bytes().all(|b| b.is_ascii_graphic());
        is_text && address.len() <= LONGEST && check(is_encrypted, plain).is_ok()
    }
}

fn check(is_encrypted: bool, rest: &str) -> Result<(), GatewayUrlError> {
    let alike = if is_encrypted { "wss" } else { "ws" };
    GatewayUrl::parse(&format!("{alike}://{rest}")).map(drop)
}

/// The address, with its scheme in lower case. It may hold a secret.
impl fmt::Display for ServiceUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.rest)
    }
}

impl fmt::Debug for ServiceUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceUrl")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: [&str; 2] = ["https", "http"];

    #[test]
    fn secrets_go_in_clear_to_the_local_network_alone() {
        let checked = |text| ServiceUrl::split(text, HTTP).map(|url| url.check());
        for text in [
            "https://example.org/api",
            "http://127.0.0.1:1",
            "http://mac.local",
            "http://[::1]",
        ] {
            assert_eq!(checked(text), Some(Ok(())), "{text}");
        }
        for text in ["http://example.org", "http://8.8.8.8/"] {
            assert_eq!(
                checked(text),
                Some(Err(GatewayUrlError::Unencrypted)),
                "{text}"
            );
        }
        for text in [
            "",
            "example.org",
            "wss://example.org",
            "ftp://127.0.0.1",
            "https:",
        ] {
            assert_eq!(checked(text), None, "{text}");
        }
        assert!(matches!(
            checked("https://ann:hunter2@example.org"),
            Some(Err(_))
        ));
        let secret = ServiceUrl::split("https://ann:hunter2@example.org", HTTP);
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_server_names_is_as_private_as_the_server() {
        let may = |address, must| ServiceUrl::may_follow(address, ["wss", "ws"], must);
        assert!(may("wss://example.org/ws?ticket=x#y", true));
        assert!(may("ws://127.0.0.1:1/ws?ticket=x", false));
        assert!(!may("ws://127.0.0.1:1/ws?ticket=x", true));
        for wrong in [
            "",
            "ws://example.org",
            "WSS://example.org",
            "https://example.org",
            "wss://a@example.org",
            "wss://example.org/ x",
        ] {
            assert!(!may(wrong, false), "{wrong}");
        }
        assert!(!may(
            &format!("wss://example.org/{}", "x".repeat(LONGEST)),
            false
        ));
    }
}
