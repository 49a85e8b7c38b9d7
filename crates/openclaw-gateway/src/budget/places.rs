//! Counts connections: all of them, and for each address those that nobody has approved.
//!
//! Knowing the shared secret is no approval: such a connection keeps its place among those of its address. A
//! share of all places is kept for addresses from which approved devices have come, so that however many
//! addresses an attacker has, a device that the owner knows finds one.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairing_core::canonical_ip;

use super::Standing;
use super::descriptors::{present, room};
use crate::GatewayLimits;

/// The address that limits count: an IPv4 address, also if mapped into IPv6; of an IPv6 address the /64,
/// which is what one subscriber has.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match canonical_ip(address) {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))
        }
        address => address,
    }
}

/// Counts connections. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Waiting(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    total: usize,
    most: usize,
    waiting: HashMap<IpAddr, usize>,
    most_waiting: usize,
    /// How many wait in all, except from known addresses.
    strangers: usize,
    /// Addresses from which approved devices have come, the latest last.
    known: VecDeque<IpAddr>,
}

/// Maximum number of known addresses that are remembered; those of longest ago are forgotten.
const MOST_KNOWN: usize = 1024;

/// No further connection is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The address has too many.
    #[error("too many connections of this address wait to be let in")]
    Address,
    /// There are too many in total.
    #[error("too many connections")]
    Total,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub struct Permit {
    counts: Waiting,
    /// The address that it counts for until it is approved, and whether that was unknown.
    waits: Option<(IpAddr, bool)>,
}

impl Waiting {
    /// Counts with these limits.
    pub fn new(limits: &GatewayLimits) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            total: 0,
            most: room(limits.max_connections, present()),
            waiting: HashMap::new(),
            most_waiting: limits.unauthenticated_per_address,
            strangers: 0,
            known: VecDeque::new(),
        })))
    }

    /// Applies other limits from now on. No connection is closed.
    pub fn set_limits(&self, limits: &GatewayLimits) {
        let mut counts = self.counts();
        counts.most = room(limits.max_connections, present());
        counts.most_waiting = limits.unauthenticated_per_address;
    }

    /// Counts a connection from an address.
    pub fn enter(&self, address: IpAddr) -> Result<Permit, Full> {
        let address = counted(address);
        let mut counts = self.counts();
        if counts.total >= counts.most {
            return Err(Full::Total);
        }
        let is_stranger = counts.wait(address)?;
        counts.total += 1;
        drop(counts);
        Ok(Permit {
            counts: self.clone(),
            waits: Some((address, is_stranger)),
        })
    }

    /// Returns the number of connections.
    pub fn total(&self) -> usize {
        self.counts().total
    }

    /// Whether an approved device has come from this address.
    pub(crate) fn knows(&self, address: IpAddr) -> bool {
        self.counts().known.contains(&counted(address))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Each change of the counts is complete, so a poisoned lock does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Counts the connection for another address: the one that a trusted proxy has named. Fails if that
    /// address has too many.
    pub fn move_to(&mut self, address: IpAddr) -> Result<(), Full> {
        let address = counted(address);
        let mut counts = self.counts.counts();
        if let Some((waits, was_stranger)) = self.waits.filter(|(waits, _)| *waits != address) {
            let is_stranger = counts.wait(address)?;
            counts.leave(waits, was_stranger);
            self.waits = Some((address, is_stranger));
        }
        Ok(())
    }

    /// The connection has got a session. Once somebody has approved it, it counts in the total only, and its
    /// address is known from now on.
    pub(crate) fn becomes(&mut self, standing: Standing) {
        if !standing.is_approved() {
            return;
        }
        if let Some((address, was_stranger)) = self.waits.take() {
            let mut counts = self.counts.counts();
            counts.leave(address, was_stranger);
            counts.note(address);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.counts();
        if let Some((address, was_stranger)) = self.waits.take() {
            counts.leave(address, was_stranger);
        }
        counts.total -= 1;
    }
}

impl Counts {
    /// How many places those whom nobody knows may not take: an eighth.
    fn kept(&self) -> usize {
        self.most / 8
    }

    /// Counts a connection that waits. Returns whether its address is unknown.
    fn wait(&mut self, address: IpAddr) -> Result<bool, Full> {
        let waiting = self.waiting.get(&address).copied().unwrap_or_default();
        if waiting >= self.most_waiting {
            return Err(Full::Address);
        }
        let is_stranger = !self.known.contains(&address);
        if is_stranger && self.strangers >= self.most - self.kept() {
            return Err(Full::Total);
        }
        self.strangers += usize::from(is_stranger);
        self.waiting.insert(address, waiting + 1);
        Ok(is_stranger)
    }

    fn leave(&mut self, address: IpAddr, was_stranger: bool) {
        self.strangers -= usize::from(was_stranger);
        if let Some(waiting) = self.waiting.get_mut(&address) {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&address);
            }
        }
    }

    fn note(&mut self, address: IpAddr) {
        if self.known.back() == Some(&address) {
            return;
        }
        self.known.retain(|known| *known != address);
        self.known.push_back(address);
        if self.known.len() > MOST_KNOWN {
            self.known.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(most: usize, most_waiting: usize) -> Waiting {
        Waiting::new(&GatewayLimits {
            max_connections: most,
            unauthenticated_per_address: most_waiting,
            ..GatewayLimits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn t97_an_address_has_so_many_sockets_that_wait() {
        let waiting = Waiting::new(&GatewayLimits::default());
        let (one, two) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let mut permits: Vec<_> = (0..32).map(|_| waiting.enter(one).unwrap()).collect();
        for same in [one, ip("::ffff:192.0.2.1")] {
            assert_eq!(waiting.enter(same).unwrap_err(), Full::Address);
        }
        let other = waiting.enter(two).unwrap();
        assert_eq!(waiting.total(), 33);
        permits[0].becomes(Standing::Approved);
        permits[0].becomes(Standing::Approved);
        permits.push(waiting.enter(one).unwrap());
        assert_eq!(waiting.enter(one).unwrap_err(), Full::Address);
        drop((permits, other));
        assert_eq!(waiting.total(), 0);
        assert!(waiting.counts().waiting.is_empty());
    }

    #[test]
    fn t97_the_addresses_of_one_subscriber_are_one() {
        let waiting = waiting(10, 1);
        let _one = waiting.enter(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(
            waiting.enter(ip("2001:db8:0:1:ffff::2")).unwrap_err(),
            Full::Address
        );
        let _other = waiting.enter(ip("2001:db8:0:2::1")).unwrap();
        assert_eq!(counted(ip("::1")), ip("::1"));
    }

    #[test]
    fn t97_everybody_together_has_so_many() {
        let waiting = waiting(2, 2);
        let mut one = waiting.enter(ip("192.0.2.1")).unwrap();
        one.becomes(Standing::Approved);
        let _two = waiting.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(waiting.enter(ip("192.0.2.2")).unwrap_err(), Full::Total);
        waiting.set_limits(&GatewayLimits::default());
        assert!(waiting.enter(ip("192.0.2.2")).is_ok());
    }

    #[test]
    fn behind_a_proxy_a_connection_counts_to_whom_it_belongs() {
        let waiting = waiting(10, 1);
        let (proxy, client) = (ip("10.0.0.1"), ip("192.0.2.1"));
        let mut one = waiting.enter(proxy).unwrap();
        one.move_to(proxy).unwrap();
        one.move_to(client).unwrap();
        let mut two = waiting.enter(proxy).unwrap();
        assert_eq!(two.move_to(client), Err(Full::Address));
        drop(one);
        assert_eq!(two.move_to(client), Ok(()));
        assert!(waiting.enter(proxy).is_ok());
    }

    #[test]
    fn t105_the_shared_secret_leaves_a_connection_among_those_of_its_address() {
        let waiting = waiting(10, 1);
        let mut one = waiting.enter(ip("192.0.2.1")).unwrap();
        one.becomes(Standing::Secret);
        assert_eq!(waiting.enter(ip("192.0.2.1")).unwrap_err(), Full::Address);
        one.becomes(Standing::Approved);
        assert!(waiting.enter(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn t109_a_known_address_finds_a_place_among_any_number_of_strangers() {
        let waiting = waiting(16, 4);
        let mut owner = waiting.enter(ip("192.0.2.1")).unwrap();
        owner.becomes(Standing::Approved);
        drop(owner);
        let crowd: Vec<_> = (0..100)
            .filter_map(|one| waiting.enter(ip(&format!("198.51.100.{one}"))).ok())
            .collect();
        assert_eq!(crowd.len(), 14);
        let refused = waiting.enter(ip("203.0.113.1"));
        assert_eq!(refused.unwrap_err(), Full::Total);
        let two: Vec<_> = (0..9)
            .filter_map(|_| waiting.enter(ip("192.0.2.1")).ok())
            .collect();
        assert_eq!(two.len(), 2);
        drop((crowd, two));
        assert_eq!((waiting.total(), waiting.counts().strangers), (0, 0));
    }
}
