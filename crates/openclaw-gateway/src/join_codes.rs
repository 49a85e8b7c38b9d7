//! Join codes: short names of setup codes, for machines that become nodes.
//!
//! A command on the new machine exchanges the code for the setup code, once, over HTTP. Join codes are in the memory
//! of the gateway that issued them: they last minutes, and a restart ends them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pairing_core::{Entropy, EntropyError, Timestamp};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The path below which they are exchanged.
pub(crate) const PATH: &str = "/j/";

/// Maximum number of codes that wait; the oldest makes room.
const MOST: usize = 64;

/// Number of random bytes of a code, which has 22 characters.
const BYTES: usize = 16;

/// The join codes that were not used yet.
#[derive(Default)]
pub(crate) struct JoinCodes(Mutex<Vec<JoinCode>>);

struct JoinCode {
    hash: [u8; 32],
    /// The content of the setup code, as JSON.
    payload: Zeroizing<String>,
    expires_at: Timestamp,
}

impl JoinCodes {
    /// Makes a code for the content of a setup code.
    pub(crate) fn issue(
        &self,
        payload: Zeroizing<String>,
        expires_at: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Zeroizing<String>, EntropyError> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        entropy.fill(&mut *bytes)?;
        let code = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes));
        let mut codes = self.lock(now);
        if codes.len() >= MOST {
            codes.remove(0);
        }
        codes.push(JoinCode {
            hash: hash(&code),
            payload,
            expires_at,
        });
        Ok(code)
    }

    /// Exchanges a code, which ends it.
    pub(crate) fn redeem(&self, code: &str, now: Timestamp) -> Option<Zeroizing<String>> {
        let hash = hash(code);
        let mut codes = self.lock(now);
        let at = codes.iter().position(|code| code.hash == hash)?;
        Some(codes.remove(at).payload)
    }

    /// Those that have not expired.
    fn lock(&self, now: Timestamp) -> MutexGuard<'_, Vec<JoinCode>> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|code| now < code.expires_at);
        codes
    }
}

/// Codes are compared by their hashes, so that the time of a comparison tells nothing of them.
fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(Mutex<u8>);

    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            let mut next = self.0.lock().unwrap();
            *next += 1;
            bytes.fill(*next);
            Ok(())
        }
    }

    fn times() -> [Timestamp; 2] {
        [1000, 2000].map(Timestamp::from_millis)
    }

    #[test]
    fn a_code_is_good_once_and_for_a_while() {
        let (codes, entropy) = (JoinCodes::default(), Counter(Mutex::new(0)));
        let [now, later] = times();
        let issue = |payload: &str| {
            let payload = Zeroizing::new(payload.to_owned());
            codes.issue(payload, later, now, &entropy).unwrap()
        };
        let (first, second) = (issue("one"), issue("two"));
        assert_eq!((first.len(), second.len()), (22, 22));
        assert_eq!(codes.redeem("", now), None);
        assert_eq!(codes.redeem(&first, now).unwrap().as_str(), "one");
        assert_eq!(codes.redeem(&first, now), None);
        assert_eq!(codes.redeem(&second, later), None);
        assert_eq!(codes.redeem(&second, now), None, "it was forgotten");
    }

    #[test]
    fn there_is_a_bound() {
        let (codes, entropy) = (JoinCodes::default(), Counter(Mutex::new(0)));
        let [now, later] = times();
        let issue = || {
            codes
                .issue(Zeroizing::default(), later, now, &entropy)
                .unwrap()
        };
        let first = issue();
        let all: Vec<_> = (0..MOST).map(|_| issue()).collect();
        assert_eq!(codes.redeem(&first, now), None);
        assert!(all.iter().all(|code| codes.redeem(code, now).is_some()));
    }
}
