//! JSON values in metadata.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Metadata, cut};

/// A JSON value in [`Metadata`]: mostly a text, sometimes a number, a list or more.
///
/// - A text has at most [`MAX_VALUE`](Metadata::MAX_VALUE) characters, a key at most
///   [`MAX_KEY`](Metadata::MAX_KEY); both are trimmed, and cut if they are longer.
/// - Lists and objects are nested at most [`MAX_DEPTH`](Self::MAX_DEPTH) deep, and hold at most
///   [`MAX_NESTED`](Self::MAX_NESTED) values in all. What goes beyond that is left out.
/// - A number is finite; others become null, as in JavaScript. One without a fraction is an integer.
///
/// Texts, numbers, booleans and lists are converted by `From`. Any other value of a JSON library is read
/// by `Deserialize`, and written by `Serialize`:
///
/// ```
/// use pairing_core::{Metadata, MetadataValue};
/// use serde::Deserialize;
///
/// let mut meta = Metadata::default();
/// meta.insert("username", "ann");
/// meta.insert("age", 42);
/// meta.insert("tags", vec!["friend", "work"]);
/// meta.insert("place", MetadataValue::deserialize(serde_json::json!({ "city": "Graz" }))?);
///
/// assert_eq!(meta.text("username"), Some("ann"));
/// assert_eq!(meta.get("place").unwrap().to_string(), r#"{"city":"Graz"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Its `Display` is the text itself, or else compact JSON. The sender chose the value:
/// [`escape`](crate::escape) it before showing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataValue(Json);

#[derive(Debug, Clone, PartialEq)]
enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    /// Above the range of `i64`.
    Large(u64),
    /// Finite, with a fraction or above the range of integers that a float holds.
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

// Floats are finite, so each equals itself.
impl Eq for Json {}

impl MetadataValue {
    /// Maximum depth of lists and objects: a list of objects has two levels.
    pub const MAX_DEPTH: usize = 4;
    /// Maximum number of values within a list or object, at all levels together.
    pub const MAX_NESTED: usize = 64;

    fn new(json: Json) -> Self {
        let mut left = Self::MAX_NESTED;
        Self(bounded(json, Self::MAX_DEPTH, &mut left).unwrap_or(Json::Null))
    }

    /// Returns the text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            Json::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Json::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Whether it says nothing: null, an empty text, or a list or object without values.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Json::Null => true,
            Json::Text(text) => text.is_empty(),
            Json::List(elements) => elements.is_empty(),
            Json::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    /// Returns the bytes of all texts and keys, with what a number may take.
    pub(crate) fn text_bytes(&self) -> usize {
        self.0.text_bytes()
    }
}

impl Json {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Integer(_) | Self::Large(_) | Self::Float(_) => size_of::<f64>(),
            Self::Text(text) => text.len(),
            Self::List(elements) => elements.iter().map(Self::text_bytes).sum(),
            Self::Object(members) => members
                .iter()
                .map(|(key, value)| key.len() + value.text_bytes())
                .sum(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float without a fraction below 2^53 is an integer"
    )]
    fn float(number: f64) -> Self {
        /// The integers below it are exact in a float.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !number.is_finite() {
            Self::Null
        } else if number.fract() == 0.0 && number.abs() < EXACT {
            Self::Integer(number as i64)
        } else {
            Self::Float(number)
        }
    }
}

/// Returns what of a value is within the bounds; `None` if the value itself is too deep or one too many.
/// `left` is the number of values that may still be nested.
fn bounded(json: Json, depth: usize, left: &mut usize) -> Option<Json> {
    let mut within = |value: Json| {
        let nested = left.checked_sub(1)?;
        *left = nested;
        bounded(value, depth.checked_sub(1)?, left)
    };
    Some(match json {
        Json::Text(text) => Json::Text(cut(text.trim(), Metadata::MAX_VALUE).to_owned()),
        Json::List(_) | Json::Object(_) if depth == 0 => return None,
        Json::List(elements) => Json::List(elements.into_iter().filter_map(within).collect()),
        Json::Object(members) => {
            let mut kept: Vec<(String, Json)> = Vec::new();
            for (key, value) in members {
                let key = cut(key.trim(), Metadata::MAX_KEY);
                if key.is_empty() {
                    continue;
                }
                let Some(value) = within(value) else { continue };
                // The last of several counts, as in JavaScript.
                match kept.iter_mut().find(|(known, _)| known == key) {
                    Some((_, old)) => *old = value,
                    None => kept.push((key.to_owned(), value)),
                }
            }
            Json::Object(kept)
        }
        other => other,
    })
}

impl From<&str> for MetadataValue {
    fn from(text: &str) -> Self {
        Self(Json::Text(cut(text.trim(), Metadata::MAX_VALUE).to_owned()))
    }
}

impl From<String> for MetadataValue {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for MetadataValue {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<bool> for MetadataValue {
    fn from(value: bool) -> Self {
        Self(Json::Bool(value))
    }
}

impl From<i32> for MetadataValue {
    fn from(number: i32) -> Self {
        i64::from(number).into()
    }
}

impl From<u32> for MetadataValue {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl From<i64> for MetadataValue {
    fn from(number: i64) -> Self {
        Self(Json::Integer(number))
    }
}

impl From<u64> for MetadataValue {
    fn from(number: u64) -> Self {
        Self(i64::try_from(number).map_or(Json::Large(number), Json::Integer))
    }
}

impl From<f64> for MetadataValue {
    fn from(number: f64) -> Self {
        Self(Json::float(number))
    }
}

impl<V: Into<MetadataValue>> From<Vec<V>> for MetadataValue {
    fn from(elements: Vec<V>) -> Self {
        let elements = elements.into_iter().map(|element| element.into().0);
        Self::new(Json::List(elements.collect()))
    }
}

impl fmt::Display for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Json::Text(text) => f.write_str(text),
            other => write(other, f),
        }
    }
}

fn write(json: &Json, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match json {
        Json::Null => f.write_str("null"),
        Json::Bool(value) => write!(f, "{value}"),
        Json::Integer(number) => write!(f, "{number}"),
        Json::Large(number) => write!(f, "{number}"),
        // With an exponent where it is far from one.
        Json::Float(number) => write!(f, "{number:?}"),
        Json::Text(text) => write_text(text, f),
        Json::List(elements) => {
            f.write_str("[")?;
            for (at, element) in elements.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { "," })?;
                write(element, f)?;
            }
            f.write_str("]")
        }
        Json::Object(members) => {
            f.write_str("{")?;
            for (at, (key, value)) in members.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { "," })?;
                write_text(key, f)?;
                f.write_str(":")?;
                write(value, f)?;
            }
            f.write_str("}")
        }
    }
}

fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if u32::from(c) < 0x20 => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

impl Serialize for MetadataValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Large(number) => serializer.serialize_u64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    list.serialize_element(element)?;
                }
                list.end()
            }
            Self::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    object.serialize_entry(key, value)?;
                }
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for MetadataValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read {
            depth: Self::MAX_DEPTH,
        };
        Ok(Self::new(deserializer.deserialize_any(read)?))
    }
}

/// Reads a value, whose lists and objects are skipped below a depth.
#[derive(Clone, Copy)]
struct Read {
    depth: usize,
}

impl<'de> serde::de::DeserializeSeed<'de> for Read {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Read {
    fn below(self) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        Some(Self { depth })
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(MetadataValue::from(number).0)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        match self.below() {
            Some(below) => {
                while let Some(element) = elements.next_element_seed(below)? {
                    list.push(element);
                }
            }
            None => while elements.next_element::<IgnoredAny>()?.is_some() {},
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        match self.below() {
            Some(below) => {
                while let Some(key) = members.next_key::<String>()? {
                    object.push((key, members.next_value_seed(below)?));
                }
            }
            None => while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {},
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value(json: Value) -> MetadataValue {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_kind_of_value_is_kept() {
        for json in [
            json!(null),
            json!(true),
            json!(-7),
            json!(u64::MAX),
            json!(0.25),
            json!(1e300),
            json!("Zoë \"the\" \\ \u{1b}"),
            json!(["a", 1, [null, {}]]),
            json!({ "city": "Graz", "at": { "lat": 47.07 } }),
        ] {
            let kept = value(json.clone());
            assert_eq!(serde_json::to_value(&kept).unwrap(), json);
            if let Some(text) = json.as_str() {
                assert_eq!(kept.to_string(), text);
            } else {
                assert_eq!(
                    serde_json::from_str::<Value>(&kept.to_string()).unwrap(),
                    json
                );
            }
        }
        assert_eq!(value(json!(3.0)), MetadataValue::from(3));
        assert_eq!(MetadataValue::from(f64::NAN), value(json!(null)));
    }

    #[test]
    fn what_is_too_deep_too_long_or_too_much_is_left_out() {
        let deep = (0..1000).fold("1".to_owned(), |inner, _| format!("[{inner}]"));
        let mut deserializer = serde_json::Deserializer::from_str(&deep[900..1101]);
        let read = MetadataValue::deserialize(&mut deserializer).unwrap();
        assert_eq!(read.to_string(), "[[[[]]]]");
        let mut list = MetadataValue::from(vec![1]);
        for _ in 0..1000 {
            list = vec![list].into();
        }
        assert_eq!(list.to_string(), "[[[[]]]]");
        let many = MetadataValue::from((0..1000).collect::<Vec<_>>());
        let many = serde_json::to_value(&many).unwrap();
        assert_eq!(many.as_array().unwrap().len(), MetadataValue::MAX_NESTED);
        let long = value(json!({ "ä".repeat(1000): ["ö".repeat(1000)], " ": 1 }));
        let shown = long.to_string();
        assert_eq!(shown.matches('ä').count(), Metadata::MAX_KEY);
        assert_eq!(shown.matches('ö').count(), Metadata::MAX_VALUE);
        assert_eq!(shown.matches(':').count(), 1);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,300}".prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 200, 12, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
                prop::collection::hash_map(".{0,70}", inner, 0..12)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What was kept once stays as it is, however often it is written and read.
        #[test]
        fn what_is_kept_comes_back(json in any_json()) {
            let kept = value(json);
            let text = serde_json::to_string(&kept).unwrap();
            let back: MetadataValue = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &kept);
            if kept.as_str().is_none() {
                let shown: MetadataValue = serde_json::from_str(&kept.to_string()).unwrap();
                prop_assert_eq!(&shown, &kept);
            }
            let listed = MetadataValue::from(vec![kept.clone()]);
            prop_assert!(listed.text_bytes() <= kept.text_bytes());
        }
    }
}
