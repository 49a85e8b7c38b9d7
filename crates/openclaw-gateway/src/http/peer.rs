//! The other side of a socket.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::budget::Permit;

/// The other side of a socket.
pub(crate) struct Peer {
    /// The socket's own address.
    pub(crate) address: IpAddr,
    /// Whether it came by the owner's socket.
    pub(crate) is_owners: bool,
    /// Its permit to wait for admission, until a request takes it.
    permit: Mutex<Option<Permit>>,
}

impl Peer {
    pub(crate) fn new(address: IpAddr, is_owners: bool, permit: Permit) -> Self {
        let permit = Mutex::new(Some(permit));
        Self {
            address,
            is_owners,
            permit,
        }
    }

    /// Takes the permit, for the connection that the request becomes.
    pub(crate) fn take_permit(&self) -> Option<Permit> {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        permit.take()
    }
}
