//! `pairing-meta/names.json`: the owners of file names that could belong to several accounts.

use pairing_core::{AccountId, ChannelId, Problem};
use serde::{Deserialize, Serialize};

use super::{Document, Lists, list};
use crate::error::FileError;
use crate::json;

const NAMES: &str = "names";

/// The owners of contested file names.
#[derive(Default)]
pub(crate) struct NamesDoc {
    lists: Lists,
    owners: Vec<Owner>,
}

/// The owner of a file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) channel: ChannelId,
    pub(crate) account: AccountId,
}

impl Document for NamesDoc {
    type Rules = ();

    fn parse(text: &str, (): &()) -> Result<Self, FileError> {
        let (lists, members) = Lists::parse(text)?;
        let owners = list(text, &members, NAMES)?.into_iter().map(|raw| {
            serde_json::from_str(raw)
                .map_err(|_| json::malformed_at(text, raw, "not the owner of a name"))
        });
        Ok(Self {
            owners: owners.collect::<Result<_, _>>()?,
            lists,
        })
    }

    fn problems(&self, _: &str) -> Vec<Problem> {
        Vec::new()
    }
}

impl NamesDoc {
    pub(crate) fn owner(&self, name: &str) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.name == name)
    }

    /// Returns the text with one owner added.
    pub(crate) fn with(&self, owner: &Owner) -> Result<String, serde_json::Error> {
        let all = self.owners.iter().chain([owner]);
        let lines = all.map(|owner| Ok(json::pretty(owner, 2)?.into()));
        let lines = lines.collect::<Result<Vec<_>, serde_json::Error>>()?;
        Ok(self.lists.render(&[(NAMES, lines)]))
    }
}
