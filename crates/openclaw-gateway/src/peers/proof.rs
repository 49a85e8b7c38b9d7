//! The headers that prove who makes a call between gateways, and who answers it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::engine::{Engine as _, general_purpose::URL_SAFE_NO_PAD};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use pairing_core::{DeviceKey, Identity, Timestamp};
use sha2::{Digest as _, Sha256};

use super::GatewayId;

/// A prefix of what is signed, so that the signature is valid for this purpose only.
const PURPOSE: &str = "openclaw gateway-to-gateway call, version 1";

/// The same for answers: no signature of a call is one of an answer.
const ANSWER_PURPOSE: &str = "openclaw gateway-to-gateway answer, version 1";

const SCHEME: &str = "OpenClaw-Peer";

/// The header of an answer that holds its signature.
const ANSWER: HeaderName = HeaderName::from_static("openclaw-peer-answer");

/// Maximum difference between the clocks of two gateways.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(120);

/// What a calling gateway signs about its call: caller, receiver, time and body.
///
/// In the header: `Authorization: OpenClaw-Peer from.to.milliseconds.nonce.digest.signature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) from: GatewayId,
    pub(crate) to: GatewayId,
    pub(super) at: i64,
    pub(super) nonce: [u8; 16],
    /// The SHA-256 of the body.
    digest: [u8; 32],
    /// The signature; not verified yet.
    signature: String,
}

impl Proof {
    pub(super) fn sign(
        identity: &Identity,
        from: GatewayId,
        to: GatewayId,
        at: Timestamp,
        nonce: [u8; 16],
        body: &[u8],
    ) -> Self {
        let mut proof = Self {
            from,
            to,
            at: at.as_millis(),
            nonce,
            digest: Sha256::digest(body).into(),
            signature: String::new(),
        };
        proof.signature = proof.parts(|parts| identity.sign_parts(PURPOSE, parts));
        proof
    }

    /// Parses the header; there has to be exactly one.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let text = value
            .to_str()
            .ok()?
            .strip_prefix(SCHEME)?
            .strip_prefix(' ')?;
        let mut fields = text.split('.');
        let mut field = || fields.next();
        let proof = Self {
            from: GatewayId::parse(field()?).ok()?,
            to: GatewayId::parse(field()?).ok()?,
            at: field()?.parse().ok()?,
            nonce: array(field()?)?,
            digest: array(field()?)?,
            signature: field()?.to_owned(),
        };
        fields.next().is_none().then_some(proof)
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = format!(
            "{SCHEME} {}.{}.{}.{}.{}.{}",
            self.from,
            self.to,
            self.at,
            URL_SAFE_NO_PAD.encode(self.nonce),
            URL_SAFE_NO_PAD.encode(self.digest),
            self.signature,
        );
        HeaderValue::try_from(text).ok()
    }

    pub(crate) fn is_signed_by(&self, key: &DeviceKey) -> bool {
        self.parts(|parts| key.signed_parts(PURPOSE, parts, &self.signature))
    }

    pub(crate) fn is_of(&self, body: &[u8]) -> bool {
        <[u8; 32]>::from(Sha256::digest(body)) == self.digest
    }

    /// The header that proves an answer to this call.
    pub(super) fn sign_answer(
        &self,
        identity: &Identity,
        body: &[u8],
    ) -> Option<(HeaderName, HeaderValue)> {
        let signature = self.answer_parts(body, |parts| identity.sign_parts(ANSWER_PURPOSE, parts));
        Some((ANSWER, HeaderValue::try_from(signature).ok()?))
    }

    /// Whether the gateway with this key has answered this very call with this body.
    pub(super) fn is_answered_by(&self, key: &DeviceKey, headers: &HeaderMap, body: &[u8]) -> bool {
        let mut values = headers.get_all(ANSWER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        value.to_str().is_ok_and(|signature| {
            self.answer_parts(body, |parts| {
                key.signed_parts(ANSWER_PURPOSE, parts, signature)
            })
        })
    }

    /// The call, with its nonce, and the digest of the answer's body.
    fn answer_parts<T>(&self, body: &[u8], with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let digest = Sha256::digest(body);
        self.parts(|call| with(&[call, &[digest.as_slice()]].concat()))
    }

    fn parts<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let (from, to) = (self.from.as_bytes(), self.to.as_bytes());
        with(&[from, to, &self.at.to_be_bytes(), &self.nonce, &self.digest])
    }
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The calls of the last minutes, so that none is accepted twice.
///
/// A call is remembered for as long as its time would be accepted. If the memory is full, new calls are
/// refused: forgetting one would allow it to be repeated.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<BTreeSet<(i64, [u8; 16])>>);

/// Why a call with a valid signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untimely {
    /// Its time differs too much.
    Stale,
    /// It was made before.
    Replayed,
    /// Too many calls were made.
    Full,
}

impl Calls {
    /// Maximum number of calls that are remembered, at about 50 bytes each: 270 a second without a pause.
    const MOST: usize = 1 << 16;

    /// Accepts a call with a valid signature, once.
    pub(super) fn take(&self, proof: &Proof, now: Timestamp) -> Result<(), Untimely> {
        let (now, tolerance) = (now.as_millis(), i64::try_from(TOLERANCE.as_millis()));
        let tolerance = tolerance.unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(tolerance);
        if !(oldest..=now.saturating_add(tolerance)).contains(&proof.at) {
            return Err(Untimely::Stale);
        }
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while calls.first().is_some_and(|(at, _)| *at < oldest) {
            calls.pop_first();
        }
        let call = (proof.at, proof.nonce);
        if calls.contains(&call) {
            return Err(Untimely::Replayed);
        }
        if calls.len() >= Self::MOST {
            return Err(Untimely::Full);
        }
        calls.insert(call);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_795_353_726_325)
    }

    fn identity() -> Identity {
        Identity::generate(&Mutex::new(ChaCha20Rng::seed_from_u64(1))).unwrap()
    }

    fn proof(at: Timestamp, nonce: u128) -> Proof {
        let (from, to) = (
            GatewayId::from_random([1; 16]),
            GatewayId::from_random([2; 16]),
        );
        Proof::sign(&identity(), from, to, at, nonce.to_be_bytes(), b"body")
    }

    fn headers(values: &[&HeaderValue]) -> HeaderMap {
        let named = |value: &&HeaderValue| (AUTHORIZATION, (*value).clone());
        values.iter().map(named).collect()
    }

    #[test]
    fn what_is_written_is_read_and_proves_the_caller() {
        let proof = proof(now(), 7);
        let header = proof.header().unwrap();
        let read = Proof::read(&headers(&[&header])).unwrap();
        assert_eq!(read, proof);
        assert!(read.is_signed_by(&identity().key()));
        assert!(read.is_of(b"body") && !read.is_of(b"bodY"));
        assert_eq!(Proof::read(&headers(&[])), None);
        assert_eq!(Proof::read(&headers(&[&header, &header])), None);
    }

    #[test]
    fn no_field_can_be_changed() {
        let proof = proof(now(), 7);
        let changed = [
            Proof {
                from: proof.to,
                ..proof.clone()
            },
            Proof {
                to: proof.from,
                ..proof.clone()
            },
            Proof {
                at: proof.at + 1,
                ..proof.clone()
            },
            Proof {
                nonce: [0; 16],
                ..proof.clone()
            },
            Proof {
                digest: [0; 32],
                ..proof.clone()
            },
            Proof {
                signature: String::new(),
                ..proof.clone()
            },
        ];
        for changed in changed {
            assert!(!changed.is_signed_by(&identity().key()), "{changed:?}");
        }
    }

    #[test]
    fn t119_an_answer_is_of_one_call_one_gateway_and_one_body() {
        let call = proof(now(), 7);
        let (name, value) = call.sign_answer(&identity(), b"answer").unwrap();
        let headers: HeaderMap = [(name.clone(), value.clone())].into_iter().collect();
        let key = identity().key();
        assert!(call.is_answered_by(&key, &headers, b"answer"));
        assert!(!call.is_answered_by(&key, &headers, b"Answer"));
        assert!(!proof(now(), 8).is_answered_by(&key, &headers, b"answer"));
        let other = Identity::generate(&Mutex::new(ChaCha20Rng::seed_from_u64(2))).unwrap();
        assert!(!call.is_answered_by(&other.key(), &headers, b"answer"));
        assert!(!call.is_answered_by(&key, &HeaderMap::new(), b"answer"));
        let twice: HeaderMap = [(name.clone(), value.clone()), (name.clone(), value)]
            .into_iter()
            .collect();
        assert!(!call.is_answered_by(&key, &twice, b"answer"));
        // What the caller signed does not do for an answer.
        let own = HeaderValue::try_from(&call.signature).unwrap();
        let own: HeaderMap = [(name, own)].into_iter().collect();
        assert!(!call.is_answered_by(&key, &own, b"body"));
    }

    #[test]
    fn what_is_no_proof_is_not_read() {
        let header = proof(now(), 7).header().unwrap();
        let text = header.to_str().unwrap();
        for other in [
            "",
            "OpenClaw-Peer",
            "OpenClaw-Peer .....",
            "Bearer token",
            &text.replace("OpenClaw-Peer ", "OpenClaw-Peer  "),
            &text.replace("OpenClaw-Peer ", "openclaw-peer"),
            &text.replacen('.', "-", 1),
            &format!("{text}.more"),
            &text.replacen("1795", "x795", 1),
        ] {
            let other = HeaderValue::try_from(other).unwrap();
            assert_eq!(Proof::read(&headers(&[&other])), None, "{other:?}");
        }
    }

    #[test]
    fn a_call_is_taken_once_and_only_in_its_time() {
        let (calls, second) = (Calls::default(), Duration::from_secs(1));
        let early = proof(now(), 1);
        assert_eq!(calls.take(&early, now() + TOLERANCE), Ok(()));
        assert_eq!(calls.take(&early, now()), Err(Untimely::Replayed));
        assert_eq!(
            calls.take(&early, now() + TOLERANCE + second),
            Err(Untimely::Stale)
        );
        let late = proof(now() + TOLERANCE, 2);
        assert_eq!(calls.take(&late, now()), Ok(()));
        let later = proof(now() + TOLERANCE + second, 3);
        assert_eq!(calls.take(&later, now()), Err(Untimely::Stale));
        // A call that is forgotten is too old to be accepted.
        let last = proof(now() + TOLERANCE * 3, 4);
        assert_eq!(calls.take(&last, now() + TOLERANCE * 3), Ok(()));
        assert_eq!(calls.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_forgotten() {
        let (calls, first) = (Calls::default(), proof(now(), 0));
        for nonce in 0..Calls::MOST as u128 {
            let nonce = nonce.to_be_bytes();
            let call = Proof {
                nonce,
                ..first.clone()
            };
            assert_eq!(calls.take(&call, now()), Ok(()));
        }
        let more = Proof {
            nonce: [0xff; 16],
            ..first.clone()
        };
        assert_eq!(calls.take(&more, now()), Err(Untimely::Full));
        assert_eq!(calls.take(&first, now()), Err(Untimely::Replayed));
    }
}
