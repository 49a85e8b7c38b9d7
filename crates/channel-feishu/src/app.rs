//! The id and the secret of an app.

use std::fmt;

use zeroize::Zeroizing;

/// The id of an app, such as `cli_9f1a2b3c4d5e6f70`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppId(Box<str>);

/// The secret of an app.
///
/// It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct AppSecret(Zeroizing<String>);

impl AppId {
    /// Parses an id; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = text.strip_prefix("cli_")?;
        let is_id =
            (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        is_id.then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AppSecret {
    /// Parses a secret; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_secret =
            (8..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_secret.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_shape() {
        let id = AppId::parse(" cli_9f1a2b3c4d5e6f70\n").unwrap();
        assert_eq!(id.as_str(), "cli_9f1a2b3c4d5e6f70");
        let secret = AppSecret::parse(" hunter2hunter2 ").unwrap();
        assert_eq!(secret.expose(), "hunter2hunter2");
        assert_eq!(format!("{secret:?}"), "AppSecret(…)");
        let long = format!("cli_{}", "x".repeat(65));
        for wrong in ["", "cli_", "9f1a", "cli_a b", "cli_a/b", "cli_é", &long] {
            assert!(AppId::parse(wrong).is_none(), "{wrong}");
        }
        let long = "x".repeat(257);
        for wrong in [
            "",
            "short",
            "hunter2 hunter2",
            "hunter2\r\nx: y",
            "cli_9f1a2b3c4d5e6f70",
            &long,
        ] {
            assert!(AppSecret::parse(wrong).is_none(), "{wrong}");
        }
    }
}
