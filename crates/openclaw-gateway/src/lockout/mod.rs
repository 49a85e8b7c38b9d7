//! Counts wrong credentials, and locks out those who present too many.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::{DeviceId, Timestamp, canonical_ip};

use crate::GatewayLimits;
use crate::budget::counted;

/// The kinds of credentials. Each is counted separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The gateway's token or password.
    Secret,
    /// A device's own token.
    DeviceToken,
    /// A pairing token.
    PairingToken,
    /// The signature of another gateway.
    Peer,
    /// The password of a chat system's webhook.
    Webhook,
}

/// The subject whose failures are counted together.
///
/// - An IPv4 address is the same when mapped into IPv6. Of an IPv6 address the /64 counts, which one
///   subscriber has for themselves. All loopback addresses are one.
/// - A device counts only for its own tokens, and only once its key is proven. Whatever device a client
///   claims to be, its guesses at the shared secret count for its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    class: Class,
    address: IpAddr,
    device: Option<DeviceId>,
}

impl Subject {
    /// Guesses at the shared secret from an address.
    pub fn secret(address: IpAddr) -> Self {
        Self::of(Class::Secret, address, None)
    }

    /// Guesses from an address at the token of a device whose key was proven.
    pub fn device_token(address: IpAddr, proven: DeviceId) -> Self {
        Self::of(Class::DeviceToken, address, Some(proven))
    }

    /// Guesses at pairing tokens from an address.
    pub fn pairing_token(address: IpAddr) -> Self {
        Self::of(Class::PairingToken, address, None)
    }

    /// Calls from an address that claim to be another gateway's.
    pub fn peer(address: IpAddr) -> Self {
        Self::of(Class::Peer, address, None)
    }

    /// Guesses from an address at the password of a webhook.
    pub fn webhook(address: IpAddr) -> Self {
        Self::of(Class::Webhook, address, None)
    }

    /// The kind of credential.
    pub fn class(&self) -> Class {
        self.class
    }

    fn of(class: Class, address: IpAddr, device: Option<DeviceId>) -> Self {
        let address = counted(canonical_ip(address));
        // A machine has millions of loopback addresses; guesses from all of them count together.
        let address = if address.is_loopback() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            address
        };
        Self {
            class,
            address,
            device,
        }
    }

    /// This machine is slowed and not locked out, because a lock-out would hit its owner.
    fn is_slowed(&self) -> bool {
        self.address.is_loopback()
    }
}

/// The subject is locked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong credentials, locked for {} s more", retry_after.as_secs())]
pub struct Locked {
    /// The remaining time; never zero.
    pub retry_after: Duration,
}

/// Counts wrong credentials, and locks out subjects that present too many.
///
/// - A number of failures within a window locks a subject out. Loopback is slowed instead.
/// - Check before a credential is verified: being locked out must cost less than guessing.
/// - At most [`MOST`](Self::MOST) subjects are remembered. The oldest are forgotten first, and those that
///   are locked out after all others, so that a flood of addresses frees nobody. A subject takes about
///   300 bytes.
#[derive(Debug)]
pub struct Lockouts(Mutex<State>);

#[derive(Debug)]
struct State {
    limits: GatewayLimits,
    most: usize,
    entries: HashMap<Subject, Entry>,
    /// Subjects that are not locked out, by their last failure.
    open: BTreeSet<(Timestamp, Subject)>,
    /// Subjects that are locked out, by the start of the lock-out.
    locked: BTreeSet<(Timestamp, Subject)>,
}

#[derive(Debug)]
struct Entry {
    is_locked: bool,
    /// The start of the lock-out, or the time of the last failure.
    at: Timestamp,
    /// Failures within the window, oldest first; at most as many as lock out.
    failures: Vec<Timestamp>,
}

impl Lockouts {
    /// Maximum number of subjects that are remembered.
    pub const MOST: usize = 1 << 16;

    /// A counter without failures.
    pub fn new(limits: &GatewayLimits) -> Self {
        Self::holding(limits, Self::MOST)
    }

    fn holding(limits: &GatewayLimits, most: usize) -> Self {
        Self(Mutex::new(State {
            limits: limits.clone(),
            most,
            entries: HashMap::new(),
            open: BTreeSet::new(),
            locked: BTreeSet::new(),
        }))
    }

    /// Applies other limits from now on, also to subjects that are locked out.
    pub fn set_limits(&self, limits: &GatewayLimits) {
        self.state().limits = limits.clone();
    }

    /// Whether a credential of this subject may be checked now.
    pub fn check(&self, subject: Subject, now: Timestamp) -> Result<(), Locked> {
        self.state().check(subject, now)
    }

    /// Counts a wrong credential. On loopback, returns how long its answer has to wait.
    pub fn failed(&self, subject: Subject, now: Timestamp) -> Option<Duration> {
        self.state().failed(subject, now)
    }

    /// Forgets the failures of a subject whose credential was right.
    ///
    /// A lock-out stays: the right credential may be somebody else's behind the same address.
    pub fn succeeded(&self, subject: Subject) {
        let mut state = self.state();
        let entry = state.entries.get(&subject);
        if entry.is_some_and(|entry| !entry.is_locked) {
            state.forget(subject);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, except for lack of memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&mut self, subject: Subject, now: Timestamp) -> Result<(), Locked> {
        let entry = self.entries.get(&subject);
        let Some(entry) = entry.filter(|entry| entry.is_locked) else {
            return Ok(());
        };
        if let Some(retry_after) = left(self.limits.lockout, entry.at, now) {
            return Err(Locked { retry_after });
        }
        self.forget(subject);
        Ok(())
    }

    fn failed(&mut self, subject: Subject, now: Timestamp) -> Option<Duration> {
        if self.check(subject, now).is_err() {
            // Failures during a lock-out do not prolong it.
            return None;
        }
        let window = self.limits.failure_window;
        let most = self.limits.secret_failures;
        let mut failures = self
            .forget(subject)
            .map(|entry| entry.failures)
            .unwrap_or_default();
        failures.retain(|at| left(window, *at, now).is_some());
        failures.push(now);
        let count = failures.len();
        let is_locked = count >= most && !subject.is_slowed();
        if count > most {
            failures.remove(0);
        }
        self.make_room(now);
        self.order(is_locked).insert((now, subject));
        let entry = Entry {
            is_locked,
            at: now,
            failures,
        };
        self.entries.insert(subject, entry);
        subject.is_slowed().then(|| self.delay(count))
    }

    /// Doubles with each failure, up to a maximum.
    fn delay(&self, failures: usize) -> Duration {
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let delay = self.limits.loopback_delay.saturating_mul(factor);
        delay.min(self.limits.max_loopback_delay)
    }

    fn forget(&mut self, subject: Subject) -> Option<Entry> {
        let entry = self.entries.remove(&subject)?;
        self.order(entry.is_locked).remove(&(entry.at, subject));
        Some(entry)
    }

    fn order(&mut self, is_locked: bool) -> &mut BTreeSet<(Timestamp, Subject)> {
        if is_locked {
            &mut self.locked
        } else {
            &mut self.open
        }
    }

    /// Makes room for a subject: first those whose lock-out is over, then those that are not locked out, then
    /// the longest lock-out.
    fn make_room(&mut self, now: Timestamp) {
        while self.entries.len() >= self.most {
            let locked = self.locked.first();
            let is_over = |at| left(self.limits.lockout, at, now).is_none();
            let over = locked.filter(|(at, _)| is_over(*at));
            let Some((_, subject)) = over.or(self.open.first()).or(locked).copied() else {
                return;
            };
            self.forget(subject);
        }
    }
}

/// The rest of a period that began at this time; `None` if it is over. A clock that was set back does not
/// prolong it.
fn left(time: Duration, began: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = time.checked_sub(now.since(began).unwrap_or_default())?;
    Some(left).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests;
