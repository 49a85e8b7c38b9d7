//! Runs every conformance case on files.

use pairing_conformance::{Fixture, conformance};
use pairing_core::Channels;
use pairing_fs::{FsStore, StateDir};

fn files() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    // The directory lives as long as the closure does.
    Fixture::new(move || FsStore::new(&StateDir::at(dir.path()), Channels::builtin()))
}

conformance!(files());
