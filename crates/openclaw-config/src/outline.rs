//! The positions and the nesting of keys and values, which the JSON5 parser does not report.

use crate::Position;

/// Deeper than any configuration is nested, and less than the parser's stack can take.
const MAX_DEPTH: usize = 64;

/// The places of a text at which a key or a value begins, in their order.
pub(crate) struct Outline<'t> {
    text: &'t str,
    items: Vec<Item>,
}

#[derive(Clone, Copy)]
struct Item {
    begin: Begin,
    /// The item after all that is in this one.
    next: usize,
}

/// Where something begins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Begin {
    /// In bytes.
    pub(crate) offset: usize,
    pub(crate) at: Position,
}

/// Nested too deep to be parsed; the position of the first bracket that is.
pub(crate) struct TooDeep(pub(crate) Position);

/// Hands out the positions in the order in which the parser meets them.
///
/// On a text that the parser takes, both see the same items. Otherwise places are missing or wrong, and
/// nothing else: such a text is refused as a whole.
pub(crate) struct Cursor<'o> {
    text: &'o str,
    items: &'o [Item],
    next: usize,
    last: Begin,
}

impl<'t> Outline<'t> {
    /// Reads over a text, whether or not it is JSON5.
    ///
    /// Up to where the parser would give up, strings and comments end where they end for it, so that no
    /// text can be deeper for the parser than it is here.
    pub(crate) fn of(text: &'t str) -> Result<Self, TooDeep> {
        let mut items: Vec<Item> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut begin = Begin::default();
        while let Some(c) = text[begin.offset..].chars().next() {
            let rest = &text[begin.offset..];
            let next = items.len() + 1;
            let length = match c {
                '{' | '[' => {
                    if open.len() == MAX_DEPTH {
                        return Err(TooDeep(begin.at));
                    }
                    open.push(items.len());
                    items.push(Item { begin, next });
                    1
                }
                '}' | ']' => {
                    let next = items.len();
                    if let Some(item) = open.pop().and_then(|index| items.get_mut(index)) {
                        item.next = next;
                    }
                    1
                }
                ',' | ':' => 1,
                _ if is_space(c) => space(rest),
                _ => comment(rest).unwrap_or_else(|| {
                    items.push(Item { begin, next });
                    word(rest)
                }),
            };
            begin = Begin {
                offset: begin.offset + length,
                at: after(begin.at, &rest[..length]),
            };
        }
        Ok(Self { text, items })
    }

    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor {
            text: self.text,
            items: &self.items,
            next: 0,
            last: Begin::default(),
        }
    }
}

impl Cursor<'_> {
    /// Where the key or value begins that comes now.
    pub(crate) fn enter(&mut self) -> Begin {
        let item = self.items.get(self.next);
        self.next += 1;
        self.last = item.map_or_else(Begin::default, |item| item.begin);
        self.last
    }

    /// The word that was entered last, as it is written: a number in all its digits.
    pub(crate) fn word(&self) -> &str {
        let rest = self.text.get(self.last.offset..).unwrap_or_default();
        &rest[..word(rest)]
    }

    /// As [`enter`](Self::enter), past all that is in it.
    pub(crate) fn pass(&mut self) -> Begin {
        let item = self.items.get(self.next);
        self.next = item.map_or(self.next, |item| item.next);
        item.map_or_else(Begin::default, |item| item.begin)
    }
}

/// The length of the space that begins here.
pub(crate) fn space(text: &str) -> usize {
    text.find(|c| !is_space(c)).unwrap_or(text.len())
}

/// The length of the comment that begins here.
pub(crate) fn comment(text: &str) -> Option<usize> {
    let length = if let Some(line) = text.strip_prefix("//") {
        2 + line.find(is_line_end).unwrap_or(line.len())
    } else {
        let block = text.strip_prefix("/*")?;
        2 + block.find("*/").map_or(block.len(), |end| end + 2)
    };
    Some(length)
}

/// The length of the string, number or name that begins here; at least one character.
pub(crate) fn word(text: &str) -> usize {
    let mut chars = text.char_indices();
    let first = chars.next().map_or(' ', |(_, c)| c);
    let quoted = matches!(first, '"' | '\'');
    while let Some((at, c)) = chars.next() {
        if quoted && c == '\\' {
            chars.next();
        } else if quoted && c == first {
            return at + 1;
        } else if !quoted && ends_word(c, &text[at..]) {
            return at;
        }
    }
    text.len()
}

fn ends_word(c: char, rest: &str) -> bool {
    is_space(c)
        || matches!(c, '{' | '}' | '[' | ']' | ':' | ',' | '"' | '\'')
        || (c == '/' && comment(rest).is_some())
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

pub(crate) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// Where a text ends that begins there; lines counted as JSON5 counts them.
///
/// The text must not end between the two characters of a line's end.
pub(crate) fn after(mut at: Position, text: &str) -> Position {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_line_end(c) {
            if c == '\r' && chars.peek() == Some(&'\n') {
                chars.next();
            }
            at = Position {
                line: at.line + 1,
                column: 1,
            };
        } else {
            at.column += 1;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let outline = Outline::of(text).ok().unwrap();
        let places = outline.items.iter().map(|item| &text[item.begin.offset..]);
        places
            .map(|rest: &str| rest.get(..3).unwrap_or(rest))
            .collect()
    }

    #[test]
    fn keys_and_values_in_their_order() {
        let text = "\u{feff}{ // {\n aaa: 'b\\'{', /* [ */ \"ccc\": [1e3, +42], d/**/:{} }";
        let expected = [
            "{ /", "aaa", "'b\\", "\"cc", "[1e", "1e3", "+42", "d/*", "{} ",
        ];
        assert_eq!(places(text), expected);
    }

    #[test]
    fn what_is_passed_is_passed_whole() {
        let text = "{a: [1, {b: 2}], c: 3}";
        let outline = Outline::of(text).ok().unwrap();
        let mut cursor = outline.cursor();
        let begins = [cursor.enter(), cursor.enter(), cursor.pass()];
        assert_eq!(begins.map(|begin| begin.offset), [0, 1, 4]);
        assert_eq!(&text[cursor.enter().offset..], "c: 3}");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(MAX_DEPTH);
        assert!(Outline::of(&deep).is_ok());
        let TooDeep(at) = Outline::of(&format!("{deep}[")).err().unwrap();
        assert_eq!(at.column, MAX_DEPTH + 1);
        assert!(Outline::of(&format!("'{deep}['//{deep}[")).is_ok());
        assert!(Outline::of(&"[]".repeat(1000)).is_ok());
    }

    #[test]
    fn lines_and_columns() {
        let text = "a\r\nb\rc\u{2028} /* ä\r\n */ d 'e\\\r\n' f\n";
        let outline = Outline::of(text).ok().unwrap();
        let places = outline.items.iter().map(|Item { begin, .. }| {
            let rest = &text[begin.offset..];
            let word = &rest[..word(rest)];
            format!("{word:?} {}:{}", begin.at.line, begin.at.column)
        });
        let expected = [
            "\"a\" 1:1",
            "\"b\" 2:1",
            "\"c\" 3:1",
            "\"d\" 5:5",
            "\"'e\\\\\\r\\n'\" 5:7",
            "\"f\" 6:3",
        ];
        assert_eq!(places.collect::<Vec<_>>(), expected);
    }
}
