//! The space that is left in the file system of the state directory.

use std::path::Path;

use gateway_protocol::health::FaultState;

use super::seen::Fault;

/// Free space below which the state may soon not be written, and below which it cannot be.
const LITTLE: u64 = 64 << 20;
const NONE: u64 = 1 << 20;

/// The space that is left where a path leads; `None` if that is not known.
pub(crate) type SpaceOf = Box<dyn Fn(&Path) -> Option<Space> + Send + Sync>;

/// The space that is left in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free bytes.
    pub bytes: u64,
    /// Whether files can be made.
    pub has_files: bool,
    /// Whether the file system can be read only: a system sets it so when its disk fails.
    pub is_read_only: bool,
}

impl Space {
    /// The space in the file system of this path.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let space = rustix::fs::statvfs(path).ok()?;
        Some(Self {
            bytes: space.f_bavail.saturating_mul(space.f_frsize),
            // File systems without a fixed number of files tell 0 of 0.
            has_files: space.f_files == 0 || space.f_favail > 0,
            is_read_only: space.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        })
    }
}

pub(super) fn of_space(space: Space) -> Option<Fault> {
    let Space {
        bytes: free,
        has_files,
        is_read_only,
    } = space;
    let state = if free < NONE || !has_files || is_read_only {
        FaultState::Down
    } else if free < LITTLE {
        FaultState::Degraded
    } else {
        return None;
    };
    let why = if is_read_only {
        "the file system of the state directory is read-only".to_owned()
    } else if has_files {
        format!(
            "{} MiB are free in the file system of the state directory",
            free >> 20
        )
    } else {
        "no more files can be made in the file system of the state directory".to_owned()
    };
    Some(Fault {
        named: ("disk", None),
        state,
        why,
        since: None,
        advice: Some(
            "free some space, or check the disk: without space, approvals cannot be saved"
                .to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_little_or_none() {
        let of = |bytes, has_files, is_read_only| {
            let space = Space {
                bytes,
                has_files,
                is_read_only,
            };
            of_space(space).map(|fault| fault.state)
        };
        let state = |bytes, has_files| of(bytes, has_files, false);
        assert_eq!(state(LITTLE, true), None);
        assert_eq!(state(LITTLE - 1, true), Some(FaultState::Degraded));
        assert_eq!(state(NONE - 1, true), Some(FaultState::Down));
        assert_eq!(state(LITTLE, false), Some(FaultState::Down));
        assert_eq!(of(LITTLE, true, true), Some(FaultState::Down));
    }
}
