//! Makes untrusted text safe to show to a person, and shows errors with their causes.

use std::error::Error;
use std::fmt::{self, Write as _};

/// Shows untrusted text so that it cannot control a terminal, or hide or reorder parts of itself.
///
/// - Control characters (C0 and C1, including newlines), bidirectional overrides, zero-width and other
///   invisible characters are written as `\u{…}`; a backslash is left unchanged.
/// - At most `limit` characters are shown; `…` marks the omitted rest.
///
/// ```
/// use pairing_core::escape;
/// assert_eq!(escape("Zoë \u{202e}evil\u{1b}[31m").to_string(), "Zoë \\u{202e}evil\\u{1b}[31m");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a> {
    text: &'a str,
    limit: usize,
}

/// Returns [`Escaped`] with the usual limit of 128 characters.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped { text, limit: 128 }
}

impl Escaped<'_> {
    /// Sets the maximum number of characters of the text that are shown.
    pub fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        for c in chars.by_ref().take(self.limit) {
            if is_unsafe_to_show(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        if chars.next().is_some() {
            f.write_char('…')?;
        }
        Ok(())
    }
}

/// Shows one untrusted value among other text so that it cannot be mistaken for more than one.
///
/// - A word of ASCII letters, digits and `._-/:@+` stays as it is. Everything else is in double quotes, [escaped](escape),
///   with a backslash before each quote and backslash of its own: a reader can tell where it ends, and what it was.
/// - It has its limit from [`limit`](Self::limit), as [`Escaped`] has.
///
/// Use [`escape`] where a value has a place of its own: a line, or a cell of a table.
///
/// ```
/// use pairing_core::quoted;
/// assert_eq!(quoted("ann_real").to_string(), "ann_real");
/// assert_eq!(quoted("Ann, username=ann").to_string(), "\"Ann, username=ann\"");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(Escaped<'a>);

/// Returns [`Quoted`] with the usual limit of 128 characters.
pub fn quoted(text: &str) -> Quoted<'_> {
    Quoted(escape(text))
}

impl Quoted<'_> {
    /// Sets the maximum number of characters of the text that are shown.
    pub fn limit(self, limit: usize) -> Self {
        Self(self.0.limit(limit))
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Escaped { text, limit } = self.0;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
        if !text.is_empty() && text.chars().all(is_plain) {
            return self.0.fmt(f);
        }
        f.write_char('"')?;
        let mut chars = text.chars();
        for c in chars.by_ref().take(limit) {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if is_unsafe_to_show(c) => write!(f, "{}", c.escape_unicode())?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')?;
        // Outside of the quotes, where no text can put it.
        if chars.next().is_some() {
            f.write_char('…')?;
        }
        Ok(())
    }
}

/// An error followed by its causes, outermost first, separated by `: `. Each part is [escaped](escape),
/// since an error may repeat untrusted text.
///
/// ```
/// use pairing_core::{ChannelId, Chain};
/// let error = ChannelId::parse("").unwrap_err();
/// assert_eq!(Chain(&error).to_string(), error.to_string());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Chain<'e>(pub &'e (dyn Error + 'e));

impl<'e> Chain<'e> {
    /// Returns the same text, neither escaped nor shortened, for a caller that escapes it for the place
    /// where it is shown.
    pub fn unescaped(self) -> String {
        let parts: Vec<String> = self.parts().map(ToString::to_string).collect();
        parts.join(": ")
    }

    fn parts(&self) -> impl Iterator<Item = &'e (dyn Error + 'e)> + use<'e> {
        std::iter::successors(Some(self.0), |&error| {
            error.source().map(|cause| cause as &dyn Error)
        })
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.parts().enumerate() {
            let separator = if number == 0 { "" } else { ": " };
            write!(f, "{separator}{}", escape(&error.to_string()))?;
        }
        Ok(())
    }
}

/// Whether a character moves the cursor, reorders its neighbours, or is invisible.
fn is_unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}' | '\u{17b5}' // Khmer inherent vowels
            | '\u{180b}'..='\u{180f}' // Mongolian selectors and vowel separator
            | '\u{200b}'..='\u{200f}' // zero width, joiners, left-to-right marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, bidi embeddings
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, bidi isolates
            | '\u{fe00}'..='\u{fe0f}' // variation selectors
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{1d173}'..='\u{1d17a}' // musical formatting
            | '\u{e0000}'..='\u{e0fff}' // tags and more selectors
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_are_spelled_out() {
        assert_eq!(
            escape("a\u{1b}[2J\r\nb\u{9b}c").to_string(),
            r"a\u{1b}[2J\u{d}\u{a}b\u{9b}c"
        );
        assert_eq!(
            escape("x\u{200b}\u{202e}\u{2066}y").to_string(),
            r"x\u{200b}\u{202e}\u{2066}y"
        );
    }

    #[test]
    fn t113_a_value_is_not_taken_for_several() {
        for (text, shown) in [
            ("ann_real", "ann_real"),
            ("+15550000002", "+15550000002"),
            ("", r#""""#),
            ("Ann, username=ann_real", r#""Ann, username=ann_real""#),
            ("a\", b=\"c", r#""a\", b=\"c""#),
            ("a\\\"", r#""a\\\"""#),
            ("a\n\u{202e}b", r#""a\u{a}\u{202e}b""#),
            ("Zo\u{eb}", "\"Zo\u{eb}\""),
        ] {
            assert_eq!(quoted(text).to_string(), shown);
        }
        assert_eq!(quoted("a b c").limit(3).to_string(), "\"a b\"…");
        assert_eq!(quoted("abcdef").limit(3).to_string(), "abc…");
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["Zoë Ünïcode", "李小龍", "Ann \\o/", "👍"] {
            assert_eq!(escape(name).to_string(), name);
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(escape("abcdef").limit(3).to_string(), "abc…");
        assert_eq!(escape("abc").limit(3).to_string(), "abc");
    }

    /// What was quoted, as a reader takes it, and what follows it.
    fn unquoted(shown: &str) -> (String, &str) {
        let Some(mut rest) = shown.strip_prefix('"') else {
            let end = shown.find([',', ' ']).unwrap_or(shown.len());
            return (shown[..end].to_owned(), &shown[end..]);
        };
        let mut text = String::new();
        loop {
            let c = rest.chars().next().unwrap();
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return (text, rest),
                '\\' if rest.starts_with("u{") => {
                    let (code, after) = rest[2..].split_once('}').unwrap();
                    text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                    rest = after;
                }
                '\\' => {
                    text.push(rest.chars().next().unwrap());
                    rest = &rest[1..];
                }
                c => text.push(c),
            }
        }
    }

    proptest! {
        #[test]
        fn t113_a_value_ends_where_it_ends_and_is_what_it_was(text in "[\\PC\n\\\\\",= a-c\u{202e}]{0,40}") {
            let shown = format!("{}, username=ann", quoted(&text));
            prop_assert!(!shown.contains(is_unsafe_to_show));
            prop_assert_eq!(unquoted(&shown), (text, ", username=ann"));
        }

        #[test]
        fn nothing_dangerous_comes_out(text: String) {
            prop_assert!(!escape(&text).to_string().contains(is_unsafe_to_show));
        }
    }
}
