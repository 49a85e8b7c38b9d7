//! Entries of the presence list, as clients are shown them.

use std::sync::Arc;

use gateway_protocol::hello::Presence;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// An entry of the presence list, serialised once for all who are shown it.
#[derive(Debug, Clone)]
pub(crate) struct Shown(Arc<RawValue>);

impl Shown {
    pub(crate) fn new(presence: &Presence) -> Self {
        // Text and numbers can always be written as JSON.
        Self(to_raw_value(presence).unwrap_or_default().into())
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
