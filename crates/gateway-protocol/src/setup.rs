//! Setup codes, as `device.pair.setupCode` and related methods refer to them.

use pairing_core::device::TokenHash;
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
