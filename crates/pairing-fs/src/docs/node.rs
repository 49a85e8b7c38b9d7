//! `nodes/pending.json` and `nodes/paired.json`: the legacy node store.

use std::collections::BTreeMap;

use pairing_core::device::{Node, NodeId, NodeInfo, NodeRequest, RequestId};
use pairing_core::{Record, Timestamp};

use super::device::{read_grant, write_grant};
use super::fields::Fields;
use super::keyed::Entry;
use crate::json::{self, Edit, Members};

/// Our own member: the approver.
const APPROVAL: &str = "approval";

impl Entry for NodeRequest {
    const KIND: &'static str = "node request";

    fn read(name: &str, members: &Members<'_>) -> Result<Self, String> {
        let id = RequestId::parse(name).map_err(|error| error.to_string())?;
        if members.text("requestId").is_some_and(|said| said != name) {
            return Err("`requestId` is another request's".to_owned());
        }
        let node = members.text("nodeId").ok_or("no `nodeId`")?;
        let asked_at = members.time("ts")?.ok_or("no `ts`")?;
        Ok(Self {
            id,
            node: NodeId::parse(&node).map_err(|_| "`nodeId` names no node")?,
            info: read_info(members),
            silent: members.flag("silent"),
            is_repair: members.flag("isRepair"),
            asked_at,
            refreshed_at: members.time("refreshedAtMs")?.unwrap_or(asked_at),
        })
    }

    fn id(&self) -> String {
        self.node.as_str().to_owned()
    }

    fn name(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn write(&self, entry: &mut Edit) {
        entry.put_text("requestId", Some(self.id.as_str()));
        write_node(&self.node, entry);
        write_info(&self.info, entry);
        entry.put_flag("silent", self.silent);
        entry.put_flag("isRepair", self.is_repair);
        entry.put_time("ts", Some(self.asked_at));
        if entry.get("refreshedAtMs").is_some() || self.refreshed_at != self.asked_at {
            entry.put_time("refreshedAtMs", Some(self.refreshed_at));
        }
    }

    /// Older releases stored the token of a node that pairs again here, too.
    fn hash_tokens(entry: &mut Edit) {
        entry.hash_token();
    }

    fn into_record(self) -> Record {
        Record::from(self)
    }

    fn of(record: &Record) -> Option<&Self> {
        record.as_node_request()
    }
}

impl Entry for Node {
    const KIND: &'static str = "node";

    fn read(name: &str, members: &Members<'_>) -> Result<Self, String> {
        let id = NodeId::parse(name).map_err(|_| "its name is no node's")?;
        if members
            .text("nodeId")
            .is_some_and(|said| said.trim() != id.as_str())
        {
            return Err("`nodeId` is another node's".to_owned());
        }
        let (created, approved) = (members.time("createdAtMs")?, members.time("approvedAtMs")?);
        let approved_at = approved
            .or(created)
            .unwrap_or_else(|| Timestamp::from_millis(0));
        Ok(Self {
            id,
            info: read_info(members),
            token: members.hash("tokenHash").ok_or("no token")?,
            created_at: created.unwrap_or(approved_at),
            approved_at,
            last_connected_at: members.time("lastConnectedAtMs")?,
            grant: read_grant(&members.members(APPROVAL), approved_at)?,
        })
    }

    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }

    fn write(&self, entry: &mut Edit) {
        write_node(&self.id, entry);
        entry.put_hash("tokenHash", Some(self.token));
        write_info(&self.info, entry);
        entry.put_time("createdAtMs", Some(self.created_at));
        entry.put_time("approvedAtMs", Some(self.approved_at));
        entry.put_time("lastConnectedAtMs", self.last_connected_at);
        let mut approval = entry.take_object(APPROVAL);
        write_grant(&mut approval, self.grant.as_ref(), self.approved_at);
        entry.put_object(APPROVAL, &approval, 2);
    }

    fn hash_tokens(entry: &mut Edit) {
        entry.hash_token();
    }

    fn into_record(self) -> Record {
        Record::from(self)
    }

    fn of(record: &Record) -> Option<&Self> {
        record.as_node()
    }
}

fn write_node(node: &NodeId, entry: &mut Edit) {
    let stored = entry.text("nodeId");
    if stored.is_none_or(|stored| stored.trim() != node.as_str()) {
        entry.put_text("nodeId", Some(node.as_str()));
    }
}

fn read_info(members: &Members<'_>) -> NodeInfo {
    NodeInfo {
        display_name: members.text("displayName"),
        platform: members.text("platform"),
        version: members.text("version"),
        core_version: members.text("coreVersion"),
        ui_version: members.text("uiVersion"),
        device_family: members.text("deviceFamily"),
        model_identifier: members.text("modelIdentifier"),
        caps: members.list("caps").unwrap_or_default(),
        commands: members.list("commands").unwrap_or_default(),
        permissions: permissions(members),
        remote_ip: members.text("remoteIp"),
    }
}

fn permissions(fields: &impl Fields) -> BTreeMap<String, bool> {
    let said = fields.members("permissions");
    let flags = said.iter().filter_map(|(name, raw)| match raw {
        "true" => Some((name.to_owned(), true)),
        "false" => Some((name.to_owned(), false)),
        _ => None,
    });
    flags.collect()
}

fn write_info(info: &NodeInfo, entry: &mut Edit) {
    for (key, value) in [
        ("displayName", &info.display_name),
        ("platform", &info.platform),
        ("version", &info.version),
        ("coreVersion", &info.core_version),
        ("uiVersion", &info.ui_version),
        ("deviceFamily", &info.device_family),
        ("modelIdentifier", &info.model_identifier),
        ("remoteIp", &info.remote_ip),
    ] {
        entry.put_text(key, value.as_deref());
    }
    for (key, list) in [("caps", &info.caps), ("commands", &info.commands)] {
        if entry.list(key).unwrap_or_default() != *list {
            entry.put_list(key, list, 2);
        }
    }
    if permissions(entry) != info.permissions {
        let flags = info.permissions.iter();
        let flags: Vec<_> = flags
            .map(|(name, flag)| (name.as_str(), if *flag { "true" } else { "false" }))
            .collect();
        let text = json::object(flags.into_iter(), 2);
        entry.set("permissions", text);
    }
}
