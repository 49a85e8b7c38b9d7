#![doc = include_str!("../README.md")]

mod audit;
mod cache;
mod disk;
mod docs;
pub mod doctor;
mod error;
pub mod export;
#[doc(hidden)]
pub mod fuzzing;
mod hex;
mod identity;
mod json;
mod lock;
mod names;
pub mod owned;
mod paths;
mod store;
mod system;
pub mod trust;

pub use audit::{AuditCheck, AuditGap, AuditGapKind, AuditLog, AuditPage};
pub use error::FileError;
pub use identity::{HeldToken, IdentityDir, IdentityError};
pub use paths::{NoStateDir, StateDir};
pub use store::{FsStore, discovered_channels};
pub use system::{SystemClock, SystemEntropy};

#[doc(hidden)]
pub use disk::{Probe, Step};

use pairing_core::{Channels, Pairing, PairingBuilder};

/// Maximum size of a file that is read, in bytes: far above any real file, small enough to hold in memory.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Opens the pairing state of an install with the built-in channels and those found in its files, the
/// system's clock and randomness, the default limits, and the audit log. Reads only the directory listing,
/// no file.
pub fn open(state: &StateDir) -> Pairing {
    let channels = discovered_channels(state, &Channels::builtin());
    let store = FsStore::new(state, channels.clone());
    PairingBuilder::new(store, SystemClock, SystemEntropy)
        .channels(channels)
        .audit(AuditLog::new(state))
        .build()
}
