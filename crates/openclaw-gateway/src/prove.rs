//! Proofs for clients of this machine that they speak to this gateway.

use std::net::SocketAddr;

use gateway_protocol::listener_proof::{ASK, ListenerProof};
use hyper::HeaderMap;
use hyper::header::SEC_WEBSOCKET_KEY;

use crate::edge::Arrival;
use crate::secret::SharedSecret;

/// A proof that a client has asked for.
pub(crate) struct Prove {
    client_nonce: String,
    own_end: SocketAddr,
}

/// The proof that a request asks for at the gateway's `own_end` of a socket. Only clients of this machine are given one: see
/// [`listener_proof`](gateway_protocol::listener_proof).
pub(crate) fn asked(
    headers: &HeaderMap,
    arrival: &Arrival,
    own_end: Option<SocketAddr>,
) -> Option<Prove> {
    let is_asked = headers.contains_key(ASK) && arrival.is_local();
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_asked)?;
    Some(Prove {
        client_nonce: key.to_str().ok()?.to_owned(),
        own_end: own_end?,
    })
}

impl Prove {
    /// The proof, under the nonce of a challenge.
    pub(crate) fn with(&self, nonce: &str, secret: &SharedSecret) -> Option<String> {
        let about = ListenerProof {
            client_nonce: &self.client_nonce,
            nonce,
            address: self.own_end,
        };
        secret.proof_key().map(|key| about.make(key))
    }
}
