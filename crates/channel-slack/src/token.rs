//! The tokens of an app.

use std::fmt;

use zeroize::Zeroizing;

/// A bot's token, which begins with `xoxb-`: for the Web API.
///
/// It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct BotToken(Zeroizing<String>);

/// An app's token, which begins with `xapp-`: for Socket Mode alone.
///
/// It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct AppToken(Zeroizing<String>);

impl BotToken {
    /// Parses a token; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        checked(text, "xoxb-").map(Self)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl AppToken {
    /// Parses a token; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        checked(text, "xapp-").map(Self)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

fn checked(text: &str, prefix: &str) -> Option<Zeroizing<String>> {
    const LONGEST: usize = 512;
    let text = text.trim();
    let rest = text.strip_prefix(prefix)?;
    let is_kept = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_token = !rest.is_empty() && text.len() <= LONGEST && rest.bytes().all(is_kept);
    is_token.then(|| Zeroizing::new(text.to_owned()))
}

/// A text without a token, should a server repeat it: neither the whole of it nor its last part.
pub(crate) fn hide(token: &str, text: &str) -> String {
    let text = text.replace(token, "…");
    match token.rsplit('-').next() {
        Some(secret) if secret.len() >= 8 => text.replace(secret, "…"),
        _ => text,
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotToken(…)")
    }
}

impl fmt::Debug for AppToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_shape() {
        let bot = BotToken::parse(" xoxb-1-2-hunter2hunter2\n").unwrap();
        assert_eq!(bot.expose(), "xoxb-1-2-hunter2hunter2");
        let app = AppToken::parse("xapp-1-A0-2-hunter2hunter2").unwrap();
        assert_eq!(app.expose(), "xapp-1-A0-2-hunter2hunter2");
        assert_eq!(format!("{bot:?}{app:?}"), "BotToken(…)AppToken(…)");
        for wrong in [
            "",
            "xoxb-",
            "xoxp-1-2",
            "xapp-1-2",
            "xoxb-a b",
            "xoxb-a\r\nx: y",
            "xoxb-é",
        ] {
            assert!(BotToken::parse(wrong).is_none(), "{wrong}");
        }
        for wrong in ["", "xapp-", "xoxb-1-2", "xapp-1/2"] {
            assert!(AppToken::parse(wrong).is_none(), "{wrong}");
        }
        assert!(BotToken::parse(&format!("xoxb-{}", "x".repeat(600))).is_none());
    }

    #[test]
    fn a_server_that_repeats_it_does_not_spread_it() {
        for said in ["no xoxb-1-2-hunter2hunter2 here", "no hunter2hunter2 here"] {
            assert_eq!(hide("xoxb-1-2-hunter2hunter2", said), "no … here");
        }
    }
}
