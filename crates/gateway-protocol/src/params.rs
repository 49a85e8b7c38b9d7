//! Strict parsing of method parameters.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{DetailCode, ErrorShape};

/// Parses the parameters of a method. Errors read `invalid X params: at <path>: …`, and never contain the
/// offending value.
pub fn read_params<T: DeserializeOwned>(
    method: &str,
    params: Option<&RawValue>,
) -> Result<T, ErrorShape> {
    let text = params.map_or("{}", RawValue::get);
    if !is_object(text) {
        return Err(ErrorShape::invalid(
            code_of(method),
            format!("invalid {method} params: expected an object"),
        ));
    }
    let mut source = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let path = error.path().to_string();
        let reason = concise(error.inner());
        let reason = match path.as_str() {
            "." => reason,
            path => format!("at {path}: {reason}"),
        };
        ErrorShape::invalid(
            code_of(method),
            format!("invalid {method} params: {reason}"),
        )
    })
}

fn code_of(method: &str) -> DetailCode {
    match method {
        "connect" => DetailCode::InvalidConnect,
        _ => DetailCode::InvalidParams,
    }
}

/// Whether the text is a JSON object. Needed because serde would accept an array for a struct.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{')
}

/// Returns a description of the fault, without the value found and without its position in the text.
pub(crate) fn concise(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let text = full
        .rsplit_once(" at line ")
        .map_or(&*full, |(text, _)| text);
    let echoes = ["invalid type", "invalid value", "unknown variant"];
    let echoes = echoes.iter().any(|start| text.starts_with(start));
    if let (true, Some((_, expected))) = (echoes, text.rsplit_once("expected ")) {
        return format!("expected {expected}");
    }
    text.to_owned()
}

/// A non-empty text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

/// Error for an empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must not be empty")]
pub struct EmptyText;

impl Text {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = EmptyText;

    fn try_from(text: String) -> Result<Self, EmptyText> {
        if text.is_empty() {
            Err(EmptyText)
        } else {
            Ok(Self(text))
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// The parameters of a method that takes none.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code)]
    struct Params {
        name: Text,
        list: Option<Vec<Text>>,
    }

    fn message(params: &str) -> String {
        let raw: Box<RawValue> = serde_json::from_str(params).unwrap();
        let read = read_params::<Params>("x.y", Some(&raw));
        read.unwrap_err().message
    }

    #[test]
    fn what_is_wrong_is_named_and_its_value_is_not() {
        assert_eq!(
            message(r#"{"name":7}"#),
            "invalid x.y params: at name: expected a string"
        );
        assert_eq!(
            message(r#"{"name":""}"#),
            "invalid x.y params: at name: must not be empty"
        );
        assert_eq!(
            message(r#"{"name":"a","list":["b",""]}"#),
            "invalid x.y params: at list[1]: must not be empty"
        );
        assert_eq!(message("{}"), "invalid x.y params: missing field `name`");
        assert_eq!(
            message(r#"{"name":"a","nam":"hunter2"}"#),
            "invalid x.y params: at nam: unknown field `nam`, expected `name` or `list`"
        );
        assert_eq!(
            message(r#""hunter2""#),
            "invalid x.y params: expected an object"
        );
        assert!(read_params::<Empty>("x", None).is_ok());
    }
}
