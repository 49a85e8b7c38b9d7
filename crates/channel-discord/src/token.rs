//! The token of a bot.

use std::fmt;

use zeroize::Zeroizing;

/// A bot's token, as the Developer Portal shows it: three parts of letters, digits, `-` and `_`, with dots between.
///
/// It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct BotToken(Zeroizing<String>);

impl BotToken {
    /// Parses a token; `None` if the text cannot be one. Space around it and the word `Bot` before it are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 256;
        let text = text.trim();
        let text = text.strip_prefix("Bot ").unwrap_or(text).trim_start();
        let is_kept = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_kept);
        let parts: Vec<_> = text.split('.').collect();
        (text.len() <= LONGEST && parts.len() == 3 && parts.into_iter().all(is_part))
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A text without the token, should a server repeat it: neither the whole of it nor its last part.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        let text = text.replace(self.expose(), "…");
        match self.expose().rsplit('.').next() {
            Some(secret) if secret.len() >= 8 => text.replace(secret, "…"),
            _ => text,
        }
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_token() {
        for text in [
            "MTk4.Gh-x_1.hunter2hunter2",
            " Bot MTk4.Gh-x_1.hunter2hunter2\n",
        ] {
            let token = BotToken::parse(text).unwrap();
            assert_eq!(token.expose(), "MTk4.Gh-x_1.hunter2hunter2");
            assert_eq!(format!("{token:?}"), "BotToken(…)");
        }
        for wrong in [
            "",
            "a",
            "a.b",
            "a..b",
            "a.b.",
            ".b.c",
            "a.b.c.d",
            "a.b.c d",
            "a.b.c\r\nx: y",
            "a.b.é",
        ] {
            assert!(BotToken::parse(wrong).is_none(), "{wrong}");
        }
        assert!(BotToken::parse(&format!("a.b.{}", "x".repeat(300))).is_none());
    }

    #[test]
    fn a_server_that_repeats_it_does_not_spread_it() {
        let token = BotToken::parse("MTk4.Gh.hunter2hunter2").unwrap();
        for said in ["no MTk4.Gh.hunter2hunter2 here", "no hunter2hunter2 here"] {
            assert_eq!(token.hide_in(said), "no … here");
        }
    }
}
