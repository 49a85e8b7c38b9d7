//! Ids of requests and of legacy nodes.

use serde::{Deserialize, Serialize};

use crate::ids::text_id;
use crate::{Entropy, EntropyError};

/// The id of a device or node request.
///
/// - 1 to 64 characters of `A-Z`, `a-z`, `0-9` and `-`; ids made here are version 4 UUIDs.
/// - Not a secret: knowing it gives no right to decide.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RequestId(Box<str>);

/// The text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct ParseIdError;

impl RequestId {
    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseIdError> {
        let well_formed = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        well_formed.then(|| Self(text.into())).ok_or(ParseIdError)
    }

    /// Makes a new id from 122 random bits.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Ok(Self(id.to_string().into()))
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(RequestId, ParseIdError, RequestId::parse);

/// The name that a legacy node chose for itself.
///
/// - 1 to 128 bytes, trimmed, no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NodeId(Box<str>);

impl From<super::DeviceId> for NodeId {
    fn from(device: super::DeviceId) -> Self {
        Self(device.to_string().into())
    }
}

impl NodeId {
    /// Parses a node's name.
    pub fn parse(text: &str) -> Result<Self, ParseIdError> {
        let name = text.trim();
        let well_formed = (1..=128).contains(&name.len()) && !name.contains(char::is_control);
        well_formed.then(|| Self(name.into())).ok_or(ParseIdError)
    }

    /// The name of a node that hardly exists, to be looked for.
    pub(crate) fn nobody() -> Self {
        Self("nobody".into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_id!(NodeId, ParseIdError, NodeId::parse);
