//! The token of a bot.

use std::fmt;

use zeroize::Zeroizing;

/// A bot's token: its number, a colon, and the secret.
///
/// - It consists of letters, digits, `-` and `_`, because it is part of a path.
/// - It has no `Display`, its `Debug` hides the value, and it is wiped when dropped.
#[derive(Clone)]
pub struct BotToken(Zeroizing<String>);

impl BotToken {
    /// Parses a token; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 256;
        let text = text.trim();
        let (bot, secret) = text.split_once(':')?;
        let is_number = !bot.is_empty() && bot.bytes().all(|b| b.is_ascii_digit());
        let is_secret = !secret.is_empty()
            && secret
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        (is_number && is_secret && text.len() <= LONGEST)
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The bot's number, which is no secret.
    pub fn bot(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
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

    const TOKEN: &str = "123456:AAH-secret_part";

    #[test]
    fn the_shape_of_a_token() {
        let token = BotToken::parse(" 123456:AAH-secret_part\n").unwrap();
        assert_eq!((token.expose(), token.bot()), (TOKEN, "123456"));
        assert_eq!(format!("{token:?}"), "BotToken(…)");
        for wrong in [
            "", ":", "123", "123:", ":x", "a:b", "1:a/b", "1:a?b", "1:a b", "1:a%41", "1:é",
            "1:a:b", "../1:x",
        ] {
            assert!(BotToken::parse(wrong).is_none(), "{wrong}");
        }
        assert!(BotToken::parse(&format!("1:{}", "x".repeat(300))).is_none());
    }
}
