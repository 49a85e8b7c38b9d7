//! Writes records into a store, and verifies them.

use std::collections::{BTreeMap, HashSet};

use super::plan::{Destination, Fate, Plan, Seen, Unit};
use super::read::read_group;
use super::{admission, is_same};
use crate::store::{Batch, Group, Key, Record};
use crate::{Limits, PairingCode, PairingStore, StoreError, Timestamp};

/// Number of units in the first commit. Each further commit has twice as many, up to [`MOST_AT_ONCE`], until the store
/// refuses one: a store on files rewrites all of a file with each commit, however little changes in it.
const AT_ONCE: usize = 1_000;

/// Maximum number of units in one commit, which bounds the memory that the commit takes.
const MOST_AT_ONCE: usize = 32_000;

/// Maximum number of attempts to write a unit while others write to it.
const TRIES: usize = 20;

/// The options of a transfer.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The limits of the destination; requests that have expired by them are skipped.
    pub limits: &'a Limits,
    /// The present time.
    pub now: Timestamp,
    /// Whether the written records replace existing ones that differ.
    pub replace: bool,
    /// Whether this is a dry run, which only reports what would happen.
    pub dry_run: bool,
}

/// The results of a transfer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Number of records that are new at the destination.
    pub written: usize,
    /// Number of records that replaced one that differed.
    pub replaced: usize,
    /// Number of records that were already there.
    pub same: usize,
    /// Number of expired requests, which are skipped.
    pub expired: usize,
    /// Number of requests whose sender is already allowed, at the destination or by another of the
    /// records; they are skipped.
    pub ended: usize,
    /// Records that were not written because the destination keeps something else: a record that differs
    /// or, for a request, another request with the same code.
    pub differing: Vec<Key>,
    /// Records that were written or already there, and then were not found: another program has changed
    /// them since.
    pub lost: Vec<Key>,
}

/// Writes records, then reads them back to verify them.
///
/// - Every write depends on the state that was read, so writes by others in the meantime are not lost.
/// - Existing records are not written again. After an error, everything written before it remains, and
///   repeating the call leads to the same result.
/// - Codes are written with their requests; a record of a code is skipped.
///
/// Reads every group that the records belong to before and after, and commits thousands of records of a group at a
/// time.
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
        Record::Claim(claim) => claim.is_expired(limits, now),
        Record::DeviceRequest(request) => request.is_expired(&limits.devices, now),
        Record::BearerClient(client) => client.is_expired(now),
        Record::NodeRequest(request) => request.is_expired(&limits.devices, now),
        _ => false,
    }
}

/// Groups records into units: requests that share a code form one, every other record its own. Requests
/// come last, after the allowlist entries.
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
    /// The records that must be found when they are read back.
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
        let (mut at_once, mut most) = (AT_ONCE, MOST_AT_ONCE);
        let mut rest = &units[..];
        while !rest.is_empty() {
            let (some, after) = rest.split_at(at_once.min(rest.len()));
            match self.some(Some(&seen), some) {
                // The store does not accept so many at once. For a single unit, its error is returned.
                Err(StoreError::Refused { .. }) if some.len() > 1 => {
                    at_once = some.len() / 2;
                    most = at_once;
                }
                written => {
                    written?;
                    rest = after;
                    at_once = (2 * at_once).min(most);
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

    /// Writes some units in one batch. If others have written meanwhile, or if two units change the same record, each
    /// half is written in the same way, after reading the present state of its records.
    fn some(&mut self, seen: Option<&Seen>, units: &[Unit<'_>]) -> Result<(), StoreError> {
        if let ([unit], None) = (units, seen) {
            return self.one(unit);
        }
        let destination = self.destination(seen);
        let plans = units.iter().map(|unit| destination.plan(unit));
        let plans = plans.collect::<Result<Vec<_>, _>>()?;
        let batch = joined(&plans);
        let committed = match &batch {
            Some(batch) => self.commit(batch),
            None => Err(StoreError::Conflict),
        };
        match committed {
            Ok(()) => {
                for plan in &plans {
                    self.count(plan);
                }
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            // A part of what met a conflict is smaller still, and the rest of it may be written by now.
            Err(StoreError::Refused { .. }) if seen.is_none() => {}
            Err(error) => return Err(error),
        }
        drop((plans, batch));
        let (first, second) = units.split_at(units.len() / 2);
        for half in [first, second].into_iter().filter(|half| !half.is_empty()) {
            self.some(None, half)?;
        }
        Ok(())
    }

    /// Writes a unit, after reading the present state of its records.
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

/// Joins the plans into one batch; returns `None` if a record would be changed twice.
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
