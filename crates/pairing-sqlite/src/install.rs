//! Which database an install has, and what is left over beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pairing_core::{Problem, StoreError};

use crate::database;
use crate::error::Operation;
use crate::openclaw::{KNOWN_VERSION, Table, Tables};

/// The databases of an install, by their places in its state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// OpenClaw's own: `state/openclaw.sqlite`.
    pub openclaw: PathBuf,
    /// What only this project knows, beside it: `pairing/beside.sqlite`.
    pub beside: PathBuf,
    /// Ours: `pairing/pairing.sqlite`.
    pub own: PathBuf,
}

impl Paths {
    /// Returns the places in a state directory.
    pub fn of(state: &Path) -> Self {
        Self {
            openclaw: state.join("state/openclaw.sqlite"),
            beside: state.join("pairing/beside.sqlite"),
            own: state.join("pairing/pairing.sqlite"),
        }
    }
}

/// A database of OpenClaw's that holds the records of pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The file.
    pub path: PathBuf,
    /// The release that last wrote its schema, if recorded.
    pub release: Option<String>,
    /// The version of its schema, if recorded.
    pub schema_version: Option<i64>,
    /// Whether that version is newer than the known ones. It is read with care then, and written to only
    /// where the tables have the known columns.
    pub is_newer: bool,
}

/// Looks for OpenClaw's database in a state directory.
///
/// `None` means that the records are not kept in one: there is no such file, or it has no table of pairing.
///
/// # Errors
///
/// The file is there and cannot be read, is a link to nothing, or holds only part of the tables, as between the releases that
/// moved devices and senders there. In neither case is the install an empty one.
pub fn find(state: &Path) -> Result<Option<Description>, StoreError> {
    let path = Paths::of(state).openclaw;
    let operation = Operation::read(&path);
    match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A link to a disk that is not mounted is no empty install either.
            return match fs::symlink_metadata(&path) {
                Ok(_) => Err(operation.because("it is a link to a file that is not there")),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(operation.because(error)),
        Ok(_) => {}
    }
    let connection = database::connect(&path, Duration::from_secs(10))
        .map_err(|error| operation.failed(error))?;
    let tables = Tables::read(&connection).map_err(|error| operation.failed(error))?;
    let needed = [
        Table::Requests,
        Table::Allowed,
        Table::DeviceRequests,
        Table::Devices,
    ];
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|table| !tables.has(*table))
        .map(Table::name)
        .collect();
    if missing.len() == needed.len() {
        return Ok(None);
    }
    if !missing.is_empty() {
        let release = tables.release.as_deref().unwrap_or("an unknown release");
        let reason = format!(
            "it was made by {release} of OpenClaw and has no {}: its senders or devices are still in files; \
             start a newer release once, which moves them",
            missing.join(", ")
        );
        return Err(operation.because(reason));
    }
    Ok(Some(Description {
        path,
        is_newer: tables
            .schema_version
            .is_some_and(|version| version > KNOWN_VERSION),
        release: tables.release,
        schema_version: tables.schema_version,
    }))
}

/// Looks for what is left over in a state directory whose records are in a database: files and other
/// databases that are not read any more. Changes nothing.
///
/// `used` is the database in use; `credentials` the directory of the files of senders.
pub fn leftovers(state: &Path, credentials: &Path, used: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let used_at = [used.to_owned(), beside(used, "-wal")]
        .iter()
        .filter_map(|path| modified(path))
        .max();
    let dirs = [
        credentials.to_owned(),
        state.join("devices"),
        state.join("nodes"),
    ];
    for dir in dirs {
        for path in files(&dir) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if is_record(&dir, &name) {
                let is_newer = modified(&path)
                    .zip(used_at)
                    .is_some_and(|(at, used)| at > used);
                let detail = if is_newer {
                    "is newer than the database and is not read: if it holds what counts, stop the gateway and \
                     run `openclaw state migrate --from files`; otherwise move it away"
                } else {
                    "is left over: the database is read, and not this file; move it away"
                };
                found.push(Problem {
                    resource: path.display().to_string(),
                    detail: detail.to_owned(),
                });
            }
        }
    }
    let paths = Paths::of(state);
    let other = [paths.openclaw, paths.own];
    for path in other.iter().filter(|path| *path != used && path.exists()) {
        found.push(Problem {
            resource: path.display().to_string(),
            detail: "is another database with records, and is not read".to_owned(),
        });
    }
    found
}

/// Whether a file holds records that a database holds instead.
fn is_record(dir: &Path, name: &str) -> bool {
    match dir.file_name().and_then(|dir| dir.to_str()) {
        Some("devices" | "nodes") => {
            matches!(name, "paired.json" | "pending.json" | "bootstrap.json")
        }
        _ => name.ends_with("-pairing.json") || name.ends_with("-allowFrom.json"),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Returns the files in a directory, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort_unstable();
    files
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn database(state: &Path, statements: &str) {
        fs::create_dir_all(state.join("state")).unwrap();
        let connection = Connection::open(Paths::of(state).openclaw).unwrap();
        connection.execute_batch(statements).unwrap();
    }

    #[test]
    fn t123_an_install_is_never_taken_for_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find(dir.path()).unwrap(), None);
        database(dir.path(), "CREATE TABLE sessions (a)");
        assert_eq!(find(dir.path()).unwrap(), None, "it holds something else");

        database(
            dir.path(),
            "CREATE TABLE device_pairing_paired (device_id TEXT)",
        );
        let error = find(dir.path()).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("channel_pairing_requests"), "{source}");

        let path = Paths::of(dir.path()).openclaw;
        fs::write(&path, "garbage".repeat(1000)).unwrap();
        let error = find(dir.path()).unwrap_err();
        let said = pairing_core::Chain(&error).to_string();
        assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn t123_a_link_to_a_database_that_is_away_is_no_empty_install() {
        let dir = tempfile::tempdir().unwrap();
        let path = Paths::of(dir.path()).openclaw;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(dir.path().join("away.sqlite"), &path).unwrap();
        let error = find(dir.path()).unwrap_err();
        let said = pairing_core::Chain(&error).to_string();
        assert!(
            said.contains("a link to a file that is not there"),
            "{said}"
        );
    }

    #[test]
    fn a_database_of_pairing_is_described() {
        let dir = tempfile::tempdir().unwrap();
        database(
            dir.path(),
            include_str!("../tests/sqlite/openclaw-2026.9.6/pairing.sql"),
        );
        let found = find(dir.path()).unwrap().unwrap();
        assert_eq!(found.release.as_deref(), Some("2026.9.6"));
        assert_eq!((found.schema_version, found.is_newer), (Some(18), false));
        database(dir.path(), "UPDATE schema_meta SET schema_version = 19");
        assert!(find(dir.path()).unwrap().unwrap().is_newer);
    }

    #[test]
    fn what_is_left_over_is_named() {
        let dir = tempfile::tempdir().unwrap();
        database(dir.path(), "CREATE TABLE t (a)");
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let old = put("credentials/telegram-allowFrom.json", "{}");
        let past = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(&old)
            .unwrap()
            .set_modified(past)
            .unwrap();
        let new = put("devices/paired.json", "{}");
        let future = SystemTime::now() + Duration::from_secs(60);
        fs::File::options()
            .write(true)
            .open(&new)
            .unwrap()
            .set_modified(future)
            .unwrap();
        put("devices/paired.json.migrated", "{}");
        put("credentials/whatsapp/creds.json", "{}");
        let found = leftovers(
            dir.path(),
            &dir.path().join("credentials"),
            &Paths::of(dir.path()).openclaw,
        );
        let said: Vec<_> = found
            .iter()
            .map(|p| (&p.resource[..], &p.detail[..20]))
            .collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].0.ends_with("telegram-allowFrom.json") && said[0].1.contains("left over"));
        assert!(said[1].0.ends_with("paired.json") && said[1].1.contains("newer than"));
    }
}
