//! The other side of a socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use crate::budget::Permit;

/// The other side of a socket.
pub(crate) struct Peer {
    /// The socket's own address.
    pub(crate) address: IpAddr,
    /// Whether it came by the owner's socket.
    pub(crate) is_owners: bool,
    /// The gateway's own end of the socket, unless that is the owner's.
    pub(crate) own_end: Option<SocketAddr>,
    /// Its permit to wait for admission, until a request takes it.
    permit: Mutex<Option<Permit>>,
}

impl Peer {
    /// The other side of a TCP socket.
    pub(crate) fn by_tcp(address: IpAddr, own_end: Option<SocketAddr>, permit: Permit) -> Self {
        Self {
            address,
            is_owners: false,
            own_end,
            permit: Mutex::new(Some(permit)),
        }
    }

    /// A process of the owner's user.
    pub(crate) fn owner(permit: Permit) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            is_owners: true,
            own_end: None,
            permit: Mutex::new(Some(permit)),
        }
    }

    /// Takes the permit, for the connection that the request becomes.
    pub(crate) fn take_permit(&self) -> Option<Permit> {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        permit.take()
    }
}
