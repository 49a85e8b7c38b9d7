//! Checks a client's own key pair and tokens.

use super::{Found, Severity, loose_mode, push};
use crate::store::file_names;
use crate::{IdentityDir, StateDir};

pub(super) fn examine(found: &mut Found, state: &StateDir) {
    let dir = state.identity();
    if !dir.is_dir() {
        return;
    }
    loose_mode(found, &dir);
    for name in file_names(&dir) {
        loose_mode(found, &dir.join(name));
    }
    if let Err(error) = IdentityDir::new(state).load() {
        let cause = std::error::Error::source(&error);
        let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
        push(
            found,
            Severity::Error,
            "identity",
            &dir.join("device.json"),
            cause,
            "restore it from a backup; without it, remove it and pair this device anew",
            None,
        );
    }
}
