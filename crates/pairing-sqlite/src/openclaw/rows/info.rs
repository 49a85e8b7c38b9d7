//! What rows of devices and of their requests have in common.

use std::collections::BTreeSet;

use pairing_core::device::{DeviceInfo, Role};
use pairing_core::{DeviceId, DeviceKey};

use super::{Columns, Update, Value};
use crate::json;

/// Returns a device's id and its key, after checking that they belong together.
pub(super) fn identity(columns: &Columns) -> Result<(DeviceId, DeviceKey), String> {
    let id = DeviceId::parse(columns.needed("device_id")?).map_err(|error| error.to_string())?;
    let key = DeviceKey::parse(columns.needed("public_key")?).map_err(|error| error.to_string())?;
    if DeviceId::of(&key) != id {
        return Err("`public_key` is another device's".to_owned());
    }
    Ok((id, key))
}

pub(super) fn write_key(old: Option<&Columns>, key: DeviceKey, update: &mut Update) {
    let stored = old.and_then(|old| old.text("public_key").ok().flatten());
    if stored.and_then(|text| DeviceKey::parse(text).ok()) != Some(key) {
        update.set("public_key", Value::text(Some(&key.to_base64url())));
    }
}

pub(super) fn read_info(columns: &Columns) -> Result<DeviceInfo, String> {
    let text = |name| Ok::<_, String>(columns.text(name)?.map(str::to_owned));
    Ok(DeviceInfo {
        display_name: text("display_name")?,
        platform: text("platform")?,
        device_family: text("device_family")?,
        client_id: text("client_id")?,
        client_mode: text("client_mode")?,
        remote_ip: text("remote_ip")?,
    })
}

pub(super) fn write_info(old: Option<&Columns>, info: &DeviceInfo, update: &mut Update) {
    for (column, value) in [
        ("display_name", &info.display_name),
        ("platform", &info.platform),
        ("device_family", &info.device_family),
        ("client_id", &info.client_id),
        ("client_mode", &info.client_mode),
        ("remote_ip", &info.remote_ip),
    ] {
        write_text(old, column, value.as_deref(), update);
    }
}

/// Writes a text, unless the column has it already.
pub(super) fn write_text(
    old: Option<&Columns>,
    column: &'static str,
    value: Option<&str>,
    update: &mut Update,
) {
    let is_same = old.is_some_and(|old| old.text(column) == Ok(value));
    if !is_same {
        update.set(column, Value::text(value));
    }
}

pub(super) fn write_number(
    old: Option<&Columns>,
    column: &'static str,
    value: Option<i64>,
    update: &mut Update,
) {
    let is_same = old.is_some_and(|old| old.number(column) == Ok(value));
    if !is_same {
        update.set(column, value.map_or(Value::Null, Value::Number));
    }
}

/// Returns the role names, known or unknown: `roles_json`, or else the single `role`.
pub(super) fn role_names(columns: &Columns) -> Result<Vec<String>, String> {
    match columns.text("roles_json")? {
        Some(raw) => json::texts(raw).ok_or_else(|| "`roles_json` is no list of texts".to_owned()),
        None => Ok(columns
            .text("role")?
            .map(str::to_owned)
            .into_iter()
            .collect()),
    }
}

/// Replaces the roles in `seen` by `roles`; any others, which the other program may know, stay.
pub(super) fn write_roles(
    old: Option<&Columns>,
    seen: &BTreeSet<Role>,
    roles: &BTreeSet<Role>,
    update: &mut Update,
) {
    let has_list = old.is_some_and(|old| old.text("roles_json").is_ok_and(|raw| raw.is_some()));
    if has_list && seen == roles {
        return;
    }
    let mut names = old.and_then(|old| role_names(old).ok()).unwrap_or_default();
    names.retain(|name| match Role::parse(name) {
        Ok(role) => roles.contains(&role) || !seen.contains(&role),
        Err(_) => true,
    });
    for role in roles {
        if !names.iter().any(|name| name == role.as_str()) {
            names.push(role.as_str().to_owned());
        }
    }
    let single = old.and_then(|old| old.text("role").ok().flatten());
    if !single.is_some_and(|role| names.iter().any(|name| name == role)) {
        update.set("role", Value::text(names.first().map(String::as_str)));
    }
    let list = json::list(names.iter().map(String::as_str));
    update.set("roles_json", Value::text(Some(&list)));
}
