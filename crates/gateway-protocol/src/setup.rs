//! Setup codes, as `device.pair.setupCode` and related methods refer to them.

use pairing_core::DeviceId;
use pairing_core::device::{SetupProfile, TokenHash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Text;

/// Id of a setup code, for places where the code itself must not appear. It is not a secret, and cannot be
/// used to pair.
///
/// - The first 16 hexadecimal digits of the SHA-256 of the stored form of its token. The id is derived, not
///   stored: every gateway and program that shares the state computes the same one, and the token's own hash
///   is not revealed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetupCodeId(String);

/// The parameters of `device.pair.setupCode.end`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetupEndParams {
    /// Id of the setup code.
    pub setup_code_id: Text,
}

/// The answer to `device.pair.setupCode.end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupEnded {
    /// Id of the setup code, as requested.
    pub setup_code_id: String,
    /// Whether the code was still valid. It is invalid afterwards in either case.
    pub ended: bool,
}

/// The parameters of `device.pair.setupStatus`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetupStatusParams {
    /// Id of the setup code.
    pub setup_id: Text,
}

/// The answer to `device.pair.setupStatus`: what became of a setup code. Empty while nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupStatus {
    /// A device has got its token by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<SetupOutcome>,
    /// A device's token was sent, and the connection ended before it had gone out. The same device may fetch it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_uncertain: Option<SetupOutcome>,
}

/// Payload of `device.pair.setup.completed` and `device.pair.setup.deliveryUncertain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupOutcome {
    /// Id of the setup code.
    pub setup_id: SetupCodeId,
    /// Id of the device that came with it.
    pub device_id: DeviceId,
    /// The name of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// What the setup code was for. For clients of other releases, a device that is spoken to is `limited`.
    pub access: SetupAccess,
    /// When its token was sent, in milliseconds.
    pub ts: i64,
}

/// What a setup code lets a device ask for, in the words that clients of releases from 2026.7 on know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SetupAccess {
    /// Everything.
    Full,
    /// A node, and an operator who cannot administer.
    Limited,
    /// A node alone.
    Node,
}

impl From<SetupProfile> for SetupAccess {
    fn from(profile: SetupProfile) -> Self {
        match profile {
            SetupProfile::Full => Self::Full,
            SetupProfile::Limited | SetupProfile::Voice => Self::Limited,
            SetupProfile::Node => Self::Node,
        }
    }
}

impl SetupCodeId {
    /// Returns the id of the setup code with this token.
    pub fn of(token: &TokenHash) -> Self {
        let digest = Sha256::digest(token.to_string());
        let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
        Self(digits.collect())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_short_and_says_nothing_of_the_hash() {
        // echo -n sha256:2f8e…4f77 | sha256sum
        let text = "sha256:2f8efcb3106013f038b3b956ca847f244e4c61ffbc064c8ec29cf03fb4364f77";
        let id = SetupCodeId::of(&TokenHash::parse(text).unwrap());
        assert_eq!(id.as_str(), "9afffca12e325868");
    }
}
