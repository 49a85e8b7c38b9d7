//! Counts connections: all of them, and for each address those that are not admitted.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pairing_core::canonical_ip;

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
}

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
    /// The address that it counts for until it is admitted.
    waits: Option<IpAddr>,
}

impl Waiting {
    /// Counts with these limits.
    pub fn new(limits: &GatewayLimits) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            total: 0,
            most: limits.max_connections,
            waiting: HashMap::new(),
            most_waiting: limits.unauthenticated_per_address,
        })))
    }

    /// Applies other limits from now on. No connection is closed.
    pub fn set_limits(&self, limits: &GatewayLimits) {
        let mut counts = self.counts();
        counts.most = limits.max_connections;
        counts.most_waiting = limits.unauthenticated_per_address;
    }

    /// Counts a connection from an address.
    pub fn enter(&self, address: IpAddr) -> Result<Permit, Full> {
        let address = counted(address);
        let mut counts = self.counts();
        if counts.total >= counts.most {
            return Err(Full::Total);
        }
        counts.wait(address)?;
        counts.total += 1;
        Ok(Permit {
            counts: self.clone(),
            waits: Some(address),
        })
    }

    /// Returns the number of connections.
    pub fn total(&self) -> usize {
        self.counts().total
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
        if let Some(waits) = self.waits.filter(|waits| *waits != address) {
            counts.wait(address)?;
            counts.leave(waits);
            self.waits = Some(address);
        }
        Ok(())
    }

    /// The connection was admitted: it counts in the total only.
    pub fn let_in(&mut self) {
        if let Some(waits) = self.waits.take() {
            self.counts.counts().leave(waits);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.let_in();
        self.counts.counts().total -= 1;
    }
}

impl Counts {
    fn wait(&mut self, address: IpAddr) -> Result<(), Full> {
        let waiting = self.waiting.entry(address).or_default();
        if *waiting >= self.most_waiting {
            return Err(Full::Address);
        }
        *waiting += 1;
        Ok(())
    }

    fn leave(&mut self, address: IpAddr) {
        if let Some(waiting) = self.waiting.get_mut(&address) {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&address);
            }
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
        permits[0].let_in();
        permits[0].let_in();
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
        one.let_in();
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
}
