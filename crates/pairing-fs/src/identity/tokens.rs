//! `device-auth.json`: the device tokens issued to a client, one for each role.

use pairing_core::{DeviceId, SecretToken, StoreError, Timestamp};
use serde::Serialize;
use zeroize::Zeroize as _;

use super::{IdentityDir, Member, TOKENS, read};
use crate::disk::Publication;
use crate::docs::versioned;
use crate::error::{FileError, unreadable};
use crate::json::{self, Members};

/// A device token as stored by its holder.
#[derive(Debug, Clone)]
pub struct HeldToken {
    /// Role that the token is for.
    pub role: String,
    /// The token.
    pub token: SecretToken,
    /// Scopes of the token.
    pub scopes: Vec<String>,
    /// Time at which the token was received.
    pub updated_at: Timestamp,
}

impl IdentityDir {
    /// Returns this device's token for a role. Tokens issued to another identity are ignored.
    pub fn token(&self, device: DeviceId, role: &str) -> Result<Option<HeldToken>, StoreError> {
        let held = read(&self.dir.join(TOKENS), |text| {
            Tokens::parse(text)?.held(device, role)
        });
        held.map(Option::flatten)
    }

    /// Stores a token, replacing the role's earlier one. Tokens of another identity are dropped.
    pub fn put_token(&self, device: DeviceId, held: &HeldToken) -> Result<(), StoreError> {
        let entry = Entry {
            token: held.token.expose(),
            role: &held.role,
            scopes: &held.scopes,
            updated_at_ms: held.updated_at.as_millis(),
        };
        let entry = json::pretty(&entry, 2)
            .map_err(|error| unreadable(&self.dir.join(TOKENS), json::malformed(&error)))?;
        let replaced = [(&*held.role, entry)];
        self.change_tokens(device, |entries| Some(entries.render(&replaced, 1)))
            .map(|_| ())
    }

    /// Removes the token of a role; returns `false` if this device held none.
    pub fn remove_token(&self, device: DeviceId, role: &str) -> Result<bool, StoreError> {
        self.change_tokens(device, |entries| {
            entries.get(role)?;
            let others = entries.iter().filter(|(name, _)| *name != role);
            Some(json::object(others, 1))
        })
    }

    /// Replaces the tokens of a device by the result of `change`; `None` leaves them unchanged.
    fn change_tokens(
        &self,
        device: DeviceId,
        change: impl Fn(&Members<'_>) -> Option<String>,
    ) -> Result<bool, StoreError> {
        let path = self.dir.join(TOKENS);
        let _lock = self.lock()?;
        let edited = match read(&path, |text| edited(text, device, &change))? {
            Some(edited) => edited,
            None => {
                edited(&fresh(device), device, &change).map_err(|error| unreadable(&path, error))?
            }
        };
        let Some(text) = edited else {
            return Ok(false);
        };
        let mut publication = [Publication { path, text }];
        let published = self.disk.publish(&publication);
        publication[0].text.zeroize();
        published.map(|()| true)
    }
}

/// Returns the text of the file after a change of its tokens; `None` if nothing changes.
fn edited(
    text: &str,
    device: DeviceId,
    change: impl Fn(&Members<'_>) -> Option<String>,
) -> Result<Option<String>, FileError> {
    let fresh = fresh(device);
    let mut tokens = Tokens::parse(text)?;
    if !tokens.are_of(device) {
        tokens = Tokens::parse(&fresh)?;
    }
    let entries = change(&tokens.entries);
    Ok(entries.map(|entries| tokens.members.render(&[("tokens", entries)], 0) + "\n"))
}

/// Returns the file of a device that holds no token yet.
fn fresh(device: DeviceId) -> String {
    format!(r#"{{"version": 1, "deviceId": "{device}", "tokens": {{}}}}"#)
}

/// One token, as it is written to the file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    token: &'a str,
    role: &'a str,
    scopes: &'a [String],
    updated_at_ms: i64,
}

/// The parsed file; members that are not understood are kept as written.
struct Tokens<'t> {
    text: &'t str,
    members: Members<'t>,
    entries: Members<'t>,
}

impl<'t> Tokens<'t> {
    fn parse(text: &'t str) -> Result<Self, FileError> {
        let members = versioned(text)?;
        let written = members.get("tokens").unwrap_or("{}");
        let entries = Members::parse(written)
            .map_err(|_| json::malformed_at(text, written, "`tokens` is not an object"))?;
        Ok(Self {
            text,
            members,
            entries,
        })
    }

    /// Whether these credentials were issued to this device.
    fn are_of(&self, device: DeviceId) -> bool {
        let id = self.members.get("deviceId").and_then(json::text_of);
        id.is_some_and(|id| DeviceId::parse(&id) == Ok(device))
    }

    fn held(&self, device: DeviceId, role: &str) -> Result<Option<HeldToken>, FileError> {
        let Some(written) = self.entries.get(role).filter(|_| self.are_of(device)) else {
            return Ok(None);
        };
        let refused = |part: &str, reason: &str| json::malformed_at(self.text, part, reason);
        let entry = Members::parse(written).map_err(|_| refused(written, "not an object"))?;
        let token = Member::of(self.text, &entry, "token")?;
        let parsed = SecretToken::parse(&token.text()?);
        let scopes = match entry.get("scopes") {
            None => Vec::new(),
            Some(list) => {
                let scopes = json::elements(list).ok();
                let scopes =
                    scopes.and_then(|scopes| scopes.into_iter().map(json::text_of).collect());
                scopes.ok_or_else(|| refused(list, "not a list of strings"))?
            }
        };
        let updated_at = match entry.get("updatedAtMs") {
            None => 0,
            Some(millis) => {
                let parsed = millis.parse();
                parsed.map_err(|_| refused(millis, "not a time in milliseconds"))?
            }
        };
        Ok(Some(HeldToken {
            role: role.to_owned(),
            token: parsed.map_err(|error| token.refused(error.to_string()))?,
            scopes,
            updated_at: Timestamp::from_millis(updated_at),
        }))
    }
}
