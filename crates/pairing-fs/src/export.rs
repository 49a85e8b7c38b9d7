//! A state as a single file, for backups and for moving it elsewhere.
//!
//! JSON lines: a header, one line per record, and a footer with the number of records and their digest. The
//! codes of pending requests are its only secrets in clear; tokens are included as hashes.

use std::collections::HashSet;

use pairing_core::{ChannelId, ChannelRules, Channels, Record, SenderId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::hex;

/// Version of the export format.
const VERSION: u32 = 1;

/// A state that was read from an export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// Time of the export.
    pub exported_at: Timestamp,
    /// The exported records.
    pub records: Vec<Record>,
}

/// The file is not an export that can be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The file is something else.
    #[error("this is no exported state")]
    Foreign,
    /// The export has a version that is not supported.
    #[error("this is an exported state of version {found}, version {VERSION} is understood")]
    Version {
        /// Version of the export.
        found: u32,
    },
    /// The last line is missing or incomplete.
    #[error("the exported state is cut off: its last line does not end it")]
    CutOff,
    /// The number of records differs from the one in the last line.
    #[error("the exported state has {found} records, its last line says {said}")]
    Count {
        /// The number found.
        found: usize,
        /// The number expected.
        said: usize,
    },
    /// The records were changed after the export.
    #[error("the exported state was changed: its digest is another one")]
    Digest,
    /// A line is not a record that this version understands.
    #[error("line {line} is no record, from column {column} on")]
    Record {
        /// Line number, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// A line has the same key as an earlier one.
    #[error("line {line} is about the same as a line before it")]
    Twice {
        /// Line number, from 1.
        line: usize,
    },
    /// The sender on a line is not in the channel's normal form.
    #[error("line {line} has a sender that {channel} would spell otherwise")]
    Sender {
        /// Line number, from 1.
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

/// Returns the text of an export of these records.
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

/// Returns the text of an export of these record lines.
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

/// Reads the text of an export, all of it or nothing: it must be complete and unchanged, and its senders
/// must be in the normal form of `channels`.
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

/// Returns the channel of a record whose sender is not in normal form, and so could never match a real
/// sender.
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

/// Returns the SHA-256 in hexadecimal.
fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}
