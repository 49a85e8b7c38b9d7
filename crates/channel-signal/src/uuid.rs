//! Ids of Signal.

/// Signal's id of a person: a UUID in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Uuid(Box<str>);

impl Uuid {
    /// Checks an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            });
        is_uuid.then(|| Self(text.to_ascii_lowercase().into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        let id = "7B0AB3C4-6F3C-4E0E-9A51-0F1B2C3D4E5F";
        assert_eq!(Uuid::parse(id).unwrap().as_str(), id.to_lowercase());
        for none in [
            "",
            "7b0ab3c46f3c4e0e9a510f1b2c3d4e5f",
            "7B0AB3C4-6F3C-4E0E-9A51-0F1B2C3D4E5G",
        ] {
            assert_eq!(Uuid::parse(none), None, "{none}");
        }
    }
}
