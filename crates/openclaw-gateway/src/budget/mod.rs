//! What a connection may use of the gateway: the one place that decides it.
//!
//! Each resource is bounded twice: for one subject, and for all of them together. Of what is bounded in all, a
//! share is kept for approved devices. `docs/budgets.md` has the numbers in a table.

mod descriptors;
mod in_flight;
mod paced;
mod places;
mod rate;
mod sampled;
mod steps;

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_protocol::close;
use pairing_core::{DeviceId, Timestamp};

use crate::GatewayLimits;
use crate::edge::Arrival;
use crate::metrics::Metrics;
use crate::outbox::End;
use crate::sessions::Who;
pub(crate) use descriptors::raise;
pub(crate) use in_flight::{InFlight, Share, Subject};
pub(crate) use paced::Paced;
pub(crate) use places::counted;
pub use places::{Full, Permit, Waiting};
use rate::Rates;
pub(crate) use rate::{Bucket, Rate};
pub(crate) use sampled::Cause;
use sampled::Sampled;
pub(crate) use steps::Step;
use steps::Steps;

/// What is known about the other side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing yet.
    New,
    /// It knows the shared secret, and is no device. Even if it may decide, it may use no more than a new one, because
    /// anything that forwards to loopback has the same address.
    Secret,
    /// It is a device that has proven its key, and waits for the owner.
    Waiting,
    /// It is a device that the owner has approved, or came by the owner's socket.
    Approved,
}

/// How often one subject may ask the owner: as many requests as may wait from one address, then two a minute.
const REQUESTS: Rate = Rate::new(8, Duration::from_secs(30));
/// How often all of them may, together and by the shared secret.
const ALL_REQUESTS: Rate = Rate::new(64, Duration::from_secs(10));
/// How often one device may come that has proven its key.
const COMES: Rate = Rate::new(64, Duration::from_secs(1));
/// How often all of them may, together.
const ALL_COME: Rate = Rate::new(2048, Duration::from_millis(2));
/// Connections of the owner's socket.
const OWNER_PLACES: usize = 64;
/// How many subjects are remembered, of each kind of thing that is counted.
const MOST: usize = 4096;

/// Bytes that may wait for a reader whom nobody has approved.
const UNAPPROVED_BUFFER: usize = 1 << 20;

/// Bytes of unfinished messages: of one address and of all connections that nobody has approved,
const UNAPPROVED_BYTES: (usize, usize) = (4 << 20, 64 << 20);
/// of one device and of all devices that somebody has,
const APPROVED_BYTES: (usize, usize) = (64 << 20, 256 << 20);
/// and of the owner's socket.
const OWNER_BYTES: usize = 256 << 20;

/// Counts what connections use.
pub(crate) struct Budget {
    /// Places for connections.
    pub(crate) places: Waiting,
    /// Places for the owner's socket, which nobody else can fill.
    pub(crate) owner_places: Waiting,
    unapproved_bytes: InFlight,
    approved_bytes: InFlight,
    owner_bytes: InFlight,
    steps: Mutex<Steps>,
    devices: Mutex<Rates<DeviceId>>,
    requests: Mutex<Rates<IpAddr>>,
    log: Mutex<Sampled>,
    metrics: Metrics,
}

/// One refusal that a connection may get. Dropping this leaves it used.
#[derive(Debug)]
pub(crate) struct MayBeRefused<'b> {
    budget: &'b Budget,
    subject: IpAddr,
    is_kept: bool,
}

/// One request to the owner that a connection may make. Dropping this gives it back.
#[derive(Debug)]
pub(crate) struct MayAsk<'b> {
    budget: &'b Budget,
    subject: IpAddr,
    is_kept: bool,
    is_used: bool,
}

impl Standing {
    /// What a session's admission says about it.
    pub(crate) fn of(who: &Who) -> Self {
        match who {
            Who::Operator(_) => Self::Secret,
            Who::Device(_) | Who::Owner(_) => Self::Approved,
        }
    }

    pub(crate) fn is_approved(self) -> bool {
        self == Self::Approved
    }

    /// The longest message, in bytes.
    pub(crate) fn longest_message(self, limits: &GatewayLimits) -> usize {
        match self {
            Self::New | Self::Secret | Self::Waiting => limits.pre_auth_bytes,
            Self::Approved => limits.max_payload,
        }
    }

    /// How many bytes may wait for it to read them.
    pub(crate) fn longest_queue(self, limits: &GatewayLimits) -> usize {
        match self {
            Self::New | Self::Secret | Self::Waiting => limits.max_buffered.min(UNAPPROVED_BUFFER),
            Self::Approved => limits.max_buffered,
        }
    }
}

impl Budget {
    pub(crate) fn new(limits: &GatewayLimits, metrics: Metrics) -> Self {
        Self {
            places: Waiting::new(limits),
            owner_places: Waiting::new(&GatewayLimits {
                max_connections: OWNER_PLACES,
                unauthenticated_per_address: OWNER_PLACES,
                ..GatewayLimits::default()
            }),
            unapproved_bytes: InFlight::new(UNAPPROVED_BYTES.0, UNAPPROVED_BYTES.1),
            approved_bytes: InFlight::new(APPROVED_BYTES.0, APPROVED_BYTES.1),
            owner_bytes: InFlight::new(OWNER_BYTES, OWNER_BYTES),
            steps: Mutex::default(),
            devices: Mutex::new(Rates::new(COMES, ALL_COME, MOST)),
            requests: Mutex::new(Rates::new(REQUESTS, ALL_REQUESTS, MOST)),
            log: Mutex::default(),
            metrics,
        }
    }

    /// What a connection that is not admitted yet may send without finishing it.
    pub(crate) fn bytes_before(&self, arrival: &Arrival) -> Share {
        if arrival.is_owners {
            self.owner_bytes.share(Subject::Owner)
        } else {
            let subject = Subject::Address(counted(arrival.address));
            self.unapproved_bytes.share(subject)
        }
    }

    /// What an admitted connection may send without finishing it.
    pub(crate) fn bytes_of(&self, who: &Who, address: IpAddr) -> Share {
        match who {
            Who::Owner(_) => self.owner_bytes.share(Subject::Owner),
            Who::Device(device) => self.approved_bytes.share(Subject::Device(device.id())),
            Who::Operator(_) => {
                let subject = Subject::Address(counted(address));
                self.unapproved_bytes.share(subject)
            }
        }
    }

    /// Notes what is used at the moment in the metrics.
    pub(crate) fn measure(&self) {
        for (standing, bytes) in [
            ("new", &self.unapproved_bytes),
            ("approved", &self.approved_bytes),
            ("owner", &self.owner_bytes),
        ] {
            self.metrics.unfinished(standing, bytes.total());
        }
    }

    /// Why a connection that cannot be read is closed, if it used more than it may.
    pub(crate) fn overdrawn(&self, error: &io::Error) -> Option<End> {
        match error.kind() {
            io::ErrorKind::QuotaExceeded => {
                self.metrics.refused("bytes-in-flight");
                Some(End::new(close::TRY_AGAIN, "too many unfinished messages"))
            }
            io::ErrorKind::TimedOut => {
                self.metrics.refused("message-too-slow");
                Some(End::new(close::POLICY, "message not finished in time"))
            }
            _ => None,
        }
    }

    /// Whether a connection from this address may ask the owner for something new. Whoever comes with a setup
    /// code, which the owner gave out, does not ask here.
    pub(crate) fn may_ask(&self, address: IpAddr, now: Timestamp) -> Option<MayAsk<'_>> {
        let subject = counted(address);
        let is_kept = self.places.knows(subject);
        let may = locked(&self.requests).take(subject, is_kept, now);
        may.then(|| MayAsk {
            budget: self,
            subject,
            is_kept,
            is_used: false,
        })
    }

    /// Whether a connection from this address may have this done. The owner's socket is not asked.
    pub(crate) fn may(&self, step: Step, address: IpAddr, now: Timestamp) -> bool {
        let subject = counted(address);
        let is_kept = self.places.knows(subject);
        let may = locked(&self.steps).take(step, subject, is_kept, now);
        if !may {
            self.metrics.refused(step.reason());
        }
        may
    }

    /// Whether a connection may be looked at that may have to be refused.
    pub(crate) fn may_be_refused(
        &self,
        arrival: &Arrival,
        now: Timestamp,
    ) -> Option<MayBeRefused<'_>> {
        let subject = counted(arrival.address);
        let may = arrival.is_owners || self.may(Step::Refusal, subject, now);
        may.then(|| MayBeRefused {
            budget: self,
            subject,
            is_kept: self.places.knows(subject),
        })
    }

    /// Whether a device that has proven its key may be looked up, with all that this costs the store.
    pub(crate) fn may_come(&self, device: DeviceId, address: IpAddr, now: Timestamp) -> bool {
        let is_kept = self.places.knows(counted(address));
        let may = locked(&self.devices).take(device, is_kept, now);
        if !may {
            self.metrics.refused("too-many-handshakes");
        }
        may
    }

    /// Counts a connection that would have had to ask, and might not.
    pub(crate) fn refused_to_ask(&self) {
        self.metrics.refused("too-many-requests");
    }

    /// Whether something about a connection that is not admitted may be logged: how many such lines were left
    /// out before it, or `None` if this one is left out, too.
    pub(crate) fn may_log(&self, cause: Cause, address: IpAddr, now: Timestamp) -> Option<u64> {
        let left_out = locked(&self.log).take(cause, counted(address), now);
        if left_out.is_none() {
            self.metrics.refused("log-line");
        }
        left_out
    }
}

impl MayBeRefused<'_> {
    /// Notes the result. A refusal counts for the address only if the connection is new. A device that waits for the
    /// owner has a count of its own, which guesses from the same address do not use up.
    pub(crate) fn is(self, standing: Standing) {
        if standing != Standing::New {
            let mut steps = locked(&self.budget.steps);
            steps.give_back(Step::Refusal, self.subject, self.is_kept);
        }
    }
}

impl MayAsk<'_> {
    /// The owner was asked.
    pub(crate) fn used(mut self) {
        self.is_used = true;
    }
}

impl Drop for MayAsk<'_> {
    fn drop(&mut self) {
        if !self.is_used {
            locked(&self.budget.requests).give_back(self.subject, self.is_kept);
        }
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").finish_non_exhaustive()
    }
}

/// Each change of what is counted is complete, so a poisoned lock does no harm.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_353_726_325 + seconds * 1000)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn budget() -> Budget {
        Budget::new(&GatewayLimits::default(), Metrics::new())
    }

    #[test]
    fn t110_the_addresses_of_one_subscriber_ask_the_owner_so_often_together() {
        let budget = budget();
        let asked = |from: &str, seconds| {
            let may = budget.may_ask(ip(from), at(seconds));
            may.map(MayAsk::used).is_some()
        };
        let many = (0..752).filter(|one| asked(&format!("2001:db8::{one:x}"), 0));
        assert_eq!(many.count(), 8);
        assert!(!asked("2001:db8::1", 29) && asked("2001:db8::1", 30));
        // A connection that asked for nothing new has used nothing.
        for _ in 0..100 {
            assert!(budget.may_ask(ip("192.0.2.1"), at(30)).is_some());
        }
    }

    #[test]
    fn t110_everybody_together_asks_so_often_and_a_known_address_has_its_own_share() {
        let budget = budget();
        let mut owner = budget.places.enter(ip("192.0.2.1")).unwrap();
        owner.becomes(Standing::Approved);
        let asked = |from: &str| budget.may_ask(ip(from), at(0)).map(MayAsk::used).is_some();
        let many = (0..752).filter(|one| asked(&format!("198.51.{}.{}", one / 250, one % 250)));
        assert_eq!(many.count(), 64);
        assert!(!asked("203.0.113.1") && asked("192.0.2.1"));
    }

    #[test]
    fn t108_what_comes_before_admission_is_logged_a_few_times() {
        let budget = budget();
        let logged = |seconds| {
            let lines = (0..10_000).filter_map(|one| {
                let from = ip(&format!("2001:db8:{:x}::{one:x}", one % 500));
                budget.may_log(Cause::Door, from, at(seconds))
            });
            lines.collect::<Vec<_>>()
        };
        let first = logged(0);
        assert_eq!((first.len(), first.iter().sum::<u64>()), (50, 0));
        // What was left out is said with the next line.
        assert_eq!(logged(10)[0], 9950);
        assert!(
            budget
                .may_log(Cause::Proof, ip("192.0.2.1"), at(10))
                .is_some()
        );
    }

    /// Which of 10,000 tries of as many addresses, or of one, may go on.
    fn tries(budget: &Budget, step: Step, one: bool) -> usize {
        let may = (0..10_000_u32).filter(|n| {
            let from = if one { 1 } else { *n };
            let from = ip(&format!("2001:db8:{from:x}::1"));
            budget.may(step, from, at(0))
        });
        may.count()
    }

    #[test]
    fn t105_each_step_before_approval_has_a_rate_for_one_address_and_for_all() {
        for (step, each, all, reason) in [
            (Step::Handshake, 512, 2048, "too-many-handshakes"),
            (Step::Signature, 256, 2048, "too-many-signatures"),
            (Step::Refusal, 256, 2048, "too-many-refusals"),
            (Step::Frame, 1536, 3072, "too-many-messages"),
        ] {
            assert_eq!(tries(&budget(), step, true), each, "{step:?}");
            let budget = budget();
            let mut owner = budget.places.enter(ip("192.0.2.1")).unwrap();
            owner.becomes(Standing::Approved);
            assert_eq!(tries(&budget, step, false), all, "{step:?}");
            tries(&budget, step, true);
            // Whatever others use, a known address has its own.
            assert!(budget.may(step, ip("192.0.2.1"), at(0)), "{step:?}");
            let text = budget.metrics.render();
            assert!(text.contains(reason), "{text}");
        }
    }

    #[test]
    fn t105_a_device_that_waits_has_a_rate_of_its_own() {
        let budget = budget();
        let arrival = Arrival {
            address: ip("192.0.2.1"),
            is_direct: false,
            is_encrypted: false,
            origin: crate::edge::Origin::None,
            is_owners: false,
            user: None,
        };
        // It comes back again and again, and leaves the count of its address alone.
        for _ in 0..1000 {
            let may = budget.may_be_refused(&arrival, at(0)).unwrap();
            may.is(Standing::Waiting);
        }
        let guesses = (0..1000).filter(|_| {
            let may = budget.may_be_refused(&arrival, at(0));
            may.map(|may| may.is(Standing::New)).is_some()
        });
        assert_eq!(guesses.count(), 256);
        let device = |n: u8| DeviceId::parse(&format!("{n:02x}").repeat(32)).unwrap();
        let come = |n| budget.may_come(device(n), arrival.address, at(0));
        assert_eq!((0..1000).filter(|_| come(1)).count(), 64);
        assert!(come(2));
    }

    #[test]
    fn t105_the_shared_secret_alone_changes_no_bound() {
        let limits = GatewayLimits::default();
        let of = |standing: Standing| {
            (
                standing.longest_message(&limits),
                standing.longest_queue(&limits),
            )
        };
        assert_eq!(of(Standing::Secret), (64 << 10, 1 << 20));
        assert_eq!(of(Standing::New), of(Standing::Secret));
        assert_eq!(
            of(Standing::Approved),
            (limits.max_payload, limits.max_buffered)
        );
    }
}
