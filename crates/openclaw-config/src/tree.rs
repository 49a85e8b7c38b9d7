//! The text as a tree that knows where everything is written.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::Position;
use crate::outline::{Begin, Cursor};

/// A value, and where it begins.
pub(crate) struct Node {
    pub(crate) begin: Begin,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Its text is read where the node begins: nothing is rounded on the way.
    Number,
    /// May be a secret.
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Table(Vec<Member>),
    /// In no section of ours.
    Passed,
}

/// A key with its value; in the order of the text, and more than one where it is repeated.
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) node: Node,
}

/// The top of the text: of its members, only those of the sections are kept.
pub(crate) struct Root<'c, 'o> {
    pub(crate) cursor: &'c mut Cursor<'o>,
    pub(crate) sections: &'c [&'c str],
}

struct Branch<'c, 'o> {
    cursor: &'c mut Cursor<'o>,
    /// Keep only what is in these; all when there are none.
    sections: &'c [&'c str],
}

impl<'de> DeserializeSeed<'de> for Root<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let Self { cursor, sections } = self;
        Branch { cursor, sections }.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for Branch<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let begin = self.cursor.enter();
        let value = deserializer.deserialize_any(self)?;
        Ok(Node { begin, value })
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
        Ok(Value::Number)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned().into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        let cursor = self.cursor;
        while let Some(node) = list.next_element_seed(Branch {
            cursor: &mut *cursor,
            sections: &[],
        })? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Self { cursor, sections } = self;
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let at = cursor.enter().at;
            let node = if sections.is_empty() || sections.contains(&key.as_str()) {
                map.next_value_seed(Branch {
                    cursor: &mut *cursor,
                    sections: &[],
                })?
            } else {
                map.next_value::<IgnoredAny>()?;
                Node {
                    begin: cursor.pass(),
                    value: Value::Passed,
                }
            };
            members.push(Member { key, at, node });
        }
        Ok(Value::Table(members))
    }
}

impl Node {
    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "an object",
            Value::Passed => "a value",
        }
    }
}
