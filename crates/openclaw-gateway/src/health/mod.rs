//! The health of the gateway: which of its parts does not work as it should, why, and since when.
//!
//! It is looked at when somebody asks and every half minute, so that the log and the owners are told what begins and
//! ends.

mod accounts;
mod seen;
mod space;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_channels::Channels;
use gateway_protocol::health::{FaultState, PartFault};
use openclaw_config::Part;
use pairing_core::{Pairing, Timestamp};
use pairing_fs::AuditLog;

use accounts::account_name;
use seen::Fault;
pub(crate) use seen::Seen;
pub use space::Space;
pub(crate) use space::SpaceOf;
use space::of_space;

use crate::clients::Clients;
use crate::following::Beat;
use crate::metrics::Metrics;
use crate::reported::{self, Reported};
use crate::settings::LiveSettings;
use crate::store_health::StoreHealth;
use crate::{CertificateFacts, InstanceWatch, Tls};

/// How often it is looked at without being asked.
pub(crate) const EVERY: Duration = Duration::from_secs(30);

const READ: &str =
    "run `openclaw doctor`: it names the record, and `--fix` sets it aside where it can";

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
        let unread = self.store.groups.get().into_iter();
        unread.map(|(group, unread)| Fault {
            named: ("records", Some(group)),
            state: unread.state,
            why: unread.why,
            since: Some(unread.since),
            advice: Some(READ.to_owned()),
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
        self.seen.faults()
    }

    /// Waits until something begins, ends, or is in another state.
    pub(crate) async fn changed(&self) {
        self.seen.changed().await;
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
