//! `device_pairing_paired`: the approved devices, and their tokens.

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::device::{
    ApprovedRole, Device, DeviceToken, NodeId, NodeInfo, NodeRequest, RequestId, Role, is_command,
};
use pairing_core::store::Grant;
use pairing_core::{
    ApproverId, DeviceId, Record, Scope, ScopeSet, SecretToken, Timestamp, TokenHash, Via,
};
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use super::info::{
    identity, read_info, role_names, write_info, write_key, write_number, write_roles, write_text,
};
use super::{Bad, Columns, Found, Outcome, Update, Value};
use crate::json::{self, Object};
use crate::openclaw::tables::{LABEL, Table};

const ROLES: [Role; 2] = [Role::Operator, Role::Node];

/// What `token` starts with where it is none: the other program needs a text there, and takes any.
const DECOY: &str = "hashed.";

/// `approved_via` of the other program, for a device that the owner decided about, and one that came in
/// without asking.
const OWNER: &str = "owner";
const SILENT: &str = "silent";

/// The commands that a node is approved for, and those that wait for approval.
const SURFACE: &str = "node_surface_json";
const PENDING: &str = "pending_node_surface_json";

/// How a device is written.
pub(crate) struct How<'t> {
    /// Returns a text that nobody knows.
    pub(crate) random: &'t dyn Fn() -> Result<String, pairing_core::EntropyError>,
    /// Whether tokens in clear stay as they are found.
    pub(crate) keep_clear: bool,
    /// Whether there is a column for the owner's name.
    pub(crate) has_labels: bool,
}

/// A row, and the device in it.
pub(crate) struct Row {
    columns: Columns,
    pub(crate) outcome: Result<Device, Bad>,
}

impl Row {
    pub(crate) fn new(columns: Columns) -> Self {
        let outcome = understand(&columns).map_err(|reason| Bad {
            row: match columns.text("device_id") {
                Ok(Some(id)) if DeviceId::parse(id).is_ok() => {
                    format!("device_pairing_paired ({})", &id[..12])
                }
                _ => "device_pairing_paired".to_owned(),
            },
            reason: format!("a device is passed over: {reason}"),
        });
        Self { columns, outcome }
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        let mark = self.columns.mark();
        self.outcome.map(|device| Found {
            record: Record::from(device),
            mark,
        })
    }

    /// Whether a token in it is in clear.
    pub(crate) fn has_clear_token(&self) -> bool {
        let tokens = tokens(&self.columns).unwrap_or_default();
        let mut entries = tokens.names().filter_map(|role| tokens.object(role));
        entries.any(|entry| clear_token(&entry).is_some())
    }
}

fn understand(columns: &Columns) -> Result<Device, String> {
    let (id, key) = identity(columns)?;
    let time = |name| Ok::<_, String>(columns.number(name)?.map(Timestamp::from_millis));
    let (created, approved) = (time("created_at_ms")?, time("approved_at_ms")?);
    let approved_at = approved.or(created).ok_or("no `approved_at_ms`")?;
    let tokens = tokens(columns)?;
    let mut roles = BTreeMap::new();
    for role in seen_roles(columns)? {
        let name = role.as_str();
        let token = if tokens.has(name) {
            let entry = tokens
                .object(name)
                .ok_or_else(|| format!("the token of {name} is no object"))?;
            Some(read_token(&entry)?)
        } else {
            None
        };
        let commands = match role {
            Role::Node => commands(columns)?,
            Role::Operator => None,
        };
        let approved = ApprovedRole {
            scopes: baseline(columns, role).unwrap_or_default(),
            commands,
            approved_at,
            grant: grant(columns, approved_at)?,
            token,
        };
        roles.insert(role, approved);
    }
    Ok(Device {
        id,
        key,
        info: read_info(columns)?,
        label: columns.text(LABEL)?.map(str::to_owned),
        roles,
        surface: surface(columns, id, approved_at),
        created_at: created.unwrap_or(approved_at),
        approved_at,
        signs_v3: false,
        pairing_token: None,
    })
}

fn tokens(columns: &Columns) -> Result<Object, String> {
    match columns.text("tokens_json")? {
        Some(raw) => Object::parse(raw).ok_or_else(|| "`tokens_json` is no object".to_owned()),
        None => Ok(Object::default()),
    }
}

/// Returns the approved roles among those listed; an operator needs a list of scopes, even an empty one.
fn seen_roles(columns: &Columns) -> Result<BTreeSet<Role>, String> {
    let names = role_names(columns)?;
    let roles = names.iter().filter_map(|name| Role::parse(name).ok());
    Ok(roles
        .filter(|role| baseline(columns, *role).is_some())
        .collect())
}

/// Returns the scopes that a role was approved with; `None` if they are not recorded.
fn baseline(columns: &Columns, role: Role) -> Option<ScopeSet> {
    match role {
        Role::Operator => {
            let text = |name| columns.text(name).ok().flatten();
            text("approved_scopes_json")
                .or_else(|| text("scopes_json"))
                .and_then(json::scopes)
        }
        Role::Node => Some(ScopeSet::default()),
    }
}

/// Returns the commands that a node was approved for: what its surface names. Where one waits for
/// approval, none were; where it never named any, the first that it does will count.
fn commands(columns: &Columns) -> Result<Option<BTreeSet<String>>, String> {
    if let Some(raw) = columns.text(SURFACE)? {
        let surface = Object::parse(raw).ok_or("`node_surface_json` is no object")?;
        let names = surface.raw("commands").filter(|raw| *raw != "null");
        let names = names.map_or(Some(Vec::new()), json::texts);
        let names = names.ok_or("`node_surface_json` has no list of commands")?;
        // What is no name of a command cannot be asked for either.
        return Ok(Some(
            names.into_iter().filter(|name| is_command(name)).collect(),
        ));
    }
    let waits = columns.text(PENDING)?.is_some();
    Ok(waits.then(BTreeSet::new))
}

/// Returns what waits for approval. What is not understood waits on, and is not shown.
fn surface(columns: &Columns, device: DeviceId, at: Timestamp) -> Option<Box<NodeRequest>> {
    let raw = columns.text(PENDING).ok().flatten()?;
    let said = Object::parse(raw)?;
    let text = |name| said.text(name).map(|text| text.to_string());
    let names = |name| said.raw(name).and_then(json::texts).unwrap_or_default();
    let asked_at = said.time("ts").ok().flatten().unwrap_or(at);
    let info = NodeInfo {
        display_name: text("displayName"),
        platform: text("platform"),
        version: text("version"),
        device_family: text("deviceFamily"),
        caps: names("caps"),
        commands: names("commands"),
        ..NodeInfo::default()
    };
    let request = NodeRequest {
        id: RequestId::parse(&said.text("requestId")?).ok()?,
        node: NodeId::from(device),
        info: info.bounded(),
        silent: said.raw("silent") == Some("true"),
        is_repair: columns.text(SURFACE).is_ok_and(|text| text.is_some()),
        asked_at,
        refreshed_at: asked_at,
    };
    Some(Box::new(request))
}

/// Returns the grant as far as the other program records it: that nobody was asked.
fn grant(columns: &Columns, at: Timestamp) -> Result<Option<Grant>, String> {
    let is_silent = columns.text("approved_via")? == Some(SILENT);
    Ok(is_silent.then(|| Grant::new(ApproverId::from(SILENT.to_owned()), Via::Silent, at)))
}

fn read_token(entry: &Object) -> Result<DeviceToken, String> {
    let hash = match entry.text("tokenHash") {
        Some(hash) => TokenHash::parse(&hash).ok(),
        None => clear_token(entry).map(|token| TokenHash::of(&token)),
    };
    Ok(DeviceToken {
        hash,
        scopes: entry
            .raw("scopes")
            .and_then(json::scopes)
            .unwrap_or_default(),
        // Kept in the record beside: the other program knows nothing of it.
        next_scopes: None,
        approved_scopes: None,
        created_at: entry
            .time("createdAtMs")?
            .unwrap_or_else(|| Timestamp::from_millis(0)),
        rotated_at: entry.time("rotatedAtMs")?,
        revoked_at: entry.time("revokedAtMs")?,
        last_used_at: entry.time("lastUsedAtMs")?,
    })
}

/// Returns a token in clear. What stands in its place for the other program is none.
fn clear_token(entry: &Object) -> Option<SecretToken> {
    if entry.raw("tokenHash").is_some() {
        return None;
    }
    let text = entry
        .text("token")
        .filter(|text| !text.starts_with(DECOY))?;
    SecretToken::parse(&text).ok()
}

/// Calls `each` with every row, in the order of device ids.
pub(crate) fn each(
    connection: &Connection,
    selected: &str,
    device: Option<DeviceId>,
    mut each: impl FnMut(Row),
) -> rusqlite::Result<()> {
    let filter = match device {
        Some(_) => "device_id = ?1",
        None => "?1 IS NULL",
    };
    let sql = format!(
        "SELECT {selected} FROM main.device_pairing_paired WHERE {filter} ORDER BY device_id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![device.map(|device| device.to_string())])?;
    let (names, _) = Table::Devices.columns();
    while let Some(row) = rows.next()? {
        each(Row::new(Columns::read(row, names)?));
    }
    Ok(())
}

pub(crate) fn get(
    connection: &Connection,
    selected: &str,
    device: DeviceId,
) -> rusqlite::Result<Option<Row>> {
    let mut found = None;
    each(connection, selected, Some(device), |row| found = Some(row))?;
    Ok(found)
}

/// Writes a device over its row, or into a new one.
pub(crate) fn put(
    connection: &Connection,
    device: &Device,
    old: Option<&Row>,
    how: &How<'_>,
) -> Result<(), super::WriteError> {
    let columns = old.map(|row| &row.columns);
    let known = old.and_then(|row| row.outcome.as_ref().ok());
    let mut update = Update::new();
    write_key(columns, device.key, &mut update);
    write_info(columns, &device.info, &mut update);
    if how.has_labels {
        write_text(columns, LABEL, device.label.as_deref(), &mut update);
    }
    write_scopes(columns, device, &mut update);
    write_tokens(columns, device, how, &mut update)?;
    if let Some(via) = via(device) {
        write_text(columns, "approved_via", Some(via), &mut update);
    }
    write_surface(columns, known, device, &mut update);
    let created = Some(device.created_at.as_millis());
    write_number(columns, "created_at_ms", created, &mut update);
    let approved = Some(device.approved_at.as_millis());
    write_number(columns, "approved_at_ms", approved, &mut update);
    let (table, id) = (Table::Devices.name(), device.id.to_string());
    if columns.is_some() {
        update.run(connection, table, ("device_id", &id))?;
    } else {
        update.set("device_id", Value::text(Some(&id)));
        update.insert(connection, table)?;
    }
    Ok(())
}

/// Returns how the device was approved, in the other program's words; `None` if that is not known.
fn via(device: &Device) -> Option<&'static str> {
    let grants = || device.roles.values().filter_map(|role| role.grant.as_ref());
    let is_silent = grants().all(|grant| grant.via == Via::Silent);
    grants().next()?;
    Some(if is_silent { SILENT } else { OWNER })
}

fn write_scopes(old: Option<&Columns>, device: &Device, update: &mut Update) {
    let seen = old.and_then(|old| seen_roles(old).ok()).unwrap_or_default();
    write_roles(old, &seen, &device.roles.keys().copied().collect(), update);
    let stored = old.and_then(|old| baseline(old, Role::Operator));
    match device.roles.get(&Role::Operator) {
        Some(operator) if stored.as_ref() != Some(&operator.scopes) => {
            let scopes = json::list(operator.scopes.iter().map(Scope::as_str));
            for column in ["scopes_json", "approved_scopes_json"] {
                update.set(column, Value::text(Some(&scopes)));
            }
        }
        None if seen.contains(&Role::Operator) => {
            for column in ["scopes_json", "approved_scopes_json"] {
                update.set(column, Value::text(Some("[]")));
            }
        }
        _ => {}
    }
}

fn write_tokens(
    old: Option<&Columns>,
    device: &Device,
    how: &How<'_>,
    update: &mut Update,
) -> Result<(), super::WriteError> {
    let mut all = old.and_then(|old| tokens(old).ok()).unwrap_or_default();
    let before = all.render();
    for role in ROLES {
        let name = role.as_str();
        let Some(approved) = device.roles.get(&role) else {
            continue;
        };
        let Some(token) = &approved.token else {
            all.remove(name);
            continue;
        };
        let mut entry = all.object(name).unwrap_or_default();
        write_hash(&mut entry, token.hash, how)?;
        entry.set_text("role", name);
        entry.set_scopes("scopes", &token.scopes);
        entry.set_time("createdAtMs", Some(token.created_at));
        entry.set_time("rotatedAtMs", token.rotated_at);
        entry.set_time("revokedAtMs", token.revoked_at);
        entry.set_time("lastUsedAtMs", token.last_used_at);
        let entry = entry.render();
        if all.raw(name) != Some(entry.as_str()) {
            all.set(name, entry.to_string());
        }
    }
    let after = all.render();
    if old.is_none() || before != after {
        update.set("tokens_json", Value::Text(after));
    }
    Ok(())
}

/// Writes a token's hash, with a text in the token's place that is none.
fn write_hash(
    entry: &mut Object,
    hash: Option<TokenHash>,
    how: &How<'_>,
) -> Result<(), super::WriteError> {
    let clear = clear_token(entry);
    let is_same = clear.is_some_and(|token| Some(TokenHash::of(&token)) == hash);
    if is_same && how.keep_clear {
        return Ok(());
    }
    // A text that stands in the place of another hash is replaced, too: to the other program it is a token.
    let stored = entry.text("tokenHash");
    let stored = stored.and_then(|stored| TokenHash::parse(&stored).ok());
    let is_decoy = entry
        .text("token")
        .is_some_and(|text| text.starts_with(DECOY));
    if !is_decoy || stored != hash {
        let random = (how.random)().map_err(|error| pairing_core::StoreError::Unwritable {
            resource: Table::Devices.name().to_owned(),
            source: error.into(),
        })?;
        let random = Zeroizing::new(random);
        entry.set("token", json::quoted(&format!("{DECOY}{}", *random)));
    }
    match hash {
        Some(hash) => entry.set_text("tokenHash", &hash.to_string()),
        None => entry.set("tokenHash", "null"),
    }
    Ok(())
}

/// Writes the commands that a node is approved for, and what waits for approval; what else its surface says stays.
fn write_surface(
    old: Option<&Columns>,
    known: Option<&Device>,
    device: &Device,
    update: &mut Update,
) {
    let object = |name| {
        let raw = old.and_then(|old| old.text(name).ok().flatten());
        raw.and_then(Object::parse)
    };
    let pending = object(PENDING);
    let waited = known.and_then(|known| known.surface.as_deref());
    match device.surface.as_deref() {
        Some(waits) if waited != Some(waits) => {
            update.set(PENDING, Value::Text(pending_surface(waits).render()));
        }
        None if waited.is_some() => update.set(PENDING, Value::Null),
        _ => {}
    }
    let has_ended = waited.is_some() && device.surface.is_none();
    let Some(node) = device.roles.get(&Role::Node) else {
        return;
    };
    let stored = known.and_then(|known| known.roles.get(&Role::Node));
    let is_unchanged = stored.is_some_and(|stored| stored.commands == node.commands);
    // Without an approved surface, the first commands that it declares would count.
    if is_unchanged && !(has_ended && object(SURFACE).is_none()) {
        return;
    }
    let Some(wanted) = &node.commands else {
        if stored.is_some() {
            update.set(SURFACE, Value::Null);
        }
        return;
    };
    let fulfilled = pending.filter(|pending| {
        let asked = pending
            .raw("commands")
            .and_then(json::texts)
            .unwrap_or_default();
        asked.iter().all(|command| wanted.contains(command))
    });
    let mut surface = object(SURFACE).unwrap_or_default();
    if let Some(pending) = &fulfilled {
        for name in ["displayName", "version", "caps"] {
            if let Some(raw) = pending.raw(name) {
                surface.set(name, raw);
            }
        }
        if device.surface.is_none() {
            update.set(PENDING, Value::Null);
        }
    }
    if !surface.has("caps") {
        surface.set("caps", "[]");
    }
    surface.set("commands", json::list(wanted.iter().map(String::as_str)));
    if !surface.has("createdAtMs") {
        surface.set_time("createdAtMs", Some(node.approved_at));
    }
    surface.set_time("approvedAtMs", Some(node.approved_at));
    update.set(SURFACE, Value::Text(surface.render()));
}

/// Returns what waits for approval, in the other program's form.
fn pending_surface(waits: &NodeRequest) -> Object {
    let mut pending = Object::default();
    pending.set_text("requestId", waits.id.as_str());
    pending.set_text("revision", waits.id.as_str());
    let info = &waits.info;
    for (name, text) in [
        ("displayName", &info.display_name),
        ("platform", &info.platform),
        ("version", &info.version),
        ("deviceFamily", &info.device_family),
    ] {
        if let Some(text) = text {
            pending.set_text(name, text);
        }
    }
    for (name, names) in [("caps", &info.caps), ("commands", &info.commands)] {
        pending.set(name, json::list(names.iter().map(String::as_str)));
    }
    if waits.silent {
        pending.set("silent", "true");
    }
    pending.set_time("ts", Some(waits.asked_at));
    pending
}

pub(crate) fn delete(connection: &Connection, device: DeviceId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM main.device_pairing_paired WHERE device_id = ?1")?
        .execute([device.to_string()])?;
    Ok(())
}

/// Returns the device with what is kept beside of it: who approved each role that was not approved anew
/// since, and what the other program has no place for.
pub(crate) fn with_kept(mut device: Device, kept: &Device) -> Device {
    if device.key != kept.key {
        return device;
    }
    if device.approved_at == kept.approved_at {
        for (role, approved) in &mut device.roles {
            let Some(known) = kept.roles.get(role) else {
                continue;
            };
            approved.grant.clone_from(&known.grant);
            approved.approved_at = known.approved_at;
            if *role == Role::Node {
                approved.scopes.clone_from(&known.scopes);
            }
        }
    }
    device.signs_v3 = kept.signs_v3;
    device.pairing_token = kept.pairing_token;
    device
}
