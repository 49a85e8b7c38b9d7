//! Plans the effect of writing records to the destination.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{admission, is_same};
use crate::store::{
    Batch, Change, Condition, Holder, Key, PendingRequest, Read, Record, TakenCode, Version,
};
use crate::{PairingStore, StoreError};

/// Records that are written together or not at all: a single one, or requests that share a code.
pub(super) type Unit<'r> = Vec<&'r Record>;

/// The destination, with its records as they were read.
pub(super) struct Destination<'s> {
    pub(super) store: &'s dyn PairingStore,
    /// The records of the group; `None` to read every record again.
    pub(super) seen: Option<&'s Seen>,
    /// Whether written records replace existing ones that differ.
    pub(super) replace: bool,
}

/// The records of a group at the destination, and the codes in use there.
pub(super) struct Seen {
    records: HashMap<Key, Arc<Record>>,
    codes: HashSet<Key>,
}

/// The result for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is new at the destination.
    New,
    /// It replaces a record that differs.
    Replaces,
    /// It is already there.
    Same,
    /// It is a request of a sender who is already allowed there.
    Ended,
    /// A different record is there, and stays.
    Differs,
}

/// The writes for a unit, their conditions, and the result for each record.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) batch: Batch,
    pub(super) fates: Vec<(Key, Fate)>,
}

impl Seen {
    pub(super) fn of(records: Vec<Arc<Record>>) -> Self {
        let requests = records.iter().filter_map(|record| record.as_request());
        let codes = requests.map(code_key).collect();
        let records = records.into_iter().map(|record| (record.key(), record));
        Self {
            records: records.collect(),
            codes,
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Record> {
        self.records.get(key).map(|record| &**record)
    }

    fn has(&self, key: &Key) -> bool {
        self.records.contains_key(key) || self.codes.contains(key)
    }
}

impl Destination<'_> {
    pub(super) fn plan(&self, unit: &[&Record]) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        let mut requests = Vec::new();
        for record in unit {
            match record {
                Record::Request(request) => requests.push(request),
                other => self.plan_one(other, &mut plan)?,
            }
        }
        self.plan_requests(&requests, &mut plan)?;
        Ok(plan)
    }

    /// Reads a record. Uses the earlier read if the record was absent then, and otherwise reads the
    /// store, since the record may be changed.
    fn look(&self, key: &Key) -> Result<Read, StoreError> {
        match self.seen {
            Some(seen) if !seen.has(key) => Ok(Read {
                version: Version::ABSENT,
                record: None,
            }),
            _ => self.store.read(key),
        }
    }

    /// Returns the result for a record, and the version of the existing one.
    fn fate(&self, record: &Record) -> Result<(Fate, Version), StoreError> {
        let key = record.key();
        let seen = self.seen.and_then(|seen| seen.get(&key));
        if seen.is_some_and(|seen| is_same(seen, record)) {
            return Ok((Fate::Same, Version::ABSENT));
        }
        let found = self.look(&key)?;
        let fate = match &found.record {
            None => Fate::New,
            Some(found) if is_same(found, record) => Fate::Same,
            Some(_) if self.replace => Fate::Replaces,
            Some(_) => Fate::Differs,
        };
        Ok((fate, found.version))
    }

    fn plan_one(&self, record: &Record, plan: &mut Plan) -> Result<(), StoreError> {
        let (fate, version) = self.fate(record)?;
        if matches!(fate, Fate::New | Fate::Replaces) {
            plan.put(record.clone(), version);
        }
        plan.fates.push((record.key(), fate));
        Ok(())
    }

    /// Plans requests that share a code, and the code itself.
    fn plan_requests(
        &self,
        requests: &[&PendingRequest],
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        let Some(first) = requests.first() else {
            return Ok(());
        };
        let code = self.look(&code_key(first))?;
        let holders = holders_of(&code);
        let is_ours =
            |holder: &Holder| requests.iter().any(|request| holder_of(request) == *holder);
        let is_free = holders.iter().all(is_ours);
        let mut holders = holders;
        let before = holders.len();
        for request in requests {
            let record = Record::Request((*request).clone());
            let key = record.key();
            let admission = admission(request);
            let (fate, version) = self.fate(&record)?;
            let fate = match fate {
                Fate::Same => Fate::Same,
                _ if self.look(&admission)?.record.is_some() => Fate::Ended,
                // A request that is not in this unit uses the code at the destination.
                Fate::New | Fate::Replaces if !is_free => Fate::Differs,
                fate => fate,
            };
            if matches!(fate, Fate::New | Fate::Replaces) {
                if fate == Fate::Replaces {
                    self.free_old_code(request, plan)?;
                }
                plan.rest_on(admission, Version::ABSENT);
                plan.put(record, version);
                if !holders.contains(&holder_of(request)) {
                    holders.push(holder_of(request));
                }
            }
            plan.fates.push((key, fate));
        }
        if holders.len() > before {
            let taken = TakenCode {
                holders,
                ..first.taken_code()
            };
            plan.put(Record::Code(taken), code.version);
        }
        Ok(())
    }

    /// Frees the code of the request that is replaced, if it is another code.
    fn free_old_code(&self, new: &PendingRequest, plan: &mut Plan) -> Result<(), StoreError> {
        let found = self.store.read(&new.key())?.record;
        let Some(old) = found.as_deref().and_then(Record::as_request) else {
            return Ok(());
        };
        if old.code == new.code {
            return Ok(());
        }
        let key = code_key(old);
        let taken = self.store.read(&key)?;
        let mut holders = holders_of(&taken);
        holders.retain(|holder| *holder != holder_of(old));
        if holders.is_empty() {
            plan.rest_on(key.clone(), taken.version);
            plan.batch.changes.push(Change::Delete(key));
        } else {
            let rest = TakenCode {
                holders,
                ..old.taken_code()
            };
            plan.put(Record::Code(rest), taken.version);
        }
        Ok(())
    }
}

impl Plan {
    fn rest_on(&mut self, key: Key, version: Version) {
        self.batch.conditions.push(Condition::Record(key, version));
    }

    /// Puts a record on condition that the existing one has this version, or that there is none.
    fn put(&mut self, record: Record, version: Version) {
        self.rest_on(record.key(), version);
        self.batch.changes.push(Change::Put(record));
    }
}

fn code_key(request: &PendingRequest) -> Key {
    Key::Code {
        channel: request.channel.clone(),
        code: request.code,
    }
}

fn holder_of(request: &PendingRequest) -> Holder {
    Holder {
        account: request.account.clone(),
        sender: request.sender.clone(),
    }
}

fn holders_of(code: &Read) -> Vec<Holder> {
    let taken = code.record.as_deref().and_then(Record::as_code);
    taken.map_or_else(Vec::new, |taken| taken.holders.clone())
}
