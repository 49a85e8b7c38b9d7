//! The layout of the keys: one for each record, and one for the version of each range.

use pairing_core::{Key, Range};

/// The keys of one install.
///
/// ```text
/// <prefix>/state/record/<Key::path>     a record
/// <prefix>/state/range/<Range::prefix>  put with every change of the range; its revision is the version
/// <prefix>/state/head                   put with every change of anything
/// <prefix>/state/gateway/<name>         what a gateway says of itself, for as long as it lives
/// <prefix>/operation/<id>               a commit that happened, for as long as somebody may ask
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    prefix: String,
}

/// What a key below `<prefix>/state/` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'k> {
    /// A record, by its path.
    Record(&'k str),
    /// The version of a range, by its prefix.
    Range(&'k str),
    /// The latest change.
    Head,
    /// A gateway's value, by its name.
    Gateway(&'k str),
}

const RECORD: &str = "record/";
const RANGE: &str = "range/";
const HEAD: &str = "head";
const GATEWAY: &str = "gateway/";

impl Layout {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// The prefix of all keys of the state, and no others.
    pub(crate) fn state(&self) -> String {
        format!("{}/state/", self.prefix)
    }

    /// The prefix of all records of a range, and no others; of all records, if the path is empty.
    pub(crate) fn records(&self, path: &str) -> String {
        format!("{}/state/{RECORD}{path}", self.prefix)
    }

    pub(crate) fn record(&self, key: &Key) -> String {
        self.records(&key.path())
    }

    /// The prefix of the versions of all ranges, and no others.
    pub(crate) fn ranges(&self) -> String {
        format!("{}/state/{RANGE}", self.prefix)
    }

    pub(crate) fn range(&self, range: &Range) -> String {
        self.ranges() + &range.prefix()
    }

    pub(crate) fn head(&self) -> String {
        format!("{}/state/{HEAD}", self.prefix)
    }

    pub(crate) fn operation(&self, id: &str) -> String {
        format!("{}/operation/{id}", self.prefix)
    }

    pub(crate) fn gateway(&self, name: &str) -> String {
        format!("{}/state/{GATEWAY}{name}", self.prefix)
    }

    /// Parses a key; `None` if it is not part of the state, or unknown.
    pub(crate) fn place<'k>(&self, key: &'k [u8]) -> Option<Place<'k>> {
        let key = std::str::from_utf8(key).ok()?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let rest = rest.strip_prefix("/state/")?;
        if rest == HEAD {
            return Some(Place::Head);
        }
        let record = rest.strip_prefix(RECORD).map(Place::Record);
        record
            .or_else(|| rest.strip_prefix(RANGE).map(Place::Range))
            .or_else(|| rest.strip_prefix(GATEWAY).map(Place::Gateway))
    }

    /// A record's name for errors and logs, without the code if there is one.
    pub(crate) fn shown(&self, path: &str) -> String {
        match path.strip_prefix("code/") {
            Some(rest) => {
                let channel = rest.split('/').next().unwrap_or_default();
                self.records(&format!("code/{channel}/…"))
            }
            None => self.records(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use pairing_core::{ChannelId, PairingCode};

    use super::*;

    fn telegram() -> ChannelId {
        ChannelId::parse("telegram").unwrap()
    }

    #[test]
    fn what_is_laid_out_is_found_again() {
        let layout = Layout::new("home");
        let range = Range::Requests {
            channel: telegram(),
            account: None,
        };
        assert_eq!(layout.range(&range), "home/state/range/request/telegram/");
        assert_eq!(
            layout.place(layout.range(&range).as_bytes()),
            Some(Place::Range("request/telegram/"))
        );
        let records = layout.records(&range.prefix());
        assert_eq!(
            layout.place(records.as_bytes()),
            Some(Place::Record("request/telegram/"))
        );
        assert_eq!(layout.place(layout.head().as_bytes()), Some(Place::Head));
        let gateway = layout.gateway("a/b");
        assert_eq!(
            layout.place(gateway.as_bytes()),
            Some(Place::Gateway("a/b"))
        );
        for other in [
            "home/operation/1",
            "home/state/else",
            "homes/state/head",
            "head",
        ] {
            assert_eq!(layout.place(other.as_bytes()), None, "{other}");
        }
        assert_eq!(layout.place(b"home/state/record/\xff"), None);
    }

    #[test]
    fn a_code_is_not_shown() {
        let code = PairingCode::from_entropy([7; 8]);
        let key = Key::Code {
            channel: telegram(),
            code,
        };
        let shown = Layout::new("home").shown(&key.path());
        assert_eq!(shown, "home/state/record/code/telegram/…");
    }
}
