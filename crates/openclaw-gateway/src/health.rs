//! The health of the gateway: which of its parts does not work as it should, why, and since when.
//!
//! It is looked at when somebody asks and every half minute, so that the log tells what begins and ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel_kit::Connection;
use gateway_channels::Channels;
use gateway_protocol::health::{FaultState, PartFault};
use pairing_core::{Pairing, Timestamp, escape};

use crate::metrics::Metrics;
use crate::settings::LiveSettings;
use crate::store_health::StoreHealth;
use crate::{CertificateFacts, Tls};

/// How often it is looked at without being asked.
pub(crate) const EVERY: Duration = Duration::from_secs(30);

/// A channel that cannot connect is given this time before it counts as failing: services restart.
const PATIENCE: Duration = Duration::from_secs(15);

/// Free space below which the state may soon not be written, and below which it cannot be.
const LITTLE: u64 = 64 << 20;
const NONE: u64 = 1 << 20;

/// A difference between the own clock and that of a chat system that makes codes and messages expire wrongly.
const SKEW: Duration = Duration::from_secs(60);

/// The kinds of parts. The metrics have a label for each of them, and no other.
pub(crate) const PARTS: [&str; 5] = ["store", "channel", "certificate", "disk", "clock"];

/// The parts that are looked at, and what was seen last.
pub(crate) struct Health {
    pub(crate) pairing: Pairing,
    pub(crate) settings: LiveSettings,
    pub(crate) channels: Arc<Channels>,
    pub(crate) store: Arc<StoreHealth>,
    pub(crate) metrics: Metrics,
    pub(crate) certificate: Option<Tls>,
    /// The state directory, for the space beside it.
    pub(crate) state: Option<PathBuf>,
    pub(crate) seen: Seen,
}

/// What was seen last.
#[derive(Default)]
pub(crate) struct Seen {
    /// The faults that were seen last, and since when there is each.
    known: Mutex<BTreeMap<Named, (FaultState, Timestamp)>>,
}

/// The part, and which one.
type Named = (&'static str, Option<String>);

struct Fault {
    named: Named,
    state: FaultState,
    why: String,
    /// Since when, if the part knows that itself.
    since: Option<Timestamp>,
    advice: Option<String>,
}

impl Health {
    /// Looks at all parts. Cheap: nothing is read but a number from the file system.
    pub(crate) fn look(&self) -> Vec<PartFault> {
        let now = self.pairing.now();
        let mut found: Vec<Fault> = self.store().into_iter().collect();
        found.extend(self.accounts(now));
        let facts = self.certificate.as_ref().map(Tls::facts);
        found.extend(facts.and_then(|facts| certificate(&facts, now)));
        found.extend(self.state.as_deref().and_then(disk));
        found.extend(self.clock());
        let found = self.seen.remember(found, now);
        for part in PARTS {
            let of_part = found.iter().filter(|fault| fault.part == part);
            let worst = of_part.map(|fault| fault.state).max();
            self.metrics.health(part, worst);
        }
        let expires = facts.and_then(|facts| facts.not_after);
        let expires = expires.map_or(0, |at| at.as_millis().div_euclid(1000));
        self.metrics.certificate_expires(expires);
        found
    }

    fn store(&self) -> Option<Fault> {
        let why = self.store.fault()?;
        Some(Fault {
            named: ("store", None),
            state: FaultState::Down,
            why,
            since: None,
            advice: Some(
                "run `openclaw doctor`; check the disk, the modes of the files, or the cluster"
                    .to_owned(),
            ),
        })
    }

    /// Accounts that are turned on and receive nothing.
    fn accounts(&self, now: Timestamp) -> Vec<Fault> {
        let settings = self.settings.load();
        let config = &settings.config;
        let adapters = self.channels.adapters();
        let mut found = Vec::new();
        for adapter in adapters.iter() {
            let (channel, account) = (adapter.channel(), adapter.account());
            if !config.account(channel, account).is_enabled() {
                continue;
            }
            let status = adapter.status();
            let age = status.since.and_then(|since| now.since(since));
            let state = match status.connection {
                Connection::Failing => FaultState::Down,
                Connection::Connecting if age.is_some_and(|age| age > PATIENCE) => {
                    FaultState::Degraded
                }
                Connection::Stopped if status.since.is_some() => FaultState::Down,
                _ => continue,
            };
            let name = format!("{channel}:{}", account.as_str());
            let why = status.last_error.map_or_else(
                || "it does not connect".to_owned(),
                |error| escape(&error).to_string(),
            );
            found.push(Fault {
                named: ("channel", Some(name)),
                state,
                why,
                since: status.since,
                advice: Some(format!(
                    "`openclaw channels status --channel {channel} --probe` asks the service"
                )),
            });
        }
        for ((channel, account), error) in &*self.channels.unbuilt() {
            found.push(Fault {
                named: ("channel", Some(format!("{channel}:{}", account.as_str()))),
                state: FaultState::Down,
                why: error.error.clone(),
                since: None,
                advice: error.advice.map(str::to_owned),
            });
        }
        found
    }

    /// The own clock, by what the chat systems say of theirs. Where they differ among each other, the nearest counts.
    fn clock(&self) -> Option<Fault> {
        let adapters = self.channels.adapters();
        let skews = adapters.iter().filter_map(|adapter| {
            let ahead = adapter.status().clock_ahead_ms?;
            Some((ahead, adapter.channel().clone()))
        });
        let (ahead, channel) = skews.min_by_key(|(ahead, _)| ahead.unsigned_abs())?;
        let by = Duration::from_millis(ahead.unsigned_abs());
        (by > SKEW).then(|| Fault {
            named: ("clock", None),
            state: FaultState::Degraded,
            why: format!(
                "this machine's clock is {} s {} that of {channel}",
                by.as_secs(),
                if ahead > 0 { "ahead of" } else { "behind" },
            ),
            since: None,
            advice: Some("set the clock, and have it kept by NTP".to_owned()),
        })
    }
}

impl Seen {
    /// Notes since when there is each fault, and logs those that began or ended.
    fn remember(&self, found: Vec<Fault>, now: Timestamp) -> Vec<PartFault> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeMap::new();
        let mut told = Vec::new();
        for fault in found {
            let before = known.get(&fault.named);
            let since = fault
                .since
                .or(before.map(|(_, since)| *since))
                .unwrap_or(now);
            let (part, name) = &fault.named;
            if before.is_none_or(|(state, _)| *state != fault.state) {
                tracing::warn!(
                    part,
                    name,
                    state = fault.state.as_str(),
                    why = fault.why,
                    advice = fault.advice,
                    "a part of the gateway does not work as it should"
                );
            }
            told.push(PartFault {
                part: (*part).to_owned(),
                name: name.clone(),
                state: fault.state,
                why: fault.why,
                since_ms: since.as_millis(),
                advice: fault.advice,
            });
            next.insert(fault.named, (fault.state, since));
        }
        for (part, name) in known.keys().filter(|named| !next.contains_key(*named)) {
            tracing::info!(part, name, "a part of the gateway works again");
        }
        *known = next;
        told
    }
}

fn certificate(facts: &CertificateFacts, now: Timestamp) -> Option<Fault> {
    let state = if facts.is_invalid(now) {
        FaultState::Down
    } else {
        FaultState::Degraded
    };
    Some(Fault {
        named: ("certificate", None),
        state,
        why: facts.fault(now)?,
        since: None,
        advice: Some(CertificateFacts::ADVICE.to_owned()),
    })
}

fn disk(state: &Path) -> Option<Fault> {
    let space = rustix::fs::statvfs(state).ok()?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    // File systems without a fixed number of files tell 0 of 0.
    let has_files = space.f_files == 0 || space.f_favail > 0;
    of_space(free, has_files)
}

fn of_space(free: u64, has_files: bool) -> Option<Fault> {
    let state = if free < NONE || !has_files {
        FaultState::Down
    } else if free < LITTLE {
        FaultState::Degraded
    } else {
        return None;
    };
    let why = if has_files {
        format!("{} MiB are free beside the state directory", free >> 20)
    } else {
        "no more files can be made beside the state directory".to_owned()
    };
    Some(Fault {
        named: ("disk", None),
        state,
        why,
        since: None,
        advice: Some("make room: approvals cannot be kept without".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_little_or_none() {
        let state = |free, has_files| of_space(free, has_files).map(|fault| fault.state);
        assert_eq!(state(LITTLE, true), None);
        assert_eq!(state(LITTLE - 1, true), Some(FaultState::Degraded));
        assert_eq!(state(NONE - 1, true), Some(FaultState::Down));
        assert_eq!(state(LITTLE, false), Some(FaultState::Down));
    }

    #[test]
    fn a_fault_keeps_its_beginning_until_it_ends() {
        let seen = Seen::default();
        let at = Timestamp::from_millis;
        let fault = |state| Fault {
            named: ("disk", None),
            state,
            why: String::new(),
            since: None,
            advice: None,
        };
        let since = |found: Vec<Fault>, now| -> Vec<_> {
            let told = seen.remember(found, at(now));
            told.iter().map(|fault| fault.since_ms).collect()
        };
        let logs = test_support::Logs::default();
        logs.during(|| {
            assert_eq!(since(vec![fault(FaultState::Degraded)], 1), [1]);
            assert_eq!(since(vec![fault(FaultState::Degraded)], 2), [1]);
            assert_eq!(since(vec![fault(FaultState::Down)], 3), [1]);
            assert!(since(Vec::new(), 4).is_empty());
            assert_eq!(since(vec![fault(FaultState::Down)], 5), [5]);
        });
        let text = logs.text();
        assert_eq!(
            text.matches("does not work as it should").count(),
            3,
            "{text}"
        );
        assert_eq!(text.matches("works again").count(), 1, "{text}");
    }
}
