//! Whether the files of a group can be written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pairing_core::StoreError;
use pairing_core::store as keys;

use super::registry::Registry;
use super::{Inner, unknown_kind};
use crate::MAX_FILE_BYTES;
use crate::cache::CachedFile;
use crate::disk::target_of;
use crate::docs::Entry;
use crate::error::unwritable;

/// Minimum size of what is written: on a disk that is full, a few bytes may find room.
const LEAST: u64 = 4096;

impl Inner {
    /// Writes a temporary file into each directory that a file of the group is in, as large as the largest of them.
    pub(super) fn probe_write(&self, group: keys::Group<'_>) -> Result<(), StoreError> {
        let files = match group {
            keys::Group::Channel(channel) => {
                let group = self.group(channel);
                let mut files = vec![
                    group.requests.path().to_owned(),
                    group.grants.path().to_owned(),
                    group.counters.path().to_owned(),
                    group.claims.path().to_owned(),
                ];
                for account in group.accounts_on_disk() {
                    let allowlist = group.allowlist(&account);
                    files.extend(allowlist.files.iter().map(|file| file.path().to_owned()));
                }
                files
            }
            keys::Group::Devices => files_of(&self.devices),
            keys::Group::Nodes => files_of(&self.nodes),
            _ => return Err(unknown_kind()),
        };
        let mut dirs: BTreeMap<PathBuf, u64> = BTreeMap::new();
        for file in files {
            let target = target_of(&file).map_err(|error| unwritable(&file, error))?;
            let dir = target.parent().unwrap_or(Path::new(".")).to_owned();
            let size = fs::metadata(&target).map_or(0, |file| file.len());
            let most = dirs.entry(dir).or_insert(LEAST);
            *most = size.clamp(*most, MAX_FILE_BYTES);
        }
        let mut dirs = dirs.into_iter();
        dirs.try_for_each(|(dir, size)| self.disk.try_write(&dir, size))
    }
}

fn files_of<Q: Entry, P: Entry>(registry: &Registry<Q, P>) -> Vec<PathBuf> {
    let mut files = vec![registry.pending.path(), registry.paired.path()];
    files.extend(registry.tokens.as_ref().map(CachedFile::path));
    files.extend(registry.clients.as_ref().map(CachedFile::path));
    files.into_iter().map(Path::to_owned).collect()
}
