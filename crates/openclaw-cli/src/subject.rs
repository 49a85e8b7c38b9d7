//! Finding a request or device by its id, the beginning of its id, or its name.

use std::fmt::Write as _;

use pairing_core::device::{Device, DeviceRequest, Node, NodeRequest};
use pairing_core::{escape, quoted};

/// Something that a command can name.
pub(crate) trait Subject {
    /// The kind, and the command that lists all of them.
    const KIND: Kind;
    /// Whether the name identifies it; `false` until the name has been looked up.
    const BY_NAME: bool;

    /// The whole id.
    fn id(&self) -> String;

    /// The name.
    fn name(&self) -> Option<&str>;
}

/// A kind of things.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) noun: &'static str,
    pub(crate) list: &'static str,
}

/// Nothing was found, or too much.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubjectError {
    #[error("there is no {} {typed:?}", kind.noun)]
    Unknown {
        kind: Kind,
        typed: String,
        /// Where else this name exists, and the command for that.
        instead: Option<String>,
    },
    #[error("{typed:?} is too short for the beginning of an id: {FEWEST} characters at least")]
    Short { kind: Kind, typed: String },
    #[error("{typed:?} could be {}", list(candidates))]
    Ambiguous {
        typed: String,
        candidates: Vec<String>,
    },
}

/// Minimum length of a prefix of an id.
const FEWEST: usize = 4;

/// Minimum length of a prefix that is shown.
const SHOWN: usize = 8;

/// Maximum number of candidates in an error.
const TOLD: usize = 10;

impl SubjectError {
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Unknown {
                instead: Some(instead),
                ..
            } => instead.clone(),
            Self::Unknown { kind, .. } | Self::Short { kind, .. } => {
                format!("see what there is with `{}`", kind.list)
            }
            Self::Ambiguous { .. } => "give more of the id".to_owned(),
        }
    }

    /// Says that nothing of this kind was found, and whether there is something of another kind.
    pub(crate) fn or_instead(self, instead: impl FnOnce() -> Option<String>) -> Self {
        match self {
            Self::Unknown { kind, typed, .. } => Self::Unknown {
                kind,
                typed,
                instead: instead(),
            },
            other => other,
        }
    }
}

/// Finds what is meant. A whole id takes precedence. A text that matches several things names none.
pub(crate) fn find<'a, S: Subject>(typed: &str, all: &'a [S]) -> Result<&'a S, SubjectError> {
    let typed = typed.trim();
    if let Some(whole) = all.iter().find(|subject| subject.id() == typed) {
        return Ok(whole);
    }
    let begins = |id: &str| {
        let start = id.get(..typed.len());
        !typed.is_empty() && start.is_some_and(|start| start.eq_ignore_ascii_case(typed))
    };
    let named = |subject: &S| {
        let name = subject.name().filter(|_| S::BY_NAME);
        name.is_some_and(|name| name.trim().to_lowercase() == typed.to_lowercase())
    };
    let is_long = typed.chars().count() >= FEWEST;
    let found: Vec<_> = all
        .iter()
        .filter(|subject| (is_long && begins(&subject.id())) || named(subject))
        .collect();
    let (kind, typed) = (S::KIND, typed.to_owned());
    match found.as_slice() {
        [one] => Ok(one),
        [] if all.iter().any(|subject| begins(&subject.id())) => {
            Err(SubjectError::Short { kind, typed })
        }
        [] => Err(SubjectError::Unknown {
            kind,
            typed,
            instead: None,
        }),
        several => Err(SubjectError::Ambiguous {
            typed,
            candidates: several.iter().map(|subject| label(*subject)).collect(),
        }),
    }
}

/// Shows the whole id and the name, escaped: `8110e459… (Phone)`.
pub(crate) fn label(subject: &impl Subject) -> String {
    let mut label = escape(&subject.id()).to_string();
    if let Some(name) = subject.name() {
        // Writing to a string cannot fail.
        let _ = write!(label, " ({})", quoted(name));
    }
    label
}

/// The length of prefix that tells all ids apart.
pub(crate) fn enough<S: Subject>(all: &[S]) -> usize {
    let mut ids: Vec<_> = all.iter().map(Subject::id).collect();
    ids.sort_unstable();
    let pairs = ids.iter().zip(ids.iter().skip(1));
    let shared = pairs.map(|(a, b)| {
        let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
        alike.count()
    });
    shared.max().map_or(SHOWN, |shared| SHOWN.max(shared + 1))
}

/// The beginning of an id, escaped.
pub(crate) fn start(id: &str, length: usize) -> String {
    escape(&id.chars().take(length).collect::<String>()).to_string()
}

fn list(candidates: &[String]) -> String {
    let told: Vec<_> = candidates.iter().take(TOLD).map(String::as_str).collect();
    let mut list = told.join(", ");
    if candidates.len() > TOLD {
        let _ = write!(list, " and {} more", candidates.len() - TOLD);
    }
    list
}

impl Subject for DeviceRequest {
    const KIND: Kind = Kind {
        noun: "pending device request",
        list: "openclaw devices list",
    };
    const BY_NAME: bool = false;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> Option<&str> {
        self.info.display_name.as_deref()
    }
}

impl Subject for Device {
    const KIND: Kind = Kind {
        noun: "paired device",
        list: "openclaw devices list",
    };
    const BY_NAME: bool = true;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> Option<&str> {
        Device::name(self)
    }
}

impl Subject for NodeRequest {
    const KIND: Kind = Kind {
        noun: "pending node request",
        list: "openclaw nodes pending",
    };
    const BY_NAME: bool = false;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> Option<&str> {
        self.info.display_name.as_deref()
    }
}

impl Subject for Node {
    const KIND: Kind = Kind {
        noun: "paired node",
        list: "openclaw nodes list",
    };
    const BY_NAME: bool = true;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> Option<&str> {
        self.info.display_name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(&'static str, Option<&'static str>);

    impl Subject for Thing {
        const KIND: Kind = Kind {
            noun: "thing",
            list: "things",
        };
        const BY_NAME: bool = true;

        fn id(&self) -> String {
            self.0.to_owned()
        }

        fn name(&self) -> Option<&str> {
            self.1
        }
    }

    const THINGS: [Thing; 5] = [
        Thing("abcdef01", Some("Phone")),
        Thing("abcdef02", Some("Desk")),
        Thing("abc", Some("desk ")),
        // A name that looks like another thing's id.
        Thing("99999999", Some("abcdef01")),
        Thing("88888888", Some("9999")),
    ];

    fn found(typed: &str) -> Result<&'static str, String> {
        let found = find(typed, &THINGS).map(|thing| thing.0);
        found.map_err(|error| error.to_string())
    }

    #[test]
    fn one_is_meant_or_none() {
        assert_eq!(found("abcdef01"), Ok("abcdef01"), "the whole id");
        assert_eq!(found(" abc "), Ok("abc"), "however short");
        assert_eq!(found("ABCDEF02"), Ok("abcdef02"));
        assert_eq!(found("phone"), Ok("abcdef01"), "the name");
        assert_eq!(found("8888"), Ok("88888888"), "the beginning");
        for (typed, error) in [
            (
                "abcd",
                r#""abcd" could be abcdef01 (Phone), abcdef02 (Desk)"#,
            ),
            ("Desk", r#""Desk" could be abcdef02 (Desk), abc ("desk ")"#),
            (
                "9999",
                r#""9999" could be 99999999 (abcdef01), 88888888 (9999)"#,
            ),
            ("nobody", r#"there is no thing "nobody""#),
            ("", r#"there is no thing """#),
            (
                "888",
                r#""888" is too short for the beginning of an id: 4 characters at least"#,
            ),
        ] {
            assert_eq!(found(typed), Err(error.to_owned()));
        }
    }

    #[test]
    fn beginnings_tell_apart() {
        assert_eq!(enough(&THINGS), 8);
        assert_eq!(enough::<Thing>(&[]), 8);
        let long = [Thing("0123456789a", None), Thing("0123456789b", None)];
        assert_eq!(enough(&long), 11);
    }
}
