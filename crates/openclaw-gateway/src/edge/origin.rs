//! Where a page comes from.

use super::host::Host;

/// An origin, so that two are equal where browsers have them equal.
///
/// - Exactly `scheme://host` or `scheme://host:port`; `null` and `*` are none.
/// - A port that goes without saying is as good as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Site {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !starts || !scheme.bytes().all(plain) {
            return None;
        }
        let Host { name, port, .. } = Host::parse(rest)?;
        let scheme = scheme.to_ascii_lowercase();
        Some(Self {
            port: port.or(usual_port(&scheme)),
            host: name,
            scheme,
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is the origin of the page that the gateway itself serves under `host`.
    pub(super) fn is_at(&self, host: &Host, tls: bool) -> bool {
        let scheme = if tls { "https" } else { "http" };
        let port = host.port.or(usual_port(scheme));
        self.scheme == scheme && self.host == host.name && self.port == port
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_as_browsers_have_it() {
        let site = |text: &str| Site::parse(text).unwrap();
        for (one, two) in [
            ("https://ui.example.org", "HTTPS://UI.Example.Org:443"),
            ("http://10.0.0.2", "http://10.0.0.2:80"),
            ("http://[::1]:8080", "http://[0::1]:8080"),
        ] {
            assert_eq!(site(one), site(two));
        }
        let origin = site("https://ui.example.org");
        for other in [
            "http://ui.example.org",
            "https://ui.example.org:8443",
            "https://ui.example.org.evil.com",
            "https://evil-ui.example.org",
            "https://example.org",
        ] {
            assert_ne!(site(other), origin, "{other}");
        }
        assert_eq!(site("tauri://localhost").port, None);
    }

    #[test]
    fn what_is_no_origin() {
        for bad in [
            "",
            "null",
            "*",
            "https://*",
            "https://*.example.org",
            "ui.example.org",
            "https://",
            "://a",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://a:x",
            "https://a b",
            "https://a, https://b",
            "1http://a",
            "file://",
            "javascript:alert(1)",
        ] {
            assert_eq!(Site::parse(bad), None, "{bad:?}");
        }
    }
}
