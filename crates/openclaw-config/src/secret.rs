//! Tokens and passwords, which nothing shows.

use std::fmt;

use zeroize::Zeroizing;

use crate::compose::is_reference_left;

/// A token or a password.
///
/// - Neither blank, nor a placeholder that some program put in place of the real one, nor a text that holds
///   a reference to a variable (`${NAME}`).
/// - Has no `Display` and a `Debug` without the value; wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// `Err` says why a text is no secret: anybody could guess it.
    pub(crate) fn new(text: Zeroizing<String>) -> Result<Self, &'static str> {
        if is_placeholder(&text) {
            Err("is a placeholder, put there in place of the real one")
        } else if is_reference_left(&text) {
            Err("holds `${`, as if a variable belonged there")
        } else {
            Ok(Self(text))
        }
    }

    /// A secret from a file of its own, or made just now; `None` if it is blank, a placeholder or a reference
    /// to a variable.
    pub fn parse(text: &str) -> Option<Self> {
        let is_blank = text.trim().is_empty();
        let secret = Self::new(Zeroizing::new(text.to_owned())).ok();
        secret.filter(|_| !is_blank)
    }

    /// The value. Compare it in constant time, and keep it out of logs, arguments and errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What programs write where they hide a secret: `***`, `[REDACTED]`, `__OPENCLAW_REDACTED__`, `<hidden>`.
fn is_placeholder(text: &str) -> bool {
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() {
        // Dots, stars and bullets alone.
        return true;
    }
    let bare = bare.to_ascii_lowercase();
    let bare = bare.strip_prefix("openclaw_").unwrap_or(&bare);
    ["redacted", "hidden", "masked"].contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<Secret> {
        Secret::new(text.to_owned().into()).ok()
    }

    #[test]
    fn t85_placeholders_are_no_secrets() {
        for placeholder in [
            "__OPENCLAW_REDACTED__",
            "***",
            "*",
            "[REDACTED]",
            "<redacted>",
            "Redacted",
            "••••••••",
            "…",
        ] {
            assert!(secret(placeholder).is_none(), "{placeholder}");
            assert!(Secret::parse(placeholder).is_none(), "{placeholder}");
        }
        for real in ["hunter2", "***a", "redacted-by-ann", "123456:AA-bb_c*"] {
            assert_eq!(secret(real).unwrap().expose(), real);
        }
    }

    #[test]
    fn t128_what_still_holds_a_reference_is_no_secret() {
        for text in ["${TOKEN}", "oc-${TOKEN}", "oc-${token}", "a${"] {
            assert!(secret(text).is_none(), "{text}");
            assert!(Secret::parse(text).is_none(), "{text}");
        }
        assert!(secret("a$b{c}").is_some());
    }

    #[test]
    fn blanks_are_no_secret() {
        assert!(Secret::parse("").is_none() && Secret::parse(" \n").is_none());
        assert_eq!(Secret::parse("hunter2").unwrap().expose(), "hunter2");
    }

    #[test]
    fn nothing_shows_it() {
        let shown = format!("{:?}", secret("hunter2").unwrap());
        assert_eq!(shown, "Secret(…)");
    }
}
