//! What a connection may use of the gateway: the one place that decides it.
//!
//! Each resource is bounded twice: for one subject, and for all of them together. Of what is bounded in all, a
//! share is kept for approved devices. `docs/budgets.md` has the numbers in a table.

mod descriptors;
mod paced;
mod places;
mod rate;
mod sampled;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::Timestamp;

use crate::GatewayLimits;
use crate::metrics::Metrics;
use crate::sessions::Who;
pub(crate) use descriptors::raise;
pub(crate) use paced::Paced;
pub(crate) use places::counted;
pub use places::{Full, Permit, Waiting};
use rate::{Rate, Rates};
pub(crate) use sampled::Cause;
use sampled::Sampled;

/// What is known about the other side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing yet.
    New,
    /// It knows the shared secret, and nobody has given it any scope.
    Secret,
    /// It is a device that the owner has approved, an operator of this machine, or the owner's own.
    Approved,
}

/// How often one subject may ask the owner: as many requests as may wait from one address, then two a minute.
const REQUESTS: Rate = Rate::new(8, Duration::from_secs(30));
/// How often all of them may, together and by the shared secret.
const ALL_REQUESTS: Rate = Rate::new(64, Duration::from_secs(10));
/// Connections of the owner's socket.
const OWNER_PLACES: usize = 64;
/// How many subjects are remembered, of each kind of thing that is counted.
const MOST: usize = 4096;

/// Bytes that may wait for a reader whom nobody has approved.
const UNAPPROVED_BUFFER: usize = 1 << 20;

/// Counts what connections use.
pub(crate) struct Budget {
    /// Places for connections.
    pub(crate) places: Waiting,
    /// Places for the owner's socket, which nobody else can fill.
    pub(crate) owner_places: Waiting,
    requests: Mutex<Rates<IpAddr>>,
    log: Mutex<Sampled>,
    metrics: Metrics,
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
            Who::Operator(scopes) if scopes.is_empty() => Self::Secret,
            Who::Device(_) | Who::Owner(_) | Who::Operator(_) => Self::Approved,
        }
    }

    pub(crate) fn is_approved(self) -> bool {
        self == Self::Approved
    }

    /// The longest message, in bytes.
    pub(crate) fn longest_message(self, limits: &GatewayLimits) -> usize {
        match self {
            Self::New | Self::Secret => limits.pre_auth_bytes,
            Self::Approved => limits.max_payload,
        }
    }

    /// How many bytes may wait for it to read them.
    pub(crate) fn longest_queue(self, limits: &GatewayLimits) -> usize {
        match self {
            Self::New | Self::Secret => limits.max_buffered.min(UNAPPROVED_BUFFER),
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
            requests: Mutex::new(Rates::new(REQUESTS, ALL_REQUESTS, MOST)),
            log: Mutex::default(),
            metrics,
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
