//! Setup codes, issued by the store or by a gateway.

use gateway_protocol::setup::SetupAccess;
use gateway_protocol::{GatewayUrl, SetupCode};
use pairing_core::Timestamp;
use pairing_core::device::SetupProfile;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Backend;
use crate::Failure;

/// A setup code, which holds a secret.
pub(crate) struct SetupIssued {
    pub(crate) code: Zeroizing<String>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// What a device may ask for with it, which may be less than was wanted.
    pub(crate) profile: SetupProfile,
}

/// The answer to `device.pair.setupCode`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    setup_code: Zeroizing<String>,
    expires_at_ms: i64,
    /// What the other program's gateway grants: it gives full access only over TLS or on its own machine.
    access: Option<SetupAccess>,
}

impl Backend {
    /// Issues a setup code for this address. A gateway adds its own certificate's fingerprint.
    pub(crate) fn issue(
        &self,
        url: &GatewayUrl,
        profile: SetupProfile,
        tls_fingerprint: Option<&str>,
    ) -> Result<SetupIssued, Failure> {
        match self {
            Self::Files(files) => {
                let devices = files.service.devices();
                let (token, issued) =
                    devices.issue_pairing_token(profile, None, &files.approver)?;
                let code = SetupCode {
                    expires_at: Some(issued.expires_at),
                    tls_fingerprint: tls_fingerprint.map(str::to_owned),
                    ..SetupCode::new(url.clone(), token)
                };
                Ok(SetupIssued {
                    code: code.encode(),
                    issued_at: issued.issued_at,
                    expires_at: issued.expires_at,
                    profile,
                })
            }
            Self::Gateway(remote) => {
                let params = if remote.lacks(&["device.pair.setupCode"]).is_none() {
                    json!({ "url": url, "profile": profile })
                } else {
                    theirs(url, profile)
                };
                let answer: Answer = remote.call("device.pair.setupCode", &params)?;
                Ok(SetupIssued {
                    code: answer.setup_code,
                    issued_at: remote.now(),
                    expires_at: Timestamp::from_millis(answer.expires_at_ms),
                    profile: granted(profile, answer.access),
                })
            }
        }
    }
}

/// The profile that was granted, by what the answer says of it.
fn granted(wanted: SetupProfile, access: Option<SetupAccess>) -> SetupProfile {
    match access {
        Some(access) if access == wanted.into() => wanted,
        Some(SetupAccess::Full) => SetupProfile::Full,
        Some(SetupAccess::Node) => SetupProfile::Node,
        Some(_) => SetupProfile::Limited,
        None => wanted,
    }
}

/// The parameters as the other program names them.
fn theirs(url: &GatewayUrl, profile: SetupProfile) -> Value {
    let mut params = json!({ "publicUrl": url, "includeQr": false });
    // It has no name for full access: that is what it gives unless asked for less.
    if profile != SetupProfile::Full {
        params["bootstrapProfile"] = json!(profile);
    }
    params
}
