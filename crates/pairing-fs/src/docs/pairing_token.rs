//! `devices/bootstrap.json`: pairing tokens, by their hash.

use std::collections::BTreeSet;

use pairing_core::device::{PairingToken, Role, SetupProfile};
use pairing_core::{DeviceId, Record, SecretToken, TokenHash};

use super::fields::Fields;
use super::keyed::Entry;
use crate::json::{Edit, Members};

impl Entry for PairingToken {
    const KIND: &'static str = "pairing token";
    const SECRET_NAMES: bool = true;

    fn read(name: &str, members: &Members<'_>) -> Result<Self, String> {
        let hash = TokenHash::parse(name).map_err(|error| error.to_string())?;
        let profile = members.raw("profile").ok_or("no `profile`")?;
        let profile: SetupProfile =
            serde_json::from_str(profile).map_err(|_| "`profile` is not known here")?;
        let device = members.text("deviceId");
        let device = device.map(|device| DeviceId::parse(&device));
        let unclaimed: BTreeSet<Role> = members
            .list("unclaimed")
            .unwrap_or_default()
            .iter()
            .filter_map(|role| Role::parse(role).ok())
            .collect();
        let issued_at = match members.time("issuedAtMs")? {
            Some(at) => at,
            None => members.time("ts")?.ok_or("no `issuedAtMs`")?,
        };
        Ok(Self {
            hash,
            profile,
            issued_at,
            expires_at: members.time("expiresAtMs")?.ok_or("no `expiresAtMs`")?,
            chat: members.text("chat"),
            device: device.transpose().map_err(|error| error.to_string())?,
            unclaimed,
        })
    }

    fn id(&self) -> String {
        self.hash.to_string()
    }

    fn write(&self, entry: &mut Edit) {
        if let Ok(profile) = serde_json::to_string(&self.profile) {
            entry.set("profile", profile);
        }
        entry.put_time("issuedAtMs", Some(self.issued_at));
        entry.put_time("expiresAtMs", Some(self.expires_at));
        entry.put_text("chat", self.chat.as_deref());
        let device = self.device.map(|device| device.to_string());
        entry.put_text("deviceId", device.as_deref());
        let unclaimed: Vec<&str> = self.unclaimed.iter().map(|role| role.as_str()).collect();
        if unclaimed.is_empty() {
            entry.remove("unclaimed");
        } else {
            entry.put_list("unclaimed", &unclaimed, 2);
        }
    }

    /// Removes tokens in clear; the record's name is already the hash.
    fn hash_tokens(entry: &mut Edit) {
        for key in ["token", "bootstrapToken"] {
            if entry.get(key).is_some_and(|raw| raw.starts_with('"')) {
                entry.remove(key);
            }
        }
    }

    fn hashed_name(name: &str) -> Option<String> {
        if TokenHash::parse(name).is_ok() {
            return None;
        }
        let token = SecretToken::parse(name).ok()?;
        Some(TokenHash::of(&token).to_string())
    }

    fn into_record(self) -> Record {
        Record::from(self)
    }

    fn of(record: &Record) -> Option<&Self> {
        record.as_pairing_token()
    }
}
