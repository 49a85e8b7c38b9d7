//! `devices/pending.json`: the pending device requests.

use std::collections::BTreeSet;

use pairing_core::device::{Ask, DeviceInfo, DeviceRequest, RequestId, Role};
use pairing_core::{DeviceId, DeviceKey, Record};

use super::fields::Fields;
use super::keyed::Entry;
use crate::json::{Edit, Members};

impl Entry for DeviceRequest {
    const KIND: &'static str = "device request";

    fn read(name: &str, members: &Members<'_>) -> Result<Self, String> {
        let id = RequestId::parse(name).map_err(|error| error.to_string())?;
        if members.text("requestId").is_some_and(|said| said != name) {
            return Err("`requestId` is another request's".to_owned());
        }
        let device = members.text("deviceId").ok_or("no `deviceId`")?;
        let (device, key) = identity(&device, members)?;
        let roles: BTreeSet<Role> = members
            .role_names()
            .iter()
            .filter_map(|role| Role::parse(role).ok())
            .collect();
        // Only an operator has scopes.
        let scopes = members.scopes("scopes").unwrap_or_default();
        let scopes = Some(scopes).filter(|_| roles.contains(&Role::Operator));
        // Only a node has commands.
        let commands = members.commands("commands")?.unwrap_or_default();
        let commands = Some(commands).filter(|_| roles.contains(&Role::Node));
        let asked_at = members.time("ts")?.ok_or("no `ts`")?;
        Ok(Self {
            id,
            device,
            key,
            info: read_info(members),
            ask: Ask {
                scopes: scopes.unwrap_or_default(),
                commands: commands.unwrap_or_default(),
                roles,
            },
            origin: members.text("origin"),
            silent: members.flag("silent"),
            is_repair: members.flag("isRepair"),
            asked_at,
            refreshed_at: members.time("refreshedAtMs")?.unwrap_or(asked_at),
            pairing_token: members.hash("pairingToken"),
        })
    }

    fn id(&self) -> String {
        self.device.to_string()
    }

    fn name(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn write(&self, entry: &mut Edit) {
        entry.put_text("requestId", Some(self.id.as_str()));
        entry.put_text("deviceId", Some(&self.device.to_string()));
        write_key(self.key, entry);
        write_info(&self.info, entry);
        let roles = entry.role_names();
        let seen = roles.iter().filter_map(|role| Role::parse(role).ok());
        entry.put_roles(&seen.collect(), &self.ask.roles);
        entry.put_scopes("scopes", &self.ask.scopes, 2);
        let commands = Some(&self.ask.commands).filter(|commands| !commands.is_empty());
        entry.put_commands("commands", commands, 2);
        entry.put_flag("silent", self.silent);
        entry.put_flag("isRepair", self.is_repair);
        entry.put_time("ts", Some(self.asked_at));
        if entry.get("refreshedAtMs").is_some() || self.refreshed_at != self.asked_at {
            entry.put_time("refreshedAtMs", Some(self.refreshed_at));
        }
        entry.put_text("origin", self.origin.as_deref());
        entry.put_hash("pairingToken", self.pairing_token);
    }

    fn hash_tokens(_: &mut Edit) {}

    fn into_record(self) -> Record {
        Record::from(self)
    }

    fn of(record: &Record) -> Option<&Self> {
        record.as_device_request()
    }
}

/// Returns a device's id and its key, after checking that they belong together.
pub(super) fn identity(id: &str, members: &Members<'_>) -> Result<(DeviceId, DeviceKey), String> {
    let id = DeviceId::parse(id).map_err(|error| error.to_string())?;
    let key = members.text("publicKey").ok_or("no `publicKey`")?;
    let key = DeviceKey::parse(&key).map_err(|error| error.to_string())?;
    if DeviceId::of(&key) != id {
        return Err("`publicKey` is another device's".to_owned());
    }
    Ok((id, key))
}

pub(super) fn write_key(key: DeviceKey, entry: &mut Edit) {
    let stored = entry.text("publicKey");
    if stored.and_then(|text| DeviceKey::parse(&text).ok()) != Some(key) {
        entry.put_text("publicKey", Some(&key.to_base64url()));
    }
}

pub(super) fn read_info(members: &Members<'_>) -> DeviceInfo {
    DeviceInfo {
        display_name: members.text("displayName"),
        platform: members.text("platform"),
        device_family: members.text("deviceFamily"),
        client_id: members.text("clientId"),
        client_mode: members.text("clientMode"),
        remote_ip: members.text("remoteIp"),
    }
}

pub(super) fn write_info(info: &DeviceInfo, entry: &mut Edit) {
    for (key, value) in [
        ("displayName", &info.display_name),
        ("platform", &info.platform),
        ("deviceFamily", &info.device_family),
        ("clientId", &info.client_id),
        ("clientMode", &info.client_mode),
        ("remoteIp", &info.remote_ip),
    ] {
        entry.put_text(key, value.as_deref());
    }
}
