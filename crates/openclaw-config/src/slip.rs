//! Keys that are ignored and look like a misspelt one.

use std::fmt;

use crate::Position;
use crate::error::Place;

/// A key that probably does not do what it was meant to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slip {
    /// The key, as it is written; escaped.
    pub key: String,
    /// What is wrong with it.
    pub detail: String,
    /// Where it is.
    pub at: Position,
    /// The included file that it is in, as `$include` names it; `None` for `openclaw.json`.
    pub file: Option<String>,
}

impl Slip {
    pub(crate) fn new(key: &str, place: &Place, detail: String) -> Self {
        Self {
            key: key.to_owned(),
            detail,
            at: place.at,
            file: place.file.as_deref().map(str::to_owned),
        }
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.key, self.detail, self.at)?;
        match &self.file {
            Some(file) => write!(f, " of {file}"),
            None => Ok(()),
        }
    }
}

/// The known name that somebody may have meant: the same but for case, dashes and underscores, or one or two
/// letters away.
///
/// ```
/// use openclaw_config::did_you_mean;
///
/// assert_eq!(did_you_mean("telegrm", &["signal", "telegram"]), Some("telegram"));
/// assert_eq!(did_you_mean("matrix", &["signal", "telegram"]), None);
/// ```
pub fn did_you_mean<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = plain(written)?;
    let near = known.iter().filter_map(|key| {
        let key_plain = plain(key)?;
        // One letter of a short word makes another word.
        let most = match key_plain.len().min(written.len()) {
            0..=3 => 0,
            4..=6 => 1,
            _ => 2,
        };
        let distance = strsim::osa_distance(&written, &key_plain);
        (distance <= most).then_some((distance, *key))
    });
    near.min().map(|(_, key)| key)
}

/// The name without case, dashes and underscores; `None` if it is too long to be a slip.
fn plain(key: &str) -> Option<String> {
    (key.len() <= 64).then(|| {
        let letters = key.chars().filter(|c| !matches!(c, '-' | '_'));
        letters.flat_map(char::to_lowercase).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_keys() {
        let known = ["dmPolicy", "allowFrom", "trustedProxies", "port", "url"];
        for (written, key) in [
            ("dmpolicy", "dmPolicy"),
            ("dm_policy", "dmPolicy"),
            ("dmPolciy", "dmPolicy"),
            ("allowfrom", "allowFrom"),
            ("allow-form", "allowFrom"),
            ("trustedProxys", "trustedProxies"),
            ("prot", "port"),
            ("URL", "url"),
        ] {
            assert_eq!(did_you_mean(written, &known), Some(key), "{written}");
        }
        let long = "a".repeat(100_000);
        for other in [
            "groupPolicy",
            "groupAllowFrom",
            "host",
            "uri",
            "",
            "é",
            &long,
        ] {
            assert_eq!(did_you_mean(other, &known), None, "{other:.20}");
        }
    }
}
