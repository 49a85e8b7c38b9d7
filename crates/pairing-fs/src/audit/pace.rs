//! Bounds what one connection can add to the audit log, so that it does not push the history of everybody else out.

use std::collections::HashMap;
use std::time::Duration;

use pairing_core::{ApproverId, AuditEvent, Timestamp, Via};

/// Decisions of one approver that are recorded one by one in a [`WINDOW`].
pub(super) const MOST: u32 = 60;

const WINDOW: Duration = Duration::from_secs(60);

/// Maximum number of approvers that are counted; those of longest ago are forgotten first.
const APPROVERS: usize = 256;

/// The decisions of the last minute, by approver.
#[derive(Default)]
pub(super) struct Pace(HashMap<ApproverId, Recent>);

struct Recent {
    since: Timestamp,
    count: u32,
    /// The last decision that was not recorded, and how many there were.
    left_out: Option<(AuditEvent, u64)>,
}

/// A decision to record; with it, the number of decisions of the same approver that it stands for.
pub(super) type Due = (AuditEvent, Option<u64>);

impl Pace {
    /// Takes a decision; returns what is to be recorded now. Decisions at the terminal and in chats, which people make by
    /// hand, are never left out.
    pub(super) fn take(&mut self, event: &AuditEvent) -> Vec<Due> {
        let mut due = self.over(event.at);
        if !matches!(event.via, Via::Gateway | Via::Page | Via::Silent) {
            due.push((event.clone(), None));
            return due;
        }
        if self.0.len() >= APPROVERS && !self.0.contains_key(&event.by) {
            let oldest = self.0.iter().min_by_key(|(_, recent)| recent.since);
            let oldest = oldest.map(|(by, _)| by.clone());
            let forgotten = oldest.and_then(|by| self.0.remove(&by));
            due.extend(forgotten.and_then(Recent::due));
        }
        let recent = self.0.entry(event.by.clone()).or_insert(Recent {
            since: event.at,
            count: 0,
            left_out: None,
        });
        if recent.count < MOST {
            recent.count += 1;
            due.push((event.clone(), None));
        } else {
            let before = recent.left_out.as_ref().map_or(0, |(_, count)| *count);
            recent.left_out = Some((event.clone(), before + 1));
        }
        due
    }

    /// Ends the minutes that are over.
    fn over(&mut self, now: Timestamp) -> Vec<Due> {
        let is_over = |recent: &Recent| now.since(recent.since).is_none_or(|age| age >= WINDOW);
        let over: Vec<_> = self.0.extract_if(|_, recent| is_over(recent)).collect();
        over.into_iter()
            .filter_map(|(_, recent)| recent.due())
            .collect()
    }

    /// Returns what has been left out so far.
    pub(super) fn end(&mut self) -> Vec<Due> {
        self.0
            .drain()
            .filter_map(|(_, recent)| recent.due())
            .collect()
    }
}

impl Recent {
    fn due(self) -> Option<Due> {
        self.left_out.map(|(event, count)| (event, Some(count)))
    }
}
