//! `accessGroups`: lists of senders that other lists refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pairing_core::{ChannelId, escape};

use crate::Fault;
use crate::read::{Entries, Reader, Section};

/// What an entry that refers to a group starts with.
const PREFIX: &str = "accessGroup:";

/// The groups, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    /// Its members by channel; `*` are those of every channel.
    senders: BTreeMap<String, Vec<String>>,
    /// Why some of them may be missing.
    fault: Option<Arc<Fault>>,
}

impl Groups {
    pub(crate) fn read(at: &Section<'_>, reader: &mut Reader<'_>) -> Self {
        const TYPES: [(&str, ()); 1] = [("message.senders", ())];
        let mut groups = BTreeMap::new();
        for member in at.members() {
            let section = Section::new(at.name(&member.key), Some(&member.node), reader);
            let mut section = section.broken_by(at.broken());
            let mut group = Group::default();
            match section.choice("type", &TYPES, reader) {
                Err(fault) => group.fault = Some(fault),
                Ok(None) => {
                    let detail = "is not set: groups of the type \"message.senders\" are known";
                    group.fault = Some(section.fault("type", detail, reader));
                }
                Ok(Some(())) => group.read(&section.child("members", reader), reader),
            }
            section.finish(reader);
            groups.insert(member.key.clone(), group);
        }
        Self { groups }
    }

    /// The list without references to unknown groups, and the first reason why members of it may be missing.
    pub(crate) fn checked(
        &self,
        at: &Section<'_>,
        key: &str,
        mut entries: Entries,
        reader: &mut Reader<'_>,
    ) -> (Entries, Option<Arc<Fault>>) {
        let mut first = None;
        entries.retain(|entry| {
            let Some(name) = name(entry) else {
                return true;
            };
            let Some(group) = self.groups.get(name) else {
                let name = escape(name).limit(64);
                let detail = format!("refers to the access group `{name}`, which is not set up");
                first.get_or_insert(at.fault(key, &detail, reader));
                return false;
            };
            first = first.take().or_else(|| group.fault.clone());
            true
        });
        (entries, first)
    }

    /// The list with the members of its groups in their place; each group once.
    pub(super) fn expanded(&self, list: Vec<String>, channel: &ChannelId) -> Vec<String> {
        if !list.iter().any(|entry| name(entry).is_some()) {
            return list;
        }
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for entry in list {
            match name(&entry) {
                None => all.push(entry),
                Some(name) if seen.insert(name.to_owned()) => {
                    all.extend(self.members(name, channel).cloned());
                }
                Some(_) => {}
            }
        }
        all
    }

    /// Owners in chats: a group's members, each with its channel.
    pub(crate) fn owners(&self, list: Vec<String>) -> Vec<String> {
        let mut all = Vec::new();
        for entry in list {
            let Some(name) = name(&entry) else {
                all.push(entry);
                continue;
            };
            let group = self.groups.get(name);
            for (channel, senders) in group.into_iter().flat_map(|group| &group.senders) {
                all.extend(senders.iter().map(|sender| match channel.as_str() {
                    // Counts where it names its channel itself.
                    "*" => sender.clone(),
                    channel => format!("{channel}:{sender}"),
                }));
            }
        }
        all
    }

    fn members(&self, name: &str, channel: &ChannelId) -> impl Iterator<Item = &String> {
        let group = self.groups.get(name);
        let is_meant =
            |key: &str| key == "*" || ChannelId::parse(key).is_ok_and(|id| id == *channel);
        let lists = group.into_iter().flat_map(|group| &group.senders);
        lists
            .filter(move |(key, _)| is_meant(key))
            .flat_map(|(_, senders)| senders)
    }
}

impl Group {
    fn read(&mut self, members: &Section<'_>, reader: &mut Reader<'_>) {
        self.fault = members.broken().cloned();
        for (name, list) in members.lists(reader) {
            let fault = list.fault().cloned();
            self.fault = self.fault.take().or(fault);
            self.senders
                .insert(name, list.letting_in().unwrap_or_default());
        }
    }
}

/// The group that an entry refers to.
fn name(entry: &str) -> Option<&str> {
    Some(entry.trim().strip_prefix(PREFIX)?.trim())
}
