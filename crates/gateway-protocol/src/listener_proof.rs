//! A listener's proof that it knows the secret that a client is about to send it.
//!
//! Without encryption, any program of a machine may listen on a port before the gateway does. A client that puts
//! [`ASK`] into its request is therefore given a proof with the challenge: an HMAC-SHA-256 of both sides' nonces and of
//! the address at which they speak, under the SHA-256 of the shared secret. Other releases ignore the header, and
//! send none.
//!
//! - The client's nonce is the key of its WebSocket request, which is random and new for each connection.
//! - The address is in it so that a listener elsewhere cannot have the gateway prove in its place: it would have to
//!   be asked at the gateway's own address.
//! - Whoever is given a proof can compare it with guesses at their leisure. So it is given to connections from the
//!   gateway's own machine only, and only with a secret that is too long to guess ([`is_provable`]).

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::Secret;

/// The header by which a client asks for a proof.
pub const ASK: &str = "openclaw-prove-listener";

/// The prefix of what is authenticated, so that a proof is good for this purpose only.
const PURPOSE: &str = "openclaw listener proof, version 1";

/// How long a secret has to be: the tokens that gateways make are longer.
const SHORTEST: usize = 32;

/// The key of proofs: the SHA-256 of a shared secret.
pub type ProofKey = Zeroizing<[u8; 32]>;

/// What a proof is about.
#[derive(Debug, Clone, Copy)]
pub struct ListenerProof<'a> {
    /// The `Sec-WebSocket-Key` of the client's request.
    pub client_nonce: &'a str,
    /// The nonce of the gateway's challenge.
    pub nonce: &'a str,
    /// The gateway's end of the connection.
    pub address: SocketAddr,
}

/// Whether a secret can be proven without giving it away to somebody who guesses.
pub fn is_provable(secret: &str) -> bool {
    secret.len() >= SHORTEST
}

/// The key for a shared secret.
pub fn proof_key(secret: &str) -> ProofKey {
    Zeroizing::new(Sha256::digest(secret).into())
}

impl ListenerProof<'_> {
    /// Makes the proof.
    pub fn make(&self, key: &ProofKey) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.mac(key).finalize().into_bytes())
    }

    /// Whether a proof was made by somebody who knows this secret. Compared in constant time.
    pub fn is_by(&self, secret: &Secret, proof: &str) -> bool {
        let Ok(proof) = BASE64_URL_SAFE_NO_PAD.decode(proof) else {
            return false;
        };
        let mac = self.mac(&proof_key(secret.expose()));
        mac.verify_slice(&proof).is_ok()
    }

    fn mac(&self, key: &ProofKey) -> Hmac<Sha256> {
        // As long as a block, filled up with zeroes, as HMAC does it anyway.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..key.len()].copy_from_slice(&**key);
        let mut mac = Hmac::<Sha256>::new(&block);
        let ip = self.address.ip().to_canonical();
        let address = SocketAddr::new(ip, self.address.port()).to_string();
        for part in [PURPOSE, self.client_nonce, self.nonce, &address] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t103_a_proof_is_good_for_one_connection_and_one_secret() {
        let of = |client_nonce, nonce, address: &str| {
            let address = address.parse().unwrap();
            let about = ListenerProof {
                client_nonce,
                nonce,
                address,
            };
            (about.make(&proof_key("the secret")), about)
        };
        let (proof, about) = of("ours", "theirs", "127.0.0.1:18789");
        assert!(about.is_by(&"the secret".into(), &proof));
        let (_, mapped) = of("ours", "theirs", "[::ffff:127.0.0.1]:18789");
        assert!(mapped.is_by(&"the secret".into(), &proof));
        assert!(!about.is_by(&"another".into(), &proof));
        for bad in ["", "AAAA", "no base64!", &proof[1..]] {
            assert!(!about.is_by(&"the secret".into(), bad), "{bad}");
        }
        for (client_nonce, nonce, address) in [
            ("other", "theirs", "127.0.0.1:18789"),
            ("ours", "other", "127.0.0.1:18789"),
            ("ourst", "heirs", "127.0.0.1:18789"),
            ("ours", "theirs", "127.0.0.1:18790"),
            ("ours", "theirs", "[::1]:18789"),
        ] {
            let (_, other) = of(client_nonce, nonce, address);
            assert!(!other.is_by(&"the secret".into(), &proof), "{address}");
        }
    }
}
