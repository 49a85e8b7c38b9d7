//! Putting records into a store, and looking whether they are there.

use std::collections::{BTreeMap, HashSet};

use super::plan::{Destination, Fate, Plan, Seen, Unit};
use super::read::read_group;
use super::{admission, is_same};
use crate::store::{Batch, Group, Key, Record};
use crate::{Limits, PairingCode, PairingStore, StoreError, Timestamp};

/// How many units are written at once, as long as the store takes so many.
const AT_ONCE: usize = 1_000;

/// How often a unit is looked at anew while others write to it.
const TRIES: usize = 20;

/// How records are written.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What goes at the destination: requests that are expired by it are left out.
    pub limits: &'a Limits,
    /// The time.
    pub now: Timestamp,
    /// Whether they replace existing records that differ.
    pub replace: bool,
    /// Whether this is a dry run, which only reports what would happen.
    pub dry_run: bool,
}

/// What became of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Records that are new there.
    pub written: usize,
    /// Records that replaced one that differed.
    pub replaced: usize,
    /// Records that were there already.
    pub same: usize,
    /// Expired requests, which are left out.
    pub expired: usize,
    /// So many are requests of senders who are let in, there already or by another of the records; they are
    /// left out.
    pub ended: usize,
    /// In place of these there is something else, which stays: records that differ, and requests whose
    /// code is another's there.
    pub differing: Vec<Key>,
    /// These were written or there, and then were not: somebody else has changed them meanwhile.
    pub lost: Vec<Key>,
}

/// Writes records, and reads back what has become of them.
///
/// - Every write rests on what was looked at: nothing that others write meanwhile is lost by it.
/// - What is there already is not written again. So it may be repeated after an error, of which everything
///   before it stands, and comes to the same end.
/// - Codes come with their requests; a record of one is passed over.
///
/// Costs a read of every group that a record is of, before and after, and a commit for up to a thousand
/// records of a group.
pub fn write<'r>(
    to: &dyn PairingStore,
    records: impl IntoIterator<Item = &'r Record>,
    terms: &Terms<'_>,
) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let mut groups: BTreeMap<Group<'_>, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if is_expired(record, terms) {
            outcome.expired += 1;
        } else if record.as_code().is_none() {
            groups.entry(record.group()).or_default().push(record);
        }
    }
    for (group, records) in groups {
        Writer {
            to,
            terms,
            outcome: &mut outcome,
            settled: HashSet::new(),
        }
        .group(group, &records)?;
    }
    Ok(outcome)
}

fn is_expired(record: &Record, terms: &Terms<'_>) -> bool {
    let (limits, now) = (terms.limits, terms.now);
    match record {
        Record::Request(request) => request.is_expired(limits, now),
        Record::DeviceRequest(request) => request.is_expired(&limits.devices, now),
        Record::NodeRequest(request) => request.is_expired(&limits.devices, now),
        _ => false,
    }
}

/// Requests that share a code in one, everything else by itself. Those who are let in come first.
fn units<'r>(records: &[&'r Record]) -> Vec<Unit<'r>> {
    let mut units = Vec::new();
    let mut by_code: BTreeMap<PairingCode, Unit<'r>> = BTreeMap::new();
    for record in records {
        match record {
            Record::Request(request) => by_code.entry(request.code).or_default().push(record),
            _ => units.push(vec![*record]),
        }
    }
    units.extend(by_code.into_values());
    units
}

struct Writer<'w> {
    to: &'w dyn PairingStore,
    terms: &'w Terms<'w>,
    outcome: &'w mut Outcome,
    /// What is to be found when it is read back.
    settled: HashSet<Key>,
}

impl<'w> Writer<'w> {
    fn group(mut self, group: Group<'_>, records: &[&Record]) -> Result<(), StoreError> {
        let seen = Seen::of(read_group(self.to, group)?.records);
        let allowed = records.iter().filter(|record| record.as_allow().is_some());
        let allowed: HashSet<Key> = allowed.map(|record| record.key()).collect();
        let waits = |record: &&Record| {
            let request = record.as_request();
            request.is_none_or(|request| !allowed.contains(&admission(request)))
        };
        let waiting: Vec<_> = records.iter().copied().filter(waits).collect();
        self.outcome.ended += records.len() - waiting.len();
        let units = units(&waiting);
        let mut at_once = AT_ONCE;
        let mut rest = &units[..];
        while !rest.is_empty() {
            let (some, after) = rest.split_at(at_once.min(rest.len()));
            match self.some(&seen, some) {
                // More than the store takes at once; of one it says what is wrong.
                Err(StoreError::Refused { .. }) if some.len() > 1 => at_once = some.len() / 2,
                written => {
                    written?;
                    rest = after;
                }
            }
        }
        if self.terms.dry_run {
            return Ok(());
        }
        let found = Seen::of(read_group(self.to, group)?.records);
        let settled = records.iter().filter(|r| self.settled.contains(&r.key()));
        let lost = settled.filter(|record| {
            let found = found.get(&record.key());
            !found.is_some_and(|found| is_same(found, record))
        });
        self.outcome.lost.extend(lost.map(|record| record.key()));
        Ok(())
    }

    /// Writes some units in one batch; one by one, where somebody else has written meanwhile or where they
    /// are about the same record.
    fn some(&mut self, seen: &Seen, units: &[Unit<'_>]) -> Result<(), StoreError> {
        let destination = self.destination(Some(seen));
        let plans = units.iter().map(|unit| destination.plan(unit));
        let plans = plans.collect::<Result<Vec<_>, _>>()?;
        let batch = joined(&plans);
        let committed = match &batch {
            Some(batch) => self.commit(batch),
            None => Err(StoreError::Conflict),
        };
        match committed {
            Ok(()) => plans.iter().for_each(|plan| self.count(plan)),
            Err(StoreError::Conflict) => units.iter().try_for_each(|unit| self.one(unit))?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes a unit, by what is there now.
    fn one(&mut self, unit: &Unit<'_>) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let plan = self.destination(None).plan(unit)?;
            match self.commit(&plan.batch) {
                Err(StoreError::Conflict) => {}
                committed => {
                    committed?;
                    self.count(&plan);
                    return Ok(());
                }
            }
        }
        Err(StoreError::Conflict)
    }

    fn destination<'s>(&self, seen: Option<&'s Seen>) -> Destination<'s>
    where
        'w: 's,
    {
        Destination {
            store: self.to,
            seen,
            replace: self.terms.replace,
        }
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.changes.is_empty() || self.terms.dry_run {
            return Ok(());
        }
        self.to.commit(batch)
    }

    fn count(&mut self, plan: &Plan) {
        for (key, fate) in &plan.fates {
            match fate {
                Fate::New => self.outcome.written += 1,
                Fate::Replaces => self.outcome.replaced += 1,
                Fate::Same => self.outcome.same += 1,
                Fate::Ended => self.outcome.ended += 1,
                Fate::Differs => self.outcome.differing.push(key.clone()),
            }
            if matches!(fate, Fate::New | Fate::Replaces | Fate::Same) {
                self.settled.insert(key.clone());
            }
        }
    }
}

/// All of it in one batch; `None` where a record would be changed twice.
fn joined(plans: &[Plan]) -> Option<Batch> {
    let mut batch = Batch::default();
    let mut changed = HashSet::new();
    for plan in plans {
        for change in &plan.batch.changes {
            if !changed.insert(change.key()) {
                return None;
            }
        }
        batch.conditions.extend_from_slice(&plan.batch.conditions);
        batch.changes.extend_from_slice(&plan.batch.changes);
    }
    Some(batch)
}
