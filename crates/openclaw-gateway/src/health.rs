//! The health of the gateway: which of its parts does not work as it should, why, and since when.
//!
//! It is looked at when somebody asks and every half minute, so that the log and the owners are told what begins and
//! ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use channel_kit::Connection;
use gateway_channels::Channels;
use gateway_protocol::health::{FaultState, PartFault};
use openclaw_config::Part;
use pairing_core::{AccountId, ChannelId, Pairing, Timestamp, escape};
use pairing_fs::AuditLog;
use tokio::sync::Notify;

use crate::clients::Clients;
use crate::following::Beat;
use crate::metrics::Metrics;
use crate::reported::{self, Reported};
use crate::settings::LiveSettings;
use crate::store_health::StoreHealth;
use crate::{CertificateFacts, InstanceWatch, Tls};

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
pub(crate) const PARTS: [&str; 12] = [
    "store",
    "records",
    "channel",
    "feed",
    "gateways",
    "lock",
    "certificate",
    "disk",
    "clock",
    "audit",
    "configuration",
    "tasks",
];

/// The parts that are looked at, and what was seen last.
pub(crate) struct Health {
    pub(crate) pairing: Pairing,
    pub(crate) settings: LiveSettings,
    pub(crate) channels: Arc<Channels>,
    /// The other gateways are among them.
    pub(crate) clients: Arc<Clients>,
    pub(crate) store: Arc<StoreHealth>,
    pub(crate) metrics: Metrics,
    pub(crate) certificate: Option<Tls>,
    /// The state directory, for the space beside it.
    pub(crate) state: Option<PathBuf>,
    pub(crate) space: SpaceOf,
    /// The right to be the gateway of the state directory.
    pub(crate) lock: Option<InstanceWatch>,
    /// The threads that follow the store, and the other gateways.
    pub(crate) feed: Arc<Beat>,
    pub(crate) follows_peers: Arc<Beat>,
    /// The audit log, where this gateway writes one.
    pub(crate) audit: Option<AuditLog>,
    /// Faults that nothing can be looked at for.
    pub(crate) reported: Reported,
    pub(crate) seen: Seen,
}

/// The space that is left where a path leads; `None` if that is not known.
pub(crate) type SpaceOf = Box<dyn Fn(&Path) -> Option<Space> + Send + Sync>;

/// The space that is left in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free bytes.
    pub bytes: u64,
    /// Whether files can be made.
    pub has_files: bool,
    /// Whether the file system can be read only: a system sets it so when its disk fails.
    pub is_read_only: bool,
}

/// What was seen last.
#[derive(Default)]
pub(crate) struct Seen {
    /// The faults that were seen last, and since when there is each.
    known: Mutex<Known>,
    /// Something has begun, has ended, or is in another state.
    changed: Notify,
}

#[derive(Default)]
struct Known {
    states: BTreeMap<Named, (FaultState, Timestamp)>,
    faults: Vec<PartFault>,
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
        found.extend(self.records());
        found.extend(self.accounts(now));
        found.extend(self.feed());
        found.extend(self.gateways(now));
        found.extend(self.lock());
        let facts = self.certificate.as_ref().map(Tls::facts);
        found.extend(facts.and_then(|facts| certificate(&facts, now)));
        found.extend(self.renewal());
        let space = self.state.as_deref().and_then(&self.space);
        found.extend(space.and_then(of_space));
        found.extend(self.clock());
        found.extend(self.audit());
        found.extend(self.configuration());
        found.extend(self.reported());
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

    /// Groups of records that cannot be read, while the rest of the store can.
    fn records(&self) -> impl Iterator<Item = Fault> {
        let unreadable = self.store.unreadable().into_iter();
        unreadable.map(|(group, (why, since))| {
            Fault {
            named: ("records", Some(group)),
            state: FaultState::Down,
            why,
            since: Some(since),
            advice: Some(
                "run `openclaw doctor`: it names the record, and `--fix` sets it aside where it can"
                    .to_owned(),
            ),
        }
        })
    }

    /// The thread that follows the store. Without it, decisions of others end no session, and nobody is told of requests.
    fn feed(&self) -> Option<Fault> {
        Some(Fault {
            named: ("feed", None),
            state: FaultState::Down,
            why: self.feed.fault(Instant::now())?,
            since: None,
            advice: Some("restart the gateway: changes of its state are not seen".to_owned()),
        })
    }

    /// What does not work between this gateway and the others on its state.
    fn gateways(&self, now: Timestamp) -> Vec<Fault> {
        let Some(peers) = &self.clients.peers else {
            return Vec::new();
        };
        let follows = self.follows_peers.fault(Instant::now()).map(|why| Fault {
            named: ("gateways", Some("directory".to_owned())),
            state: FaultState::Down,
            why,
            since: None,
            advice: Some("restart the gateway: the others are not seen".to_owned()),
        });
        if let Some(fault) = follows {
            return vec![fault];
        }
        let faults = peers.faults(now).into_iter().map(|fault| Fault {
            named: ("gateways", Some(fault.name)),
            state: FaultState::Degraded,
            why: fault.why,
            since: fault.since,
            advice: Some(fault.advice.to_owned()),
        });
        faults.collect()
    }

    fn lock(&self) -> Option<Fault> {
        Some(Fault {
            named: ("lock", None),
            state: FaultState::Down,
            why: self.lock.as_ref()?.fault()?,
            since: None,
            advice: Some(
                "see that no other gateway runs on this state directory, then restart this one"
                    .to_owned(),
            ),
        })
    }

    /// A renewed certificate that cannot be used. Connections get the former one, which will expire.
    fn renewal(&self) -> Option<Fault> {
        Some(Fault {
            named: ("certificate", Some("renewal".to_owned())),
            state: FaultState::Degraded,
            why: self.certificate.as_ref()?.fault(Instant::now())?,
            since: None,
            advice: Some("see that its files are a certificate and its key".to_owned()),
        })
    }

    /// The audit log. Decisions go on without it.
    fn audit(&self) -> Option<Fault> {
        Some(Fault {
            named: ("audit", None),
            state: FaultState::Degraded,
            why: self.audit.as_ref()?.fault()?,
            since: None,
            advice: Some(
                "check the disk, and the mode of pairing-audit.jsonl in the state directory"
                    .to_owned(),
            ),
        })
    }

    /// What faults of the configuration close. An account is named as its channel's other faults are.
    fn configuration(&self) -> Vec<Fault> {
        let settings = self.settings.load();
        let closed = settings.config.closed().into_iter();
        let closed = closed.filter(|(part, _)| *part != Part::Remote);
        let faults = closed.map(|(part, fault)| Fault {
            named: match &part {
                Part::Account(channel, account) => {
                    ("channel", Some(account_name(channel, account)))
                }
                part => ("configuration", Some(part.to_string())),
            },
            state: FaultState::Down,
            why: format!("closed by a fault of the configuration: {fault}"),
            since: None,
            advice: Some(reported::Fault::Configuration.advice().to_owned()),
        });
        faults.collect()
    }

    /// Faults that are reported where they occur.
    fn reported(&self) -> impl Iterator<Item = Fault> {
        let reported = self.reported.get().into_iter();
        reported.map(|(fault, why)| {
            let (part, name) = fault.named();
            Fault {
                named: (part, name.map(str::to_owned)),
                state: match fault {
                    reported::Fault::Task(_) => FaultState::Down,
                    _ => FaultState::Degraded,
                },
                why,
                since: None,
                advice: Some(fault.advice().to_owned()),
            }
        })
    }

    /// The faults that were seen last.
    pub(crate) fn seen(&self) -> Vec<PartFault> {
        self.seen.known().faults.clone()
    }

    /// Waits until something begins, ends, or is in another state.
    pub(crate) async fn changed(&self) {
        self.seen.changed.notified().await;
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
                Connection::Connecting => {
                    // An account that tries again works only once it is connected.
                    let name = account_name(channel, account);
                    found.extend(self.seen.before("channel", &name));
                    continue;
                }
                _ => continue,
            };
            let name = account_name(channel, account);
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
                named: ("channel", Some(account_name(channel, account))),
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

/// An account, as faults name it.
fn account_name(channel: &ChannelId, account: &AccountId) -> String {
    format!("{channel}:{}", account.as_str())
}

impl Seen {
    /// A fault as it was seen last.
    fn before(&self, part: &'static str, name: &str) -> Option<Fault> {
        let known = self.known();
        let mut faults = known.faults.iter();
        let fault =
            faults.find(|fault| fault.part == part && fault.name.as_deref() == Some(name))?;
        Some(Fault {
            named: (part, Some(name.to_owned())),
            state: fault.state,
            why: fault.why.clone(),
            since: Some(Timestamp::from_millis(fault.since_ms)),
            advice: fault.advice.clone(),
        })
    }

    /// Notes since when there is each fault, and logs those that began or ended.
    fn remember(&self, found: Vec<Fault>, now: Timestamp) -> Vec<PartFault> {
        let mut known = self.known();
        let mut has_changed = false;
        let mut next = BTreeMap::new();
        let mut told = Vec::new();
        for fault in found {
            let before = known.states.get(&fault.named);
            let since = fault
                .since
                .or(before.map(|(_, since)| *since))
                .unwrap_or(now);
            let (part, name) = &fault.named;
            if before.is_none_or(|(state, _)| *state != fault.state) {
                has_changed = true;
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
        for (part, name) in known
            .states
            .keys()
            .filter(|named| !next.contains_key(*named))
        {
            has_changed = true;
            tracing::info!(part, name, "a part of the gateway works again");
        }
        *known = Known {
            states: next,
            faults: told.clone(),
        };
        if has_changed {
            self.changed.notify_one();
        }
        told
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Space {
    /// The space in the file system of this path.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let space = rustix::fs::statvfs(path).ok()?;
        Some(Self {
            bytes: space.f_bavail.saturating_mul(space.f_frsize),
            // File systems without a fixed number of files tell 0 of 0.
            has_files: space.f_files == 0 || space.f_favail > 0,
            is_read_only: space.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        })
    }
}

fn of_space(space: Space) -> Option<Fault> {
    let Space {
        bytes: free,
        has_files,
        is_read_only,
    } = space;
    let state = if free < NONE || !has_files || is_read_only {
        FaultState::Down
    } else if free < LITTLE {
        FaultState::Degraded
    } else {
        return None;
    };
    let why = if is_read_only {
        "the file system of the state directory can be read only".to_owned()
    } else if has_files {
        format!("{} MiB are free beside the state directory", free >> 20)
    } else {
        "no more files can be made beside the state directory".to_owned()
    };
    Some(Fault {
        named: ("disk", None),
        state,
        why,
        since: None,
        advice: Some("make room, or see to the disk: approvals cannot be kept".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_little_or_none() {
        let of = |bytes, has_files, is_read_only| {
            let space = Space {
                bytes,
                has_files,
                is_read_only,
            };
            of_space(space).map(|fault| fault.state)
        };
        let state = |bytes, has_files| of(bytes, has_files, false);
        assert_eq!(state(LITTLE, true), None);
        assert_eq!(state(LITTLE - 1, true), Some(FaultState::Degraded));
        assert_eq!(state(NONE - 1, true), Some(FaultState::Down));
        assert_eq!(state(LITTLE, false), Some(FaultState::Down));
        assert_eq!(of(LITTLE, true, true), Some(FaultState::Down));
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
