//! The text as a tree that knows where everything is written.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::Position;
use crate::error::{ConfigError, Fault, Place};
use crate::outline::{Cursor, Outline, TooDeep, after};

/// A value, and where it begins.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
    /// Why members may be missing that belong in here: a file could not be included.
    pub(crate) broken: Option<Arc<Fault>>,
}

#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it is written: nothing is rounded on the way.
    Number(Box<str>),
    /// May be a secret.
    Text(Zeroizing<String>),
    /// A text that refers to this variable, which is not set.
    Unset(String),
    List(Vec<Node>),
    Table(Vec<Member>),
    /// In no section of ours.
    Passed,
}

/// A key with its value; in the order of the text, and more than one where it is repeated.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// Parses a text, in the named file, and keeps of its top only these members; all where there are none.
pub(crate) fn parse(
    text: &str,
    file: Option<&Arc<str>>,
    sections: &[&str],
) -> Result<Node, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let outline = Outline::of(text).map_err(|TooDeep(at)| {
        ConfigError::new("brackets are nested more than 64 deep", Some(at))
    })?;
    let root = Branch {
        cursor: &mut outline.cursor(),
        file,
        sections,
    };
    // The first time over looks at what comes after the value, too.
    json5::from_str::<IgnoredAny>(text)
        .and_then(|_| root.deserialize(&mut json5::Deserializer::from_str(text)))
        .map_err(|error| malformed(text, &error))
}

/// What the parser says, in the words of this crate.
fn malformed(text: &str, error: &json5::Error) -> ConfigError {
    let at = error.position().map(|at| Position {
        line: at.line + 1,
        column: at.column + 1,
    });
    let detail = match error.code() {
        Some(code) => match code.to_string().strip_prefix("EOF parsing ") {
            Some(what) => format!("the file ends before the {what} does"),
            None => code.to_string(),
        },
        None => "this means nothing in JSON5".to_owned(),
    };
    let at = at.unwrap_or_else(|| after(Position::default(), text));
    ConfigError::new(detail, Some(at))
}

struct Branch<'c, 'o> {
    cursor: &'c mut Cursor<'o>,
    file: Option<&'c Arc<str>>,
    /// Keep only these members; all when there are none.
    sections: &'c [&'c str],
}

impl Branch<'_, '_> {
    fn place(&self, at: Position) -> Place {
        Place {
            file: self.file.cloned(),
            at,
        }
    }

    fn number(&self) -> Value {
        Value::Number(self.cursor.word().into())
    }
}

impl<'de> DeserializeSeed<'de> for Branch<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let begin = self.cursor.enter();
        let place = self.place(begin.at);
        let value = deserializer.deserialize_any(self)?;
        Ok(Node::new(place, value))
    }
}

impl<'de> Visitor<'de> for Branch<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(self.number())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(self.number())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(self.number())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned().into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        let (cursor, file) = (self.cursor, self.file);
        while let Some(node) = list.next_element_seed(Branch {
            cursor: &mut *cursor,
            file,
            sections: &[],
        })? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Self {
            cursor,
            file,
            sections,
        } = self;
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let at = cursor.enter().at;
            let place = |at| Place {
                file: file.cloned(),
                at,
            };
            let node = if sections.is_empty() || sections.contains(&key.as_str()) {
                map.next_value_seed(Branch {
                    cursor: &mut *cursor,
                    file,
                    sections: &[],
                })?
            } else {
                map.next_value::<IgnoredAny>()?;
                Node::new(place(cursor.pass().at), Value::Passed)
            };
            members.push(Member {
                key,
                place: place(at),
                node,
            });
        }
        Ok(Value::Table(members))
    }
}

impl Node {
    pub(crate) fn new(place: Place, value: Value) -> Self {
        Self {
            place,
            value,
            broken: None,
        }
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::Text(_) | Value::Unset(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "an object",
            Value::Passed => "a value",
        }
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Table(members) => members,
            _ => &[],
        }
    }

    /// The value of a member: of the last one where the key is repeated, as other programs have it.
    pub(crate) fn member(&self, key: &str) -> Option<&Node> {
        let mut members = self.members().iter().rev();
        let member = members.find(|member| member.key == key)?;
        Some(&member.node)
    }

    pub(crate) fn text(&self) -> Option<&Zeroizing<String>> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}
