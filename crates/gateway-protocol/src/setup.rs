//! Setup codes, as `device.pair.setupCode` and what belongs to it name them.

use pairing_core::device::TokenHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Text;

/// What a setup code is called where the code itself must not be: no secret, and no use to whoever wants
/// to be paired.
///
/// - The first 16 hexadecimal digits of the SHA-256 of what the store keeps of its token. It is derived and
///   not stored: every gateway and program on the same state comes to the same one, and the token's own hash
///   stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SetupCodeId(String);

/// The parameters of `device.pair.setupCode.end`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetupEndParams {
    /// Which code.
    pub setup_code_id: Text,
}

/// The answer to `device.pair.setupCode.end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupEnded {
    /// The code, as it was asked.
    pub setup_code_id: String,
    /// Whether it was still valid. It is invalid afterwards in either case.
    pub ended: bool,
}

impl SetupCodeId {
    /// What the code with this token is called.
    pub fn of(token: &TokenHash) -> Self {
        let digest = Sha256::digest(token.to_string());
        let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
        Self(digits.collect())
    }

    /// The id.
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
