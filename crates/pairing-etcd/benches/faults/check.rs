//! What may never be, looked for in all that happened.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use etcd_client::{Client, EventType, WatchOptions};
use pairing_core::store::PendingRequest;
use pairing_core::{Channels, Pairing, Record};
use pairing_etcd::{EtcdStore, Settings};
use pairing_fs::{SystemClock, SystemEntropy};

use crate::PREFIX;
use crate::asking::run;
use crate::chaos::{Fault, Kind};
use crate::history::{Came, Event, What};
use crate::worker::{GRACE, limits};

/// How old a view that counts as current may be, and what a machine under load adds to it.
const CURRENT: Duration = Duration::from_millis(1_000 + 250);

/// What came of a run.
pub(crate) struct Report {
    pub(crate) violations: Vec<String>,
    lines: Vec<String>,
}

pub(crate) fn check(scratch: &Path, endpoints: &[String], faults: &[Fault]) -> Report {
    let mut events: Vec<Event> = Vec::new();
    for entry in fs::read_dir(scratch).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(path).unwrap();
            events.extend(
                text.lines()
                    .map(|line| serde_json::from_str::<Event>(line).unwrap()),
            );
        }
    }
    events.sort_by_key(|event| event.end);
    let mut report = Report {
        violations: Vec::new(),
        lines: Vec::new(),
    };
    report.senders(&events, endpoints);
    report.devices(&events);
    report.history(endpoints);
    report.figures(&events, faults);
    report
}

/// When something was begun, and when it was acknowledged, of each subject.
#[derive(Default)]
struct Times {
    begun: HashMap<String, u64>,
    acknowledged: HashMap<String, u64>,
}

impl Times {
    fn of(events: &[Event], what: What) -> Self {
        let mut times = Self::default();
        for event in events.iter().filter(|event| event.what == what) {
            if event.came != Came::No {
                let begun = times.begun.entry(event.subject.clone()).or_insert(u64::MAX);
                *begun = (*begun).min(event.begin);
            }
            if event.came == Came::Yes {
                times
                    .acknowledged
                    .entry(event.subject.clone())
                    .or_insert(event.end);
            }
        }
        times
    }
}

fn later(time: u64, by: Duration) -> u64 {
    time.saturating_add(u64::try_from(by.as_micros()).unwrap())
}

impl Report {
    fn violates(&mut self, what: String) {
        self.violations.push(what);
    }

    fn senders(&mut self, events: &[Event], endpoints: &[String]) {
        let approved = Times::of(events, What::Approve);
        let revoked = Times::of(events, What::Revoke);
        let mut once = HashSet::new();
        for event in events
            .iter()
            .filter(|e| e.what == What::Approve && e.came == Came::Yes)
        {
            if !once.insert(&event.subject) {
                self.violates(format!("{} was approved twice", event.subject));
            }
        }
        for event in events.iter().filter(|e| e.what == What::Admit) {
            let subject = &event.subject;
            let was_revoked = revoked.acknowledged.get(subject);
            let bound = GRACE.max(CURRENT) + Duration::from_millis(250);
            if event.came == Came::Yes
                && was_revoked.is_some_and(|at| event.begin > later(*at, bound))
            {
                self.violates(format!("{subject} was let in after they were thrown out"));
            }
            let is_in = approved
                .acknowledged
                .get(subject)
                .is_some_and(|at| event.begin > later(*at, CURRENT));
            let may_be_out = revoked.begun.get(subject).is_some_and(|at| event.end > *at);
            if event.came == Came::No && is_in && !may_be_out {
                self.violates(format!("{subject} was refused after they were approved"));
            }
        }
        let settings = Settings::new(endpoints).unwrap().prefix(PREFIX).unwrap();
        let store = EtcdStore::direct(&settings).unwrap();
        let pairing = Pairing::with(
            store,
            SystemClock,
            SystemEntropy,
            Channels::builtin(),
            limits(),
        );
        let channel = pairing.channel("telegram").unwrap();
        for subject in approved.acknowledged.keys() {
            let (account, sender) = subject.rsplit_once('-').unwrap();
            let is_in = channel
                .account(account)
                .unwrap()
                .is_allowed(sender)
                .unwrap();
            if !is_in && !revoked.begun.contains_key(subject) {
                self.violates(format!("the grant of {subject} was lost"));
            }
            if is_in && revoked.acknowledged.contains_key(subject) {
                self.violates(format!("the end of {subject} was lost"));
            }
        }
        self.lines.push(format!(
            "senders: {} approved, {} thrown out, {} messages judged",
            approved.acknowledged.len(),
            revoked.acknowledged.len(),
            events
                .iter()
                .filter(|e| e.what == What::Admit && e.came != Came::Unknown)
                .count(),
        ));
    }

    fn devices(&mut self, events: &[Event]) {
        let paired = Times::of(events, What::Pair);
        let revoked = Times::of(events, What::RevokeDevice);
        for event in events.iter().filter(|e| e.what == What::Return) {
            let subject = &event.subject;
            let was_revoked = revoked.acknowledged.get(subject);
            if event.came == Came::Yes
                && was_revoked.is_some_and(|at| event.begin > later(*at, CURRENT))
            {
                self.violates(format!("device {subject} came in with a revoked token"));
            }
            let is_in = paired
                .acknowledged
                .get(subject)
                .is_some_and(|at| event.begin > later(*at, CURRENT));
            let may_be_out = revoked.begun.get(subject).is_some_and(|at| event.end > *at);
            if event.came == Came::No && is_in && !may_be_out {
                self.violates(format!("device {subject} was refused its live token"));
            }
        }
        self.lines.push(format!(
            "devices: {} paired, {} revoked, {} connections judged",
            paired.acknowledged.len(),
            revoked.acknowledged.len(),
            events
                .iter()
                .filter(|e| e.what == What::Return && e.came != Came::Unknown)
                .count(),
        ));
    }

    /// Goes through the cluster's own history, commit by commit.
    fn history(&mut self, endpoints: &[String]) {
        let limits = limits();
        let mut pending: BTreeMap<Vec<u8>, PendingRequest> = BTreeMap::new();
        let mut most = 0;
        let changes = history(endpoints);
        for (key, value) in &changes {
            let Some(value) = value else {
                pending.remove(key);
                continue;
            };
            let Ok(Record::Request(request)) = serde_json::from_slice(value) else {
                continue;
            };
            let is_new = pending
                .get(key)
                .is_none_or(|before| before.code != request.code);
            pending.insert(key.clone(), request.clone());
            if !is_new {
                continue;
            }
            // By the clock of whoever made it.
            let now = request.created_at.unwrap();
            let beside = pending.values().filter(|other| {
                other.account == request.account && !other.is_expired(&limits, now)
            });
            let count = beside.clone().count();
            most = most.max(count);
            if count > limits.max_pending {
                self.violates(format!(
                    "{count} requests of {} at once",
                    request.account.as_str()
                ));
            }
            if beside.filter(|other| other.code == request.code).count() > 1 {
                self.violates("a code was given twice".to_owned());
            }
        }
        self.lines.push(format!(
            "history: {} changes of records, at most {most} requests of an account at once",
            changes.len()
        ));
    }

    fn figures(&mut self, events: &[Event], faults: &[Fault]) {
        let is_write = |e: &&Event| !matches!(e.what, What::Admit | What::Return);
        let writes: Vec<_> = events.iter().filter(is_write).collect();
        let done: Vec<_> = writes.iter().filter(|e| e.came == Came::Yes).collect();
        let unknown = writes.iter().filter(|e| e.came == Came::Unknown).count();
        let mut took: Vec<_> = done.iter().map(|e| e.end - e.begin).collect();
        took.sort_unstable();
        let at = |share: f64| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rank"
            )]
            let rank = (took.len() as f64 * share) as usize;
            took.get(rank).copied().unwrap_or_default() as f64 / 1000.0
        };
        self.lines.push(format!(
            "decisions that wrote: {} done, {unknown} of which nobody knows; p50 {:.1} ms, p99 {:.1} ms, longest {:.0} ms",
            done.len(), at(0.5), at(0.99), at(1.0 - f64::EPSILON),
        ));
        let mut gaps: BTreeMap<Kind, Vec<u64>> = BTreeMap::new();
        for fault in faults {
            let around = later(fault.end, Duration::from_millis(2_500));
            let mut last = fault.begin;
            let mut longest = 0;
            for event in done
                .iter()
                .filter(|e| e.end >= fault.begin && e.end <= around)
            {
                longest = longest.max(event.end - last);
                last = event.end;
            }
            gaps.entry(fault.kind)
                .or_default()
                .push(longest.max(around.saturating_sub(last)));
        }
        for (kind, mut gaps) in gaps {
            gaps.sort_unstable();
            let ms = |us: u64| us as f64 / 1000.0;
            self.lines.push(format!(
                "{kind:?}: {} times, longest time without a decision: median {:.0} ms, worst {:.0} ms",
                gaps.len(), ms(gaps[gaps.len() / 2]), ms(gaps[gaps.len() - 1]),
            ));
        }
    }
}

/// Every change of a record that the cluster ever committed, in its order.
fn history(endpoints: &[String]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    run(async {
        let mut client = Client::connect(&endpoints[..1], None).await.unwrap();
        let head = format!("{PREFIX}/state/head");
        let found = client.get(head, None).await.unwrap();
        let last = found.kvs()[0].mod_revision();
        let options = WatchOptions::new().with_prefix().with_start_revision(1);
        let prefix = format!("{PREFIX}/state/");
        let mut stream = client.watch(prefix, Some(options)).await.unwrap();
        let mut changes = Vec::new();
        loop {
            let message = stream.message().await.unwrap().unwrap();
            let mut is_over = false;
            for event in message.events() {
                let kv = event.kv().unwrap();
                is_over |= kv.mod_revision() >= last;
                let is_put = event.event_type() == EventType::Put;
                changes.push((kv.key().to_vec(), is_put.then(|| kv.value().to_vec())));
            }
            if is_over {
                let is_record =
                    |key: &[u8]| key.starts_with(format!("{PREFIX}/state/record/").as_bytes());
                changes.retain(|(key, _)| is_record(key));
                return changes;
            }
        }
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))?;
        match self.violations.len() {
            0 => f.write_str("nothing that may not be"),
            count => {
                writeln!(f, "{count} VIOLATIONS")?;
                let shown = self.violations.iter().take(20);
                shown
                    .clone()
                    .try_for_each(|violation| writeln!(f, "  {violation}"))
            }
        }
    }
}
