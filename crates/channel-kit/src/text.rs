//! The longest text of a message, as a chat system counts it, and long texts in several messages.

use unicode_segmentation::UnicodeSegmentation as _;

/// The beginning of a text, with at most so many bytes, and without the memory of the rest.
pub fn first_bytes(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.shrink_to_fit();
    }
    text
}

/// The longest text that a chat system takes as one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimit {
    most: usize,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Chars,
    Utf16,
}

impl TextLimit {
    /// A limit in bytes of UTF-8; at least 4, so that each character fits.
    pub const fn bytes(most: usize) -> Self {
        let unit = Unit::Bytes;
        Self { most, unit }
    }

    /// A limit in characters (Unicode scalar values); at least 1.
    pub const fn chars(most: usize) -> Self {
        let unit = Unit::Chars;
        Self { most, unit }
    }

    /// A limit in UTF-16 code units; at least 2, so that each character fits.
    pub const fn utf16(most: usize) -> Self {
        let unit = Unit::Utf16;
        Self { most, unit }
    }

    /// Whether a text fits into one message.
    pub fn fits(self, text: &str) -> bool {
        self.head(text).len() == text.len()
    }

    /// The longest beginning of a text that fits into one message. It does not end within what a reader sees as one
    /// character, such as a letter with its accents, unless that alone is too long.
    pub fn head(self, text: &str) -> &str {
        let mut used = 0;
        for (at, c) in text.char_indices() {
            used += self.unit.of(c);
            if used > self.most {
                return text.get(..whole(text, at)).unwrap_or_default();
            }
        }
        text
    }

    /// The beginning of a text, with `note` behind it if the text is cut. What does not fit of a note is cut, too.
    pub fn shorten(self, text: &str, note: &str) -> String {
        if self.fits(text) {
            return text.to_owned();
        }
        let note = self.head(note);
        let room = Self {
            most: self.most - self.unit.length(note),
            ..self
        };
        format!("{}{note}", room.head(text))
    }

    /// Splits a text into parts that fit.
    ///
    /// A part ends at a line break, or else between words, if there is one in its second half; the line break or
    /// space there is dropped. Elsewhere it ends between two characters as a reader sees them. Blank parts are left out, since no chat system sends them.
    ///
    /// ```
    /// use channel_kit::TextLimit;
    /// assert_eq!(TextLimit::chars(10).split("one two three"), ["one two", "three"]);
    /// ```
    pub fn split(self, text: &str) -> Vec<&str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = self.cut(rest);
            parts.push(part);
            rest = after;
        }
        parts.retain(|part| !part.trim().is_empty());
        parts
    }

    /// Splits a text like [`split`](Self::split), so that each part fits after `change` has changed it, for example
    /// escaped it. `change` has to work on each part alone, and may make a character at most 16 times as long.
    ///
    /// ```
    /// use channel_kit::TextLimit;
    /// let parts = TextLimit::chars(40).split_as(&"<".repeat(12), |part| part.replace('<', "&lt;"));
    /// assert_eq!(parts, ["&lt;".repeat(10), "&lt;".repeat(2)]);
    /// ```
    pub fn split_as(self, text: &str, change: impl Fn(&str) -> String) -> Vec<String> {
        let mut parts = Vec::new();
        self.split_into(text, self.most, &change, &mut parts);
        parts
    }

    /// Half as long each time, until what `change` makes of it fits.
    fn split_into(
        self,
        text: &str,
        most: usize,
        change: &impl Fn(&str) -> String,
        parts: &mut Vec<String>,
    ) {
        for part in (Self { most, ..self }).split(text) {
            let changed = change(part);
            if self.fits(&changed) || most <= 16 {
                parts.push(changed);
            } else {
                self.split_into(part, most / 2, change, parts);
            }
        }
    }

    fn cut(self, text: &str) -> (&str, &str) {
        let mut used = 0;
        let (mut line, mut word) = (None, None);
        for (at, c) in text.char_indices() {
            if used > self.most / 2 && c == '\n' {
                line = Some(at);
            } else if used > self.most / 2 && c.is_whitespace() {
                word = Some(at);
            }
            // The character at the cut is dropped, so it need not fit.
            used += self.unit.of(c);
            if used > self.most {
                let Some(border) = line.or(word) else {
                    // A limit below the size of one character still makes progress.
                    return text.split_at(if at == 0 {
                        c.len_utf8()
                    } else {
                        whole(text, at)
                    });
                };
                let (part, rest) = text.split_at(border);
                let mut rest = rest.chars();
                rest.next();
                return (part, rest.as_str());
            }
        }
        (text, "")
    }
}

/// The last place up to `at` that is not within a grapheme; `at` itself where there is none.
fn whole(text: &str, at: usize) -> usize {
    let mut starts = text.grapheme_indices(true).map(|(start, _)| start);
    // The beginning of the text is no place to cut it.
    let last = starts.by_ref().take_while(|start| *start <= at).last();
    last.filter(|last| *last > 0).unwrap_or(at)
}

impl Unit {
    fn of(self, c: char) -> usize {
        match self {
            Self::Bytes => c.len_utf8(),
            Self::Chars => 1,
            Self::Utf16 => c.len_utf16(),
        }
    }

    fn length(self, text: &str) -> usize {
        text.chars().map(|c| self.of(c)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str, most: usize) -> Vec<&str> {
        TextLimit::utf16(most).split(text)
    }

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
    fn counted_as_the_chat_system_counts() {
        assert_eq!(split("😀😀😀", 4), ["😀😀", "😀"]);
        assert_eq!(split("a😀😀", 4), ["a😀", "😀"]);
        assert_eq!(TextLimit::chars(2).split("😀😀😀"), ["😀😀", "😀"]);
        assert_eq!(TextLimit::bytes(5).split("é€é€"), ["é€", "é€"]);
    }

    #[test]
    fn what_is_one_character_to_a_reader_stays_whole() {
        // A letter with its accent, a family, a flag.
        assert_eq!(split("abce\u{301}f", 4), ["abc", "e\u{301}f"]);
        let family = "👩‍👩‍👧";
        assert_eq!(split(&format!("ab{family}"), 8), ["ab", family]);
        assert_eq!(TextLimit::chars(3).split("a🇫🇷🇩🇪"), ["a🇫🇷", "🇩🇪"]);
        assert_eq!(TextLimit::utf16(4).head("abce\u{301}"), "abc");
        // One that is longer than a message is cut all the same.
        let long = format!("e{}", "\u{301}".repeat(9));
        assert_eq!(split(&long, 4).concat(), long);
    }

    #[test]
    fn the_first_bytes_end_between_two_characters() {
        for (most, kept) in [
            (0, ""),
            (1, ""),
            (2, "ä"),
            (3, "äb"),
            (4, "äb"),
            (5, "äbä"),
            (9, "äbäb"),
        ] {
            assert_eq!(first_bytes("äbäb".to_owned(), most), kept, "{most}");
        }
    }

    #[test]
    fn fitting_and_shortened() {
        let three = TextLimit::utf16(3);
        assert!(three.fits("abc") && three.fits("a😀") && !three.fits("ab😀"));
        assert_eq!((three.head("ab😀"), three.head("")), ("ab", ""));
        assert_eq!(three.shorten("abc", "…"), "abc");
        assert_eq!(three.shorten("abcd", "…"), "ab…");
        assert_eq!(three.shorten("abcd", "long note"), "lon");
    }

    proptest! {
        #[test]
        fn parts_fit_and_nothing_but_blanks_is_lost(text in "[a-cé€😀 \n]{0,80}", most in 4usize..20) {
            for limit in [TextLimit::bytes(most), TextLimit::chars(most), TextLimit::utf16(most)] {
                let parts = limit.split(&text);
                for part in &parts {
                    prop_assert!(limit.fits(part), "{part:?}");
                }
                let bare = |text: &str| text.split_whitespace().collect::<String>();
                prop_assert_eq!(bare(&parts.concat()), bare(&text));
                prop_assert!(limit.fits(&limit.shorten(&text, "…")));
            }
        }
    }
}
