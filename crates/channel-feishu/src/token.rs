//! The token that requests carry, which Feishu gives for the secret of the app and takes back after two hours.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

/// A token is renewed so long before it expires. Feishu gives a new one from then on, and the old one works meanwhile.
const BEFORE: Duration = Duration::from_secs(30 * 60);

/// The longest life of a token that is believed.
const LONGEST: u64 = 24 * 3600;

/// The token, while there is one.
#[derive(Default)]
pub(crate) struct Token(Mutex<Option<Held>>);

struct Held {
    token: Zeroizing<String>,
    renewed_at: Instant,
}

impl Token {
    /// The token, unless it is time to fetch another.
    pub(crate) fn get(&self) -> Option<Zeroizing<String>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref()?;
        (Instant::now() < held.renewed_at).then(|| held.token.clone())
    }

    /// Keeps a token that expires in so many seconds.
    pub(crate) fn put(&self, token: Zeroizing<String>, expires: u64) {
        let life = Duration::from_secs(expires.min(LONGEST));
        let renewed_at = Instant::now() + life - BEFORE.min(life / 2);
        let held = Held { token, renewed_at };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// Forgets a token that was not accepted, unless there is another by now.
    pub(crate) fn forget(&self, token: &str) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| *held.token == *token) {
            *held = None;
        }
    }
}

/// Whether a text can be sent as a token, in a header.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=2048).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_before_it_expires() {
        let held = Token::default();
        assert!(held.get().is_none());
        held.put(token("t-1"), 7200);
        tokio::time::advance(Duration::from_secs(5399)).await;
        assert_eq!(held.get().unwrap().as_str(), "t-1");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(held.get().is_none());
        // A short one is used for half of its life.
        held.put(token("t-2"), 60);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(held.get().unwrap().as_str(), "t-2");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(held.get().is_none());
        held.put(token("t-3"), u64::MAX);
        tokio::time::advance(Duration::from_secs(LONGEST)).await;
        assert!(held.get().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_one_that_was_refused_is_forgotten() {
        let held = Token::default();
        held.put(token("t-2"), 7200);
        held.forget("t-1");
        assert!(held.get().is_some());
        held.forget("t-2");
        assert!(held.get().is_none());
    }

    #[test]
    fn what_can_be_a_token() {
        assert!(is_token("t-caecc734c2e3328a62489fe0648c4b98779515d3"));
        for wrong in ["", "a b", "a\r\nx: y", "é", &"x".repeat(3000)] {
            assert!(!is_token(wrong));
        }
    }
}
