//! Where the values of a text that is JSON5 begin and end.

use serde::Deserialize as _;

use super::KeyPart;
use crate::outline::{comment, is_line_end, space, word};

/// A value.
pub(super) struct Item {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) shape: Shape,
}

pub(super) enum Shape {
    Plain,
    List(Vec<Item>),
    Table(Vec<Entry>),
}

/// A member of an object.
pub(super) struct Entry {
    /// Where its key begins.
    pub(super) start: usize,
    pub(super) key: String,
    pub(super) item: Item,
}

impl Item {
    pub(super) fn is_container(&self) -> bool {
        !matches!(self.shape, Shape::Plain)
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.shape, Shape::Table(_))
    }

    /// The member or entry, the last one of its name; the item itself where there is none.
    pub(super) fn into_child_or_self(mut self, part: &KeyPart) -> Result<Self, Self> {
        let found = match (&mut self.shape, part) {
            (Shape::Table(entries), KeyPart::Key(key)) => {
                let at = entries.iter().rposition(|entry| entry.key == *key);
                at.map(|at| entries.swap_remove(at).item)
            }
            (Shape::List(items), KeyPart::Index(index)) if *index < items.len() => {
                Some(items.swap_remove(*index))
            }
            _ => None,
        };
        found.ok_or(self)
    }

    pub(super) fn into_child(self, part: &KeyPart) -> Option<Self> {
        self.into_child_or_self(part).ok()
    }

    /// Where the first key of an object begins.
    pub(super) fn first_key(&self) -> Option<usize> {
        match &self.shape {
            Shape::Table(entries) => Some(entries.first()?.start),
            _ => None,
        }
    }

    /// The ranges of all members or entries, and which of them is meant.
    pub(super) fn spans(&self, part: &KeyPart) -> Option<(Vec<(usize, usize)>, usize)> {
        match (&self.shape, part) {
            (Shape::Table(entries), KeyPart::Key(key)) => {
                let at = entries.iter().rposition(|entry| entry.key == *key)?;
                let spans = entries.iter().map(|entry| (entry.start, entry.item.end));
                Some((spans.collect(), at))
            }
            (Shape::List(items), KeyPart::Index(at)) if *at < items.len() => {
                let spans = items.iter().map(|item| (item.start, item.end));
                Some((spans.collect(), *at))
            }
            _ => None,
        }
    }
}

/// The value that a text is.
pub(super) fn scan(text: &str) -> Option<Item> {
    item(text, trivia(text, 0))
}

fn item(text: &str, start: usize) -> Option<Item> {
    let (end, shape) = match text.get(start..)?.chars().next()? {
        '{' => {
            let mut entries = Vec::new();
            let mut at = trivia(text, start + 1);
            while !text.get(at..)?.starts_with('}') {
                let begin = at;
                at += word(&text[at..]);
                let key = key(&text[begin..at])?;
                at = trivia(text, at);
                let value = trivia(text, at + 1);
                let item = item(text, value)?;
                at = next(text, item.end);
                entries.push(Entry {
                    start: begin,
                    key,
                    item,
                });
            }
            (at + 1, Shape::Table(entries))
        }
        '[' => {
            let mut items = Vec::new();
            let mut at = trivia(text, start + 1);
            while !text.get(at..)?.starts_with(']') {
                let item = item(text, at)?;
                at = next(text, item.end);
                items.push(item);
            }
            (at + 1, Shape::List(items))
        }
        _ => (start + word(&text[start..]), Shape::Plain),
    };
    Some(Item { start, end, shape })
}

/// What comes after a value and its comma.
fn next(text: &str, end: usize) -> usize {
    match comma(text, end) {
        Some(comma) => trivia(text, comma + 1),
        None => trivia(text, end),
    }
}

/// Where the comma after a value is.
pub(super) fn comma(text: &str, end: usize) -> Option<usize> {
    let at = trivia(text, end);
    text[at..].starts_with(',').then_some(at)
}

/// The length of the rest of a line, if there is nothing on it but blanks and a comment.
pub(super) fn rest_of_line(text: &str) -> usize {
    let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
    let Some(length) = comment(&text[blanks..]) else {
        return 0;
    };
    let comment = &text[blanks..blanks + length];
    if comment.contains(is_line_end) {
        0
    } else {
        blanks + length
    }
}

/// Past space and comments.
fn trivia(text: &str, mut at: usize) -> usize {
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match space(rest) {
            0 => comment(rest).unwrap_or(0),
            length => length,
        };
        if length == 0 {
            break;
        }
        at += length;
    }
    at
}

/// The key that is written so.
fn key(written: &str) -> Option<String> {
    if written.starts_with(['"', '\'']) {
        return String::deserialize(&mut json5::Deserializer::from_str(written)).ok();
    }
    // A bare name may hold escapes, which the parser knows as those of a text.
    let quoted = format!("\"{written}\"");
    String::deserialize(&mut json5::Deserializer::from_str(&quoted)).ok()
}
