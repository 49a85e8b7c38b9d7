//! `device.scopes.*`: more scopes for an operator that is connected.

use pairing_core::ScopeSet;
use pairing_core::device::RequestId;
use serde::{Deserialize, Serialize};

use crate::{Secret, Text};

/// The parameters of `device.scopes.requestUpgrade`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradeParams {
    /// All scopes that the device wants to have, those of the session among them.
    pub scopes: Vec<Text>,
}

/// The answer to `device.scopes.requestUpgrade`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRequested {
    /// The request that the owner decides about.
    pub request_id: RequestId,
}

/// The answer to `device.scopes.waitUpgrade`: how the request has ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    tag = "status",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum UpgradeResolved {
    /// The owner has approved it.
    Approved {
        /// Id of the request.
        request_id: RequestId,
        /// The new token, in place of the one that the device has.
        device_token: Secret,
        /// The scopes of the token.
        scopes: ScopeSet,
    },
    /// The owner has rejected it, or the device has asked for something else since.
    Rejected {
        /// Id of the request.
        request_id: RequestId,
    },
    /// Nobody has decided in time.
    Expired {
        /// Id of the request.
        request_id: RequestId,
    },
}
