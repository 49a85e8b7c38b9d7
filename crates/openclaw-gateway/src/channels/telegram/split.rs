//! Long texts in several messages.

/// Telegram counts a text's length in UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Parts of at most so many UTF-16 units (two at least), cut at the end of a line or else of a word where
/// there is one in a part's second half; the line break or space at the cut is gone. Parts that are blank
/// are left out, as nobody can send them.
pub(super) fn split(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = cut(rest, most);
        parts.push(part);
        rest = after;
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn cut(text: &str, most: usize) -> (&str, &str) {
    let mut used = 0;
    let (mut line, mut word) = (None, None);
    for (at, c) in text.char_indices() {
        if used > most / 2 && c == '\n' {
            line = Some(at);
        } else if used > most / 2 && c.is_whitespace() {
            word = Some(at);
        }
        // What stands at a cut need not fit.
        used += c.len_utf16();
        if used > most {
            let Some(border) = line.or(word) else {
                return text.split_at(at);
            };
            let (part, rest) = text.split_at(border);
            let mut rest = rest.chars();
            rest.next();
            return (part, rest.as_str());
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn at_the_end_of_a_line_or_else_of_a_word() {
        assert_eq!(split("short", 10), ["short"]);
        assert_eq!(split("one two\nthree four", 12), ["one two", "three four"]);
        assert_eq!(split("one two three", 10), ["one two", "three"]);
        assert_eq!(split("0123456789", 4), ["0123", "4567", "89"]);
        assert_eq!(split("a\nbcdefghijk", 6), ["a\nbcde", "fghijk"]);
        assert_eq!(split("0123 5678", 4), ["0123", "5678"]);
    }

    #[test]
    fn nothing_to_send() {
        for blank in ["", " ", "\n\n \n"] {
            assert!(split(blank, 4).is_empty());
        }
    }

    #[test]
    fn counted_as_telegram_counts() {
        assert_eq!(units("aé€😀"), 5);
        assert_eq!(split("😀😀😀", 4), ["😀😀", "😀"]);
        assert_eq!(split("a😀😀", 4), ["a😀", "😀"]);
    }

    proptest! {
        #[test]
        fn parts_fit_and_nothing_but_blanks_is_lost(text in "[a-c😀 \n]{0,80}", most in 2usize..20) {
            let parts = split(&text, most);
            for part in &parts {
                prop_assert!(units(part) <= most, "{part:?}");
            }
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&parts.concat()), bare(&text));
        }
    }
}
