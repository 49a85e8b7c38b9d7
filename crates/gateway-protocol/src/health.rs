//! `health`: whether the gateway works, and which part of it does not.

use serde::{Deserialize, Serialize};

/// The answer to `health`. Members that other releases have besides are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether the gateway can read and write its state.
    pub ok: bool,
    /// When it was asked, in milliseconds since 1970.
    #[serde(default)]
    pub ts: i64,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The parts that do not work as they should. `None` in `hello-ok`, and from gateways of other releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Vec<PartFault>>,
}

/// A part of the gateway that does not work as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartFault {
    /// The kind of part: `store`, `channel`, `certificate`, `disk` or `clock`.
    pub part: String,
    /// Which one, where there are several, such as `telegram:default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How much of it does not work.
    pub state: FaultState,
    /// What is wrong, in words, escaped and without secrets.
    pub why: String,
    /// Since when, in milliseconds since 1970.
    #[serde(default)]
    pub since_ms: i64,
    /// What the owner can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How much of a part does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FaultState {
    /// It works, with limits, or soon will not.
    Degraded,
    /// It does not work.
    Down,
    /// A state that this release does not know.
    #[serde(other)]
    Unknown,
}

impl FaultState {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}
