//! Who holds the lock that a write waits for.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Maximum size of the kernel's list of locks that is searched, in bytes.
const MAX_LIST: usize = 1 << 20;

/// How often the list is read. The kernel gives it out by the page, and an entry is left out where locks before it end
/// between two pages.
const LOOKS: usize = 8;

/// Bytes that SQLite locks for writing: in the index of a write-ahead log, and in the database itself
/// where there is no such log.
const WAL_WRITE: u64 = 120;
const RESERVED: u64 = 0x4000_0001;

/// Returns who writes to the database, in words for a person, as far as the system tells.
///
/// Reads the kernel's list of locks. (Asking for the lock itself would mean opening the file once more, and
/// closing that would drop all locks that SQLite holds on it for this process.)
pub(crate) fn of(database: &Path) -> String {
    let mut index = database.as_os_str().to_owned();
    index.push("-shm");
    let places = [
        (PathBuf::from(index), WAL_WRITE),
        (database.to_owned(), RESERVED),
    ];
    let places: Vec<_> = places
        .iter()
        .filter_map(|(file, byte)| Some((fs::metadata(file).ok()?.ino(), *byte)))
        .collect();
    let list = || fs::read_to_string("/proc/locks").unwrap_or_default();
    let found = (0..LOOKS).find_map(|_| writer_of(&list(), &places));
    match found {
        Some(pid) if pid == std::process::id() => "another thread of this process".to_owned(),
        Some(pid) => match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(32).collect();
                format!("process {pid} ({name})")
            }
            Err(_) => format!("process {pid}"),
        },
        None => "another process".to_owned(),
    }
}

/// Returns the process that holds one of these bytes of files, which are named by their inode, for writing.
fn writer_of(list: &str, places: &[(u64, u64)]) -> Option<u32> {
    let list = list.get(..MAX_LIST).unwrap_or(list);
    let mut lines = list.lines();
    lines.find_map(|line| {
        let mut places = places.iter();
        places.find_map(|(inode, byte)| writer(line, *inode, *byte))
    })
}

/// Returns the process that a line of the list says to hold a byte of a file for writing.
///
/// `1: POSIX  ADVISORY  WRITE 4711 08:01:1234567 120 120`
fn writer(line: &str, inode: u64, byte: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != "POSIX" || words.next()? != "ADVISORY" || words.next()? != "WRITE" {
        return None;
    }
    let pid = words.next()?.parse().ok().filter(|pid| *pid != 0)?;
    let file = words.next()?;
    let first: u64 = words.next()?.parse().ok()?;
    let last = match words.next()? {
        "EOF" => u64::MAX,
        last => last.parse().ok()?,
    };
    let is_file = file.rsplit(':').next()?.parse::<u64>().ok()? == inode;
    (is_file && (first..=last).contains(&byte)).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_list() {
        let line = "3: POSIX  ADVISORY  WRITE 4711 08:01:1234567 120 120";
        assert_eq!(writer(line, 1_234_567, 120), Some(4711));
        assert_eq!(writer(line, 1_234_567, 121), None);
        assert_eq!(writer(line, 7, 120), None);
        let whole = "3: POSIX  ADVISORY  WRITE 4711 08:01:7 0 EOF";
        assert_eq!(writer(whole, 7, RESERVED), Some(4711));
        for other in [
            "3: POSIX  ADVISORY  READ  4711 08:01:7 0 EOF",
            "3: FLOCK  ADVISORY  WRITE 4711 08:01:7 0 EOF",
            "3: -> POSIX  ADVISORY  WRITE 4711 08:01:7 0 EOF",
            "3: POSIX  ADVISORY  WRITE 0 08:01:7 0 EOF",
            "3: POSIX",
            "",
        ] {
            assert_eq!(writer(other, 7, 120), None, "{other}");
        }
    }

    /// Others take and end locks all the while, so many that the list has several pages.
    #[test]
    fn the_holder_is_found_while_the_list_changes() {
        use rustix::fs::{FlockOperation, fcntl_lock};
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| fs::File::create(dir.path().join(name)).unwrap();
        let others: Vec<_> = (0..400).map(|number| open(&number.to_string())).collect();
        let database = dir.path().join("held");
        fs::write(&database, "").unwrap();
        let held = fs::File::options().write(true).open(&database).unwrap();
        fcntl_lock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    for operation in [
                        FlockOperation::NonBlockingLockExclusive,
                        FlockOperation::NonBlockingUnlock,
                    ] {
                        for other in &others {
                            fcntl_lock(other, operation).unwrap();
                        }
                    }
                }
            });
            let named: Vec<_> = (0..200).map(|_| of(&database)).collect();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            let missed = named
                .iter()
                .filter(|name| *name != "another thread of this process");
            assert_eq!(missed.count(), 0);
        });
    }
}
