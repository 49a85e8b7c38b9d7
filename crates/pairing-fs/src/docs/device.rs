//! `devices/paired.json`: the approved devices, and the hashes of their tokens.

use std::collections::{BTreeMap, BTreeSet};

use pairing_core::device::{ApprovedRole, Device, DeviceToken, NodeRequest, Role};
use pairing_core::store::Grant;
use pairing_core::{ApproverId, Principal, Record, ScopeSet, Timestamp, Via};

use super::device_request::{identity, read_info, write_info, write_key};
use super::fields::Fields;
use super::keyed::Entry;
use crate::json::{self, Edit, Members};

const TOKENS: &str = "tokens";
/// Our own member: the time at which each role was approved, its approver, and its commands.
const APPROVALS: &str = "approvals";
/// Our own member: what the device waits for as a node.
const SURFACE: &str = "pendingNodeSurface";
/// Our own member of a token: the scopes of the next one, and the hash of the token that it replaces.
const NEXT: &str = "next";
/// Our own member of a token: the approved scopes that it takes into account, and the hash and the time of the
/// token that they are of.
const APPROVED: &str = "approved";
const ROLES: [Role; 2] = [Role::Operator, Role::Node];

impl Entry for Device {
    const KIND: &'static str = "device";

    fn read(name: &str, members: &Members<'_>) -> Result<Self, String> {
        if members.text("deviceId").is_some_and(|said| said != name) {
            return Err("`deviceId` is another device's".to_owned());
        }
        let (id, key) = identity(name, members)?;
        let (created, approved) = (members.time("createdAtMs")?, members.time("approvedAtMs")?);
        let approved_at = approved
            .or(created)
            .unwrap_or_else(|| Timestamp::from_millis(0));
        let tokens = members.members(TOKENS);
        let approvals = members.members(APPROVALS);
        let mut roles = BTreeMap::new();
        for role in seen_roles(members) {
            let approval = read_approval(&approvals.members(role.as_str()), approved_at)?;
            let token = tokens.raw(role.as_str()).filter(|raw| *raw != "null");
            let token = token.map(|_| read_token(&tokens.members(role.as_str())));
            let approved = ApprovedRole {
                scopes: baseline(members, role).unwrap_or_default(),
                token: token.transpose()?,
                ..approval
            };
            roles.insert(role, approved);
        }
        Ok(Self {
            id,
            key,
            info: read_info(members),
            label: members.text("operatorLabel"),
            roles,
            surface: read_surface(members),
            created_at: created.unwrap_or(approved_at),
            approved_at,
            signs_v3: members.flag("signsV3"),
            pairing_token: members.hash("pairingToken"),
        })
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn write(&self, entry: &mut Edit) {
        entry.put_text("deviceId", Some(&self.id.to_string()));
        write_key(self.key, entry);
        write_info(&self.info, entry);
        entry.put_text("operatorLabel", self.label.as_deref());
        self.write_roles(entry);
        self.write_tokens(entry);
        write_surface(self.surface.as_deref(), entry);
        entry.put_time("createdAtMs", Some(self.created_at));
        entry.put_time("approvedAtMs", Some(self.approved_at));
        if self.signs_v3 {
            entry.put_flag("signsV3", true);
        } else {
            entry.remove("signsV3");
        }
        entry.put_hash("pairingToken", self.pairing_token);
    }

    fn hash_tokens(entry: &mut Edit) {
        entry.hash_token();
        if let Some(tokens) = entry.get(TOKENS).and_then(|raw| hashed_within(raw, 2)) {
            entry.set(TOKENS, tokens);
        }
    }

    fn into_record(self) -> Record {
        Record::from(self)
    }

    fn of(record: &Record) -> Option<&Self> {
        record.as_device()
    }
}

trait WriteDevice {
    fn write_roles(&self, entry: &mut Edit);
    fn write_tokens(&self, entry: &mut Edit);
}

impl WriteDevice for Device {
    /// Writes the roles, their baselines and their approvers. Data of roles that do not count is kept.
    fn write_roles(&self, entry: &mut Edit) {
        let seen = seen_roles(entry);
        let mut approvals = entry.take_object(APPROVALS);
        for role in ROLES {
            let name = role.as_str();
            match self.roles.get(&role) {
                Some(approved) => {
                    write_approval(&mut approvals, role, approved, self.approved_at);
                }
                None if seen.contains(&role) => approvals.remove(name),
                None => {}
            }
        }
        entry.put_roles(&seen, &self.roles.keys().copied().collect());
        match self.roles.get(&Role::Operator) {
            Some(operator)
                if baseline(entry, Role::Operator).as_ref() != Some(&operator.scopes) =>
            {
                entry.put_scopes("scopes", &operator.scopes, 2);
                entry.put_scopes("approvedScopes", &operator.scopes, 2);
            }
            None if seen.contains(&Role::Operator) => {
                entry.remove("scopes");
                entry.remove("approvedScopes");
            }
            _ => {}
        }
        entry.put_object(APPROVALS, &approvals, 2);
    }

    fn write_tokens(&self, entry: &mut Edit) {
        let mut tokens = entry.take_object(TOKENS);
        for role in ROLES {
            let name = role.as_str();
            let wanted = self.roles.get(&role).map(|approved| &approved.token);
            match wanted {
                Some(Some(token)) => {
                    let mut stored = tokens.take_object(name);
                    write_token(&mut stored, role, token);
                    tokens.put_object(name, &stored, 3);
                }
                // Also removes a token that another program left for a role that no longer counted.
                Some(None) => tokens.remove(name),
                None => {}
            }
        }
        if entry.get(TOKENS).is_none() || tokens.is_changed() {
            entry.set(TOKENS, tokens.render(2));
        }
    }
}

/// Returns what the device waits for as a node. Without it, the device asks again.
fn read_surface(fields: &impl Fields) -> Option<Box<NodeRequest>> {
    let stored = fields.members(SURFACE);
    let id = stored.text("requestId")?;
    NodeRequest::read(&id, &stored).map(Box::new).ok()
}

fn write_surface(surface: Option<&NodeRequest>, entry: &mut Edit) {
    match surface {
        Some(surface) => {
            let mut stored = entry.take_object(SURFACE);
            surface.write(&mut stored);
            entry.put_object(SURFACE, &stored, 2);
        }
        None if read_surface(entry).is_some() => entry.remove(SURFACE),
        None => {}
    }
}

/// Returns the approved roles among those listed; an operator needs a list of scopes, even an empty one.
fn seen_roles(fields: &impl Fields) -> BTreeSet<Role> {
    let names = fields.role_names();
    let roles = names.iter().filter_map(|name| Role::parse(name).ok());
    roles
        .filter(|role| baseline(fields, *role).is_some())
        .collect()
}

/// Returns the scopes that a role was approved with; `None` if they are not recorded.
fn baseline(fields: &impl Fields, role: Role) -> Option<ScopeSet> {
    match role {
        Role::Operator => {
            let granted = || fields.scopes("scopes");
            match fields.raw("approvedScopes") {
                Some(_) => fields.scopes("approvedScopes"),
                None => granted(),
            }
        }
        Role::Node => Some(
            fields
                .members(APPROVALS)
                .members(role.as_str())
                .scopes("scopes")
                .unwrap_or_default(),
        ),
    }
}

/// Returns the time and the approver of a role's approval; the defaults are the device's time and no known
/// approver.
fn read_approval(approval: &Members<'_>, otherwise: Timestamp) -> Result<ApprovedRole, String> {
    let approved_at = approval.time("atMs")?.unwrap_or(otherwise);
    Ok(ApprovedRole {
        scopes: ScopeSet::default(),
        commands: approval.commands("commands")?,
        approved_at,
        grant: read_grant(approval, approved_at)?,
        token: None,
    })
}

fn write_approval(approvals: &mut Edit, role: Role, approved: &ApprovedRole, otherwise: Timestamp) {
    let name = role.as_str();
    let mut stored = approvals.take_object(name);
    let is_silent = stored.is_empty();
    let says_more = approved.grant.is_some() || approved.commands.is_some();
    if !is_silent || approved.approved_at != otherwise || says_more {
        stored.put_time("atMs", Some(approved.approved_at));
        write_grant(&mut stored, approved.grant.as_ref(), approved.approved_at);
    }
    if role != Role::Operator && (!is_silent || !approved.scopes.is_empty()) {
        if approved.scopes.is_empty() {
            stored.remove("scopes");
        } else {
            stored.put_scopes("scopes", &approved.scopes, 4);
        }
    }
    stored.put_commands("commands", approved.commands.as_ref(), 4);
    approvals.put_object(name, &stored, 3);
}

/// Returns the grant in `by`, `via`, `requestedAtMs?`, `principal?`, and `grantedAtMs?` if that differs from the time at
/// which the approval began to count.
pub(super) fn read_grant(said: &Members<'_>, at: Timestamp) -> Result<Option<Grant>, String> {
    let (Some(by), Some(via)) = (said.text("by"), said.raw("via")) else {
        return Ok(None);
    };
    let Ok(via) = serde_json::from_str::<Via>(via) else {
        return Ok(None);
    };
    let at = said.time("grantedAtMs")?.unwrap_or(at);
    let principal = said.text("principal").map(|text| Principal::parse(&text));
    let grant = Grant::new(ApproverId::from(by), via, at)
        .with_requested_at(said.time("requestedAtMs")?)
        .with_principal(principal.transpose().map_err(|error| error.to_string())?);
    Ok(Some(grant))
}

pub(super) fn write_grant(entry: &mut Edit, grant: Option<&Grant>, at: Timestamp) {
    entry.put_text("by", grant.map(|grant| grant.by.as_str()));
    let via = grant.and_then(|grant| serde_json::to_string(&grant.via).ok());
    entry.put("via", via);
    entry.put_time("requestedAtMs", grant.and_then(|grant| grant.requested_at));
    let principal = grant.and_then(|grant| grant.principal.as_ref());
    entry.put_text("principal", principal.map(Principal::as_str));
    let granted_at = grant.map(|grant| grant.at).filter(|granted| *granted != at);
    entry.put_time("grantedAtMs", granted_at);
}

fn read_token(said: &Members<'_>) -> Result<DeviceToken, String> {
    let hash = said.hash("tokenHash");
    // Of another token than the present one, it was left behind by a program that does not know it.
    let next = said.members(NEXT);
    let is_next = said.get(NEXT).is_some() && next.hash("after") == hash;
    let rotated_at = said.time("rotatedAtMs")?;
    let approved = said.members(APPROVED);
    let is_of_it = said.get(APPROVED).is_some()
        && approved.hash("after") == hash
        && approved.time("rotatedAtMs")? == rotated_at;
    Ok(DeviceToken {
        hash,
        scopes: said.scopes("scopes").unwrap_or_default(),
        created_at: said
            .time("createdAtMs")?
            .unwrap_or_else(|| Timestamp::from_millis(0)),
        rotated_at,
        revoked_at: said.time("revokedAtMs")?,
        last_used_at: said.time("lastUsedAtMs")?,
        next_scopes: is_next.then(|| next.scopes("scopes").unwrap_or_default()),
        approved_scopes: approved.scopes("scopes").filter(|_| is_of_it),
    })
}

fn write_token(entry: &mut Edit, role: Role, token: &DeviceToken) {
    entry.put_hash("tokenHash", token.hash);
    entry.put_text("role", Some(role.as_str()));
    entry.put_scopes("scopes", &token.scopes, 4);
    entry.put_time("createdAtMs", Some(token.created_at));
    entry.put_time("rotatedAtMs", token.rotated_at);
    entry.put_time("revokedAtMs", token.revoked_at);
    entry.put_time("lastUsedAtMs", token.last_used_at);
    match &token.next_scopes {
        Some(scopes) => {
            let mut next = entry.take_object(NEXT);
            next.put_hash("after", token.hash);
            next.put_scopes("scopes", scopes, 5);
            entry.put_object(NEXT, &next, 4);
        }
        None => entry.remove(NEXT),
    }
    match &token.approved_scopes {
        Some(scopes) => {
            let mut approved = entry.take_object(APPROVED);
            approved.put_hash("after", token.hash);
            approved.put_time("rotatedAtMs", token.rotated_at);
            approved.put_scopes("scopes", scopes, 5);
            entry.put_object(APPROVED, &approved, 4);
        }
        None => entry.remove(APPROVED),
    }
}

/// Returns the text with all tokens replaced by their hashes, in entries by role or, in a bad record, in a
/// list; `None` if no token is in clear.
fn hashed_within(raw: &str, depth: usize) -> Option<String> {
    if let Ok(members) = Members::parse(raw) {
        let mut edit = Edit::of(&members);
        edit.hash_token();
        if depth < 4 {
            for (key, value) in members.iter() {
                if let Some(hashed) = hashed_within(value, depth + 1) {
                    edit.set(key, hashed);
                }
            }
        }
        return edit.is_changed().then(|| edit.render(depth));
    }
    let elements = json::elements(raw).ok().filter(|_| depth < 4)?;
    let hashed: Vec<_> = elements
        .iter()
        .map(|element| hashed_within(element, depth + 1))
        .collect();
    let any = hashed.iter().any(Option::is_some);
    let elements = hashed.into_iter().zip(elements);
    let elements = elements.map(|(hashed, raw)| hashed.unwrap_or_else(|| raw.to_owned()).into());
    any.then(|| json::array(elements, depth))
}
