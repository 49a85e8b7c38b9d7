//! The repairs that the doctor can make.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pairing_core::device::DeviceLimits;
use pairing_core::store::{Batch, Change, Condition, PageRequest};
use pairing_core::{ChannelId, Channels, Limits, PairingStore, Range, Record, Timestamp};

use super::Fix;
use crate::{FsStore, StateDir, owned};

pub(super) enum Mend {
    /// Removes the permissions of other users.
    Chmod(u32),
    /// Removes a file that is no longer needed.
    Remove,
    /// Removes the expired requests of a channel.
    DropExpired(ChannelId),
    /// Removes the expired requests of a range, of devices or of nodes.
    DropExpiredOf(Range),
    /// Takes a byte order mark and NUL bytes away from around a document, and keeps a copy.
    Trim,
    /// Moves a file out of the way, if the caller asked for that.
    SetAside,
}

type Failed = Box<dyn std::error::Error>;

impl Mend {
    /// Makes the repair; returns `false` for one that was skipped because it has to be asked for.
    pub(super) fn apply(
        self,
        path: &Path,
        state: &StateDir,
        channels: &Channels,
        limits: &Limits,
        now: Timestamp,
        how: Fix,
    ) -> Result<bool, Failed> {
        match self {
            Self::Chmod(mode) => fs::set_permissions(path, Permissions::from_mode(mode))?,
            Self::Remove => fs::remove_file(path)?,
            Self::DropExpired(channel) => {
                drop_expired(&FsStore::new(state, channels.clone()), channel, limits, now)?;
            }
            Self::DropExpiredOf(range) => {
                drop_expired_of(&FsStore::new(state, channels.clone()), range, now)?;
            }
            Self::Trim => trim(path, now)?,
            Self::SetAside if how.set_aside => set_aside(path, now)?,
            Self::SetAside => return Ok(false),
        }
        Ok(true)
    }
}

fn drop_expired(
    store: &FsStore,
    channel: ChannelId,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), Failed> {
    let range = Range::Requests {
        channel,
        account: None,
    };
    let page = store.range(&range, &PageRequest::first(usize::MAX))?;
    let requests = page.records.iter().filter_map(|record| record.as_request());
    let expired = requests.filter(|request| request.is_expired(limits, now));
    let changes = expired.flat_map(|request| {
        let code = Record::Code(request.taken_code()).key();
        [Change::Delete(request.key()), Change::Delete(code)]
    });
    store.commit(&Batch {
        changes: changes.collect(),
        conditions: vec![Condition::Range(range, page.version)],
    })?;
    Ok(())
}

fn drop_expired_of(store: &FsStore, range: Range, now: Timestamp) -> Result<(), Failed> {
    let limits = DeviceLimits::default();
    let page = store.range(&range, &PageRequest::first(usize::MAX))?;
    let records = page.records.iter();
    let expired = records.filter(|record| match &***record {
        Record::DeviceRequest(request) => request.is_expired(&limits, now),
        Record::NodeRequest(request) => request.is_expired(&limits, now),
        _ => false,
    });
    store.commit(&Batch {
        changes: expired.map(|record| Change::Delete(record.key())).collect(),
        conditions: vec![Condition::Range(range, page.version)],
    })?;
    Ok(())
}

/// Writes a file anew without its stray bytes, after a copy of it under another name.
fn trim(path: &Path, now: Timestamp) -> Result<(), Failed> {
    let bytes = fs::read(path)?;
    let within = trimmed(&bytes).ok_or("it has changed meanwhile")?;
    let (text, within) = (std::str::from_utf8(&bytes)?, std::str::from_utf8(within)?);
    let copy = beside(path, &format!(".before-{now}"));
    if !owned::create_file(&copy, text)? {
        return Err(format!("{} exists already", copy.display()).into());
    }
    if fs::read(path)? != bytes {
        return Err("it has changed meanwhile".into());
    }
    owned::replace_file(path, within)?;
    Ok(())
}

/// Another name in the same directory.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end.replace(':', "-"));
    path.with_file_name(name)
}

/// Renames a file within its directory, without overwriting an earlier file of the new name.
fn set_aside(path: &Path, now: Timestamp) -> Result<(), Failed> {
    let aside = beside(path, &format!(".broken-{now}"));
    // Creates a second name for the same bytes, which unlike renaming refuses to replace a file.
    fs::hard_link(path, &aside)?;
    fs::remove_file(path)?;
    Ok(())
}

/// A byte order mark.
pub(super) const MARK: &[u8] = "\u{feff}".as_bytes();

/// The bytes without a byte order mark before and NUL bytes after them; `None` where there are none, or where
/// nothing is left.
pub(super) fn trimmed(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let length = rest
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let within = &rest[..length];
    (!within.is_empty() && within.len() < bytes.len()).then_some(within)
}
