//! File descriptors: how many connections there is room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept back for files, chats, the store, and the owner's own socket.
const KEPT_BACK: u64 = 128;

/// Raises this process's limit of open files to what it may be, and returns it.
///
/// Systems usually let a process have 1,024 without asking, for the sake of old programs. A few addresses
/// could take all of those.
pub(crate) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Some systems refuse what they name as the maximum.
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// How many connections there may be where `configured` ones are wanted, and so many descriptors can be had.
pub(super) fn room(configured: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else {
        return configured;
    };
    let room = descriptors.saturating_sub(KEPT_BACK).max(descriptors / 2);
    configured
        .min(usize::try_from(room).unwrap_or(usize::MAX))
        .max(1)
}

/// How many descriptors this process may have now.
pub(super) fn present() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t109_connections_leave_descriptors_for_everything_else() {
        assert_eq!(room(10_000, None), 10_000);
        assert_eq!(room(10_000, Some(1_048_576)), 10_000);
        assert_eq!(room(10_000, Some(1024)), 896);
        assert_eq!(room(10_000, Some(64)), 32);
        assert_eq!(room(10, Some(1024)), 10);
        assert_eq!(room(10, Some(0)), 1);
    }

    #[test]
    fn t109_the_limit_is_raised_to_what_it_may_be() {
        assert_eq!(raise(), getrlimit(Resource::Nofile).maximum);
        assert_eq!(present(), getrlimit(Resource::Nofile).maximum);
    }
}
