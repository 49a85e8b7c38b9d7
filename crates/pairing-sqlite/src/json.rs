//! JSON objects of another program, edited without touching what is not understood.

use std::fmt;

use pairing_core::{Scope, ScopeSet, Timestamp};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// An object's members in their order, each value as it is written.
///
/// May hold tokens: it has no `Debug`, and is wiped when dropped.
#[derive(Default, Clone)]
pub(crate) struct Object(Vec<(String, Zeroizing<String>)>);

impl Object {
    /// Parses an object; `None` if the text is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, raw)| raw.as_str())
    }

    /// Whether there is a member that is not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw != "null")
    }

    /// Returns the text of a member; any other value counts as missing.
    pub(crate) fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        let text: String = serde_json::from_str(self.raw(name)?).ok()?;
        Some(Zeroizing::new(text))
    }

    /// Returns a time in milliseconds. One that is present but cannot be read is an error: it may be the
    /// time at which a token was revoked.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, String> {
        if !self.has(name) {
            return Ok(None);
        }
        let millis = self.raw(name).and_then(|raw| raw.parse().ok());
        match millis {
            Some(millis) => Ok(Some(Timestamp::from_millis(millis))),
            None => Err(format!("`{name}` is no time in milliseconds")),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::parse(self.raw(name)?)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Sets a member, in its place if it is there.
    pub(crate) fn set(&mut self, name: &str, raw: impl Into<String>) {
        let raw = Zeroizing::new(raw.into());
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = raw,
            None => self.0.push((name.to_owned(), raw)),
        }
    }

    pub(crate) fn set_text(&mut self, name: &str, text: &str) {
        if self.text(name).is_none_or(|old| *old != text) {
            self.set(name, quoted(text));
        }
    }

    pub(crate) fn set_time(&mut self, name: &'static str, at: Option<Timestamp>) {
        match at {
            Some(at) if self.time(name) != Ok(Some(at)) => {
                self.set(name, at.as_millis().to_string());
            }
            Some(_) => {}
            None => self.remove(name),
        }
    }

    pub(crate) fn set_scopes(&mut self, name: &str, set: &ScopeSet) {
        if self.raw(name).and_then(scopes).as_ref() != Some(set) {
            self.set(name, list(set.iter().map(Scope::as_str)));
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    pub(crate) fn render(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from("{"));
        for (number, (name, raw)) in self.0.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push_str(&quoted(name));
            text.push(':');
            text.push_str(raw);
        }
        text.push('}');
        text
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object::default();
                while let Some(name) = map.next_key::<String>()? {
                    let raw: &RawValue = map.next_value()?;
                    // Of two members with one name the last counts, as in other programs.
                    object.set(&name, raw.get());
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(crate) fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<_> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(","))
}

/// Returns the texts in a list; `None` if it is none, or holds something else.
pub(crate) fn texts(raw: &str) -> Option<Vec<String>> {
    serde_json::from_str(raw).ok()
}

/// Returns the valid scopes in a list of texts.
pub(crate) fn scopes(raw: &str) -> Option<ScopeSet> {
    let names = texts(raw)?;
    Some(
        names
            .iter()
            .filter_map(|name| Scope::parse(name).ok())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_stays_as_it_is() {
        let text = r#"{"b":1.50,"a":{"x": [1,2]},"c":"\u00e9"}"#;
        let mut object = Object::parse(text).unwrap();
        object.set_text("c", "é");
        object.set_time("b", None);
        object.set_text("d", "\"\n");
        let rendered = object.render();
        assert_eq!(*rendered, r#"{"a":{"x": [1,2]},"c":"\u00e9","d":"\"\n"}"#);
        assert!(Object::parse(&rendered).is_some());
        assert!(Object::parse("[]").is_none());
        assert!(Object::parse("").is_none());
    }

    #[test]
    fn a_time_that_cannot_be_read_is_an_error() {
        let object = Object::parse(r#"{"at":"yesterday","never":null}"#).unwrap();
        assert!(object.time("at").is_err());
        assert_eq!(object.time("never"), Ok(None));
        assert_eq!(object.time("gone"), Ok(None));
    }
}
