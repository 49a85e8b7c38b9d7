//! A state as one file: to keep, or to take elsewhere.
//!
//! JSON lines: what it is, a record each, and how many there are with their digest. It is no secret in clear
//! but for the codes of pending requests; tokens are in it as hashes.

use std::collections::HashSet;
use std::fmt::Write as _;

use pairing_core::{ChannelId, ChannelRules, Channels, Record, SenderId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version of the form.
const VERSION: u32 = 1;

/// A state that was read out of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// When it was taken.
    pub exported_at: Timestamp,
    /// What was stored.
    pub records: Vec<Record>,
}

/// A file is no state that could be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is something else.
    #[error("this is no exported state")]
    Foreign,
    /// It was made by another version.
    #[error("this is an exported state of version {found}, version {VERSION} is understood")]
    Version {
        /// Its version.
        found: u32,
    },
    /// The last line is missing, or half there.
    #[error("the exported state is cut off: its last line does not end it")]
    CutOff,
    /// There are more records or less than its last line says.
    #[error("the exported state has {found} records, its last line says {said}")]
    Count {
        /// The number found.
        found: usize,
        /// The number expected.
        said: usize,
    },
    /// It has been changed since.
    #[error("the exported state was changed: its digest is another one")]
    Digest,
    /// A line means nothing to this version.
    #[error("line {line} is no record, from column {column} on")]
    Record {
        /// Its number, from 1.
        line: usize,
        /// Where it goes wrong, from 1.
        column: usize,
    },
    /// A line is about the same as an earlier one.
    #[error("line {line} is about the same as a line before it")]
    Twice {
        /// Its number, from 1.
        line: usize,
    },
    /// A line has a sender as the channel does not spell them.
    #[error("line {line} has a sender that {channel} would spell otherwise")]
    Sender {
        /// Its number, from 1.
        line: usize,
        /// The channel.
        channel: ChannelId,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    openclaw_state: u32,
    exported_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tail {
    records: usize,
    sha256: String,
}

/// The text of a file with these records.
pub fn write<'r>(
    records: impl IntoIterator<Item = &'r Record>,
    exported_at: Timestamp,
) -> Result<String, serde_json::Error> {
    let mut lines = String::new();
    for record in records {
        lines.push_str(&serde_json::to_string(record)?);
        lines.push('\n');
    }
    sealed(&lines, exported_at)
}

/// The text of a file with these lines.
pub(crate) fn sealed(lines: &str, exported_at: Timestamp) -> Result<String, serde_json::Error> {
    let head = serde_json::to_string(&Head {
        openclaw_state: VERSION,
        exported_at,
    })?;
    let tail = serde_json::to_string(&Tail {
        records: lines.lines().count(),
        sha256: digest(lines),
    })?;
    Ok(format!("{head}\n{lines}{tail}\n"))
}

/// Reads the text of a file, all of it or nothing: whole, unchanged, and with senders as `channels` spell
/// them.
pub fn read(text: &str, channels: &Channels) -> Result<Export, ExportError> {
    let (head, rest) = text.split_once('\n').ok_or(ExportError::Foreign)?;
    let head: Head = serde_json::from_str(head).map_err(|_| ExportError::Foreign)?;
    if head.openclaw_state != VERSION {
        return Err(ExportError::Version {
            found: head.openclaw_state,
        });
    }
    let rest = rest.strip_suffix('\n').ok_or(ExportError::CutOff)?;
    let end = rest.rfind('\n').map_or(0, |at| at + 1);
    let (lines, tail) = rest.split_at(end);
    let tail: Tail = serde_json::from_str(tail).map_err(|_| ExportError::CutOff)?;
    let found = lines.lines().count();
    if found != tail.records {
        return Err(ExportError::Count {
            found,
            said: tail.records,
        });
    }
    if digest(lines) != tail.sha256 {
        return Err(ExportError::Digest);
    }
    let mut keys = HashSet::new();
    let mut records = Vec::with_capacity(found);
    for (at, text) in lines.lines().enumerate() {
        let line = at + 2;
        let record: Record = serde_json::from_str(text).map_err(|error| ExportError::Record {
            line,
            column: error.column(),
        })?;
        if !keys.insert(record.key()) {
            return Err(ExportError::Twice { line });
        }
        if let Some(channel) = misspelt(&record, channels) {
            let channel = channel.clone();
            return Err(ExportError::Sender { line, channel });
        }
        records.push(record);
    }
    Ok(Export {
        exported_at: head.exported_at,
        records,
    })
}

/// The channel of a record whose sender it would spell otherwise, so that nobody would ever be them.
fn misspelt<'r>(record: &'r Record, channels: &Channels) -> Option<&'r ChannelId> {
    let (channel, sender): (_, &SenderId) = match record {
        Record::Request(request) => (&request.channel, &request.sender),
        Record::Allow(allow) => (&allow.channel, &allow.entry),
        _ => return None,
    };
    let spelt = match channels.get(channel) {
        Some(rules) => rules.sender(sender.as_str()),
        None => ChannelRules::new(channel.clone()).sender(sender.as_str()),
    };
    (spelt.as_ref() != Ok(sender)).then_some(channel)
}

/// SHA-256, in hexadecimal.
fn digest(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
