//! Changing single keys of a configuration file: comments, order and layout stay as they are.

mod path;
mod scan;

use std::fmt::Write as _;

pub use path::{KeyPath, KeyPathError, Part as KeyPart};

use crate::ConfigError;
use crate::tree;
use scan::{Item, Shape, scan};

/// A text of JSON5 whose keys can be looked up and changed.
///
/// ```
/// use openclaw_config::Document;
///
/// let text = "{\n  // how it listens\n  gateway: { port: 1 }, // for now\n}\n";
/// let mut document = Document::parse(text)?;
/// document.set(&"gateway.bind".parse()?, "\"lan\"")?;
/// document.set(&"pairing.notify".parse()?, "true")?;
/// assert_eq!(
///     document.as_str(),
///     "{\n  // how it listens\n  gateway: { port: 1, bind: \"lan\" }, // for now\n  pairing: { notify: true },\n}\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Document {
    text: String,
}

/// A key cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// What the path leads through is neither an object nor a list.
    #[error("{0} is neither an object nor a list")]
    NoContainer(String),
    /// A list has no such entry.
    #[error("{0} has no such entry")]
    NoEntry(String),
    /// The value is not JSON5.
    #[error("the value is not JSON5")]
    Value(#[source] ConfigError),
}

impl Document {
    /// Takes a text that is a JSON5 object.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let root = tree::parse(text, None, &[])?;
        if !matches!(root.value, tree::Value::Table(_)) {
            let detail = format!("{} is not an object", root.kind());
            return Err(ConfigError::new(detail, Some(root.place.at)));
        }
        let text = text.to_owned();
        Ok(Self { text })
    }

    /// The text as it is now.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text of a value, as it is written; `None` where it is not set.
    pub fn get(&self, path: &KeyPath) -> Option<&str> {
        let mut item = scan(&self.text)?;
        for part in path.parts() {
            item = item.into_child(part)?;
        }
        self.text.get(item.start..item.end)
    }

    /// Sets a key to a value, which is a text of JSON5. Objects that it needs are made.
    pub fn set(&mut self, path: &KeyPath, value: &str) -> Result<(), EditError> {
        tree::parse(value, None, &[]).map_err(EditError::Value)?;
        // Without comments around it, of which one to the end of the line would hide what follows.
        let value = scan(value).and_then(|item| value.get(item.start..item.end));
        let value = value.unwrap_or("null");
        let Some(mut item) = scan(&self.text) else {
            return Ok(());
        };
        let parts = path.parts();
        for (depth, part) in parts.iter().enumerate() {
            let shown = || KeyPath::of(&parts[..depth]);
            if !item.is_container() {
                return Err(EditError::NoContainer(shown()));
            }
            item = match (item.into_child_or_self(part), part) {
                (Ok(child), _) => child,
                (Err(parent), KeyPart::Key(key)) if parent.is_table() => {
                    let rest = nested(&parts[depth + 1..], value, &self.text)
                        .ok_or_else(|| EditError::NoEntry(shown()))?;
                    let member = format!("{}: {rest}", written(key, &self.text));
                    self.insert(&parent, &member);
                    return Ok(());
                }
                (Err(_), _) => return Err(EditError::NoEntry(shown())),
            };
        }
        self.text.replace_range(item.start..item.end, value);
        Ok(())
    }

    /// Takes a key away, every time that it is written. Returns whether it was set.
    pub fn unset(&mut self, path: &KeyPath) -> bool {
        let mut was_set = false;
        while let Some(range) = self.found(path) {
            self.text.replace_range(range, "");
            was_set = true;
        }
        was_set
    }

    /// What to take away for a key.
    fn found(&self, path: &KeyPath) -> Option<std::ops::Range<usize>> {
        let (last, parents) = path.parts().split_last()?;
        let mut item = scan(&self.text)?;
        for part in parents {
            item = item.into_child(part)?;
        }
        let (spans, at) = item.spans(last)?;
        Some(self.around(&spans, at))
    }

    /// The range of a member with its comma, and with its lines if nothing else is on them.
    fn around(&self, spans: &[(usize, usize)], at: usize) -> std::ops::Range<usize> {
        let (mut start, mut end) = spans[at];
        let text = &self.text;
        match scan::comma(text, end) {
            Some(comma) => end = comma + 1,
            // Without a comma of its own, it ends with that of the one before.
            None if at > 0 => {
                if let Some(comma) = scan::comma(text, spans[at - 1].1) {
                    let between = &text[comma + 1..start];
                    if between.trim().is_empty() {
                        return comma..end;
                    }
                    // A comment stands between: the comma before it is harmless.
                }
            }
            None => {}
        }
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let rest = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
        let is_alone = text[line..start].trim().is_empty() && text[end..rest].trim().is_empty();
        if is_alone && line > 0 {
            (start, end) = (line, rest);
        } else {
            let blanks = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
            end += blanks;
        }
        start..end
    }

    /// Puts a member at the end of an object.
    fn insert(&mut self, table: &Item, member: &str) {
        let line_end = if self.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        let Shape::Table(entries) = &table.shape else {
            return;
        };
        let Some(last) = entries.last() else {
            let at = table.start + 1;
            let pad = if self.text[at..].starts_with(char::is_whitespace) {
                ""
            } else {
                " "
            };
            self.text.insert_str(at, &format!(" {member}{pad}"));
            return;
        };
        let comma = scan::comma(&self.text, last.item.end);
        let line = self.text[..last.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &self.text[line..last.start];
        let is_own_line = indent.trim().is_empty() && line > table.start;
        if !is_own_line {
            match comma {
                Some(comma) => self.text.insert_str(comma + 1, &format!(" {member},")),
                None => self.text.insert_str(last.item.end, &format!(", {member}")),
            }
            return;
        }
        let indent = indent.to_owned();
        let mut after = comma.map_or(last.item.end, |comma| comma + 1);
        if comma.is_none() {
            self.text.insert(last.item.end, ',');
            after += 1;
        }
        // A comment behind the last member stays on its line.
        after += scan::rest_of_line(&self.text[after..]);
        let end = if comma.is_some() { "," } else { "" };
        self.text
            .insert_str(after, &format!("{line_end}{indent}{member}{end}"));
    }
}

/// The value within the objects that the rest of its path names; `None` where that names an entry of a list.
fn nested(parts: &[KeyPart], value: &str, text: &str) -> Option<String> {
    let mut nested = value.to_owned();
    for part in parts.iter().rev() {
        let KeyPart::Key(key) = part else {
            return None;
        };
        nested = format!("{{ {}: {nested} }}", written(key, text));
    }
    Some(nested)
}

/// A key in the style of the text: bare where its first key is, and where that can be.
fn written(key: &str, text: &str) -> String {
    let first = scan(text).and_then(|root| root.first_key());
    let is_quoted = first.is_some_and(|at| text[at..].starts_with(['"', '\'']));
    let mut chars = key.chars();
    let starts = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '$'));
    let is_plain = starts && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
    if is_plain && !is_quoted {
        return key.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in key.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                // Writing into a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It holds secrets.
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
