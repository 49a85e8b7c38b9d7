//! The payload that a device signs when it connects.

use std::fmt;

use zeroize::Zeroizing;

/// The fields of a `connect` that a device signs, as it sent them.
///
/// The payload joins them with `|`, and the scopes with `,`, without escaping. So no field may contain a
/// separator; otherwise a signature would also be valid for another reading of the same bytes.
#[derive(Clone, Copy)]
pub struct SignedFields<'a> {
    /// `device.id`
    pub device_id: &'a str,
    /// `client.id`
    pub client_id: &'a str,
    /// `client.mode`
    pub client_mode: &'a str,
    /// `role`, or its default if none is sent.
    pub role: &'a str,
    /// `scopes`, in the order sent.
    pub scopes: &'a [String],
    /// `device.signedAt`, in milliseconds since the Unix epoch.
    pub signed_at: i64,
    /// The token of `auth` that [`signed_token`] selects.
    pub token: &'a str,
    /// `device.nonce`; empty if none was sent.
    pub nonce: &'a str,
    /// `client.platform`
    pub platform: Option<&'a str>,
    /// `client.deviceFamily`
    pub device_family: Option<&'a str>,
}

/// Returns the token that is part of the payload: the first of `auth.token`, `auth.deviceToken` and
/// `auth.bootstrapToken` that a `connect` contains, or else an empty text. The password is not signed.
pub fn signed_token<'a>(
    token: Option<&'a str>,
    device_token: Option<&'a str>,
    bootstrap_token: Option<&'a str>,
) -> &'a str {
    token.or(device_token).or(bootstrap_token).unwrap_or("")
}

/// The version of the signed payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayloadVersion {
    /// Everything but platform and device family.
    V2,
    /// With platform and device family, trimmed and in lower case.
    V3,
}

/// A signed field that would make the payload ambiguous: the request is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidField {
    /// The field, as the protocol names it.
    pub field: &'static str,
    /// The problem with it.
    pub reason: &'static str,
}

impl SignedFields<'_> {
    /// Returns the exact text to sign. It contains the token, and is wiped from memory when dropped.
    pub fn payload(&self, version: PayloadVersion) -> Result<Zeroizing<String>, InvalidField> {
        self.check()?;
        let version_name = match version {
            PayloadVersion::V2 => "v2",
            PayloadVersion::V3 => "v3",
        };
        let (scopes, signed_at) = (self.scopes.join(","), self.signed_at.to_string());
        let (platform, family) = (normal(self.platform), normal(self.device_family));
        let fields = [
            version_name,
            self.device_id,
            self.client_id,
            self.client_mode,
            self.role,
            &scopes,
            &signed_at,
            self.token,
            self.nonce,
            &platform,
            &family,
        ];
        let signed = match version {
            PayloadVersion::V2 => &fields[..9],
            PayloadVersion::V3 => &fields[..],
        };
        Ok(Zeroizing::new(signed.join("|")))
    }

    pub(super) fn check(&self) -> Result<(), InvalidField> {
        let fields = [
            ("device.id", self.device_id),
            ("client.id", self.client_id),
            ("client.mode", self.client_mode),
            ("role", self.role),
            ("auth", self.token),
            ("device.nonce", self.nonce),
            ("client.platform", self.platform.unwrap_or("")),
            ("client.deviceFamily", self.device_family.unwrap_or("")),
        ];
        for (field, value) in fields {
            if value.contains(|c: char| c == '|' || c.is_control()) {
                let reason = "a signed field holds no `|` and no control character";
                return Err(InvalidField { field, reason });
            }
        }
        let breaks = |c: char| matches!(c, '|' | ',') || c.is_control();
        for scope in self.scopes {
            // An empty scope would be signed like no scope.
            if scope.is_empty() || scope.contains(breaks) {
                return Err(InvalidField {
                    field: "scopes",
                    reason: "a scope is not empty and holds no `,`, no `|` and no control character",
                });
            }
        }
        Ok(())
    }
}

/// Omits the token.
impl fmt::Debug for SignedFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedFields")
            .field("device_id", &self.device_id)
            .field("client_id", &self.client_id)
            .field("client_mode", &self.client_mode)
            .field("role", &self.role)
            .field("scopes", &self.scopes)
            .field("signed_at", &self.signed_at)
            .field("platform", &self.platform)
            .field("device_family", &self.device_family)
            .finish_non_exhaustive()
    }
}

/// Trims a text and converts it to ASCII lower case, as clients do before signing; `None` becomes empty.
pub(super) fn normal(text: Option<&str>) -> String {
    // Clients trim as JavaScript does, which treats the byte order mark as white space.
    let is_space = |c: char| c.is_whitespace() || c == '\u{feff}';
    text.unwrap_or("")
        .trim_matches(is_space)
        .to_ascii_lowercase()
}
