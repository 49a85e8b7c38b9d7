//! Recent sends by idempotency key, so that a repeated request is sent once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use channel_kit::{MessageId, SendError, Target};
use pairing_core::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

/// Messages that were sent in the last ten minutes or are being sent, by caller and idempotency key.
///
/// A failed one is forgotten, so that the same key may be tried again. Bounded: 10,000 keys at most.
#[derive(Debug, Default)]
pub struct Sends(Mutex<Inner>);

/// The caller, and its idempotency key.
pub type SendKey = (String, String);

/// The outcome of a send; `None` while it is not known.
pub type Sent = Option<Result<MessageId, Arc<SendError>>>;

/// An attempt to send under a key.
#[derive(Debug)]
pub enum Attempt {
    /// The key is new: send the message, and publish the outcome.
    New(watch::Sender<Sent>, watch::Receiver<Sent>),
    /// The same message was sent under this key, or is being sent: wait for the outcome.
    Repeated(watch::Receiver<Sent>),
    /// The key was used for another message.
    KeyReused,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<SendKey, Known>,
    /// Oldest first. Some keys in it are forgotten already.
    order: VecDeque<(Timestamp, SendKey)>,
}

#[derive(Debug)]
struct Known {
    at: Timestamp,
    what: [u8; 32],
    outcome: watch::Receiver<Sent>,
}

/// The time for which a key is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Maximum number of keys that are remembered.
const MOST: usize = 10_000;

impl Sends {
    /// Begins an attempt to send, at the time `now`. `what` is the message's [`digest`].
    pub fn begin(&self, key: SendKey, what: [u8; 32], now: Timestamp) -> Attempt {
        let mut inner = self.inner();
        inner.forget_old(now);
        if let Some(known) = inner.known.get(&key) {
            return if known.what == what {
                Attempt::Repeated(known.outcome.clone())
            } else {
                Attempt::KeyReused
            };
        }
        let (tell, outcome) = watch::channel(None);
        let known = Known {
            at: now,
            what,
            outcome: outcome.clone(),
        };
        inner.known.insert(key.clone(), known);
        inner.order.push_back((now, key));
        Attempt::New(tell, outcome)
    }

    /// Forgets a key whose send failed.
    pub fn forget(&self, key: &SendKey) {
        self.inner().known.remove(key);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_old(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.order.front() {
            // A clock that was set back keeps nothing for longer.
            let is_old = *at > now || *at + REMEMBERED <= now;
            if !is_old && self.order.len() < MOST {
                return;
            }
            if self.known.get(key).is_some_and(|known| known.at == *at) {
                self.known.remove(key);
            }
            self.order.pop_front();
        }
    }
}

/// A hash of a message: its account, its chat and its text.
pub fn digest(channel: &str, account: &str, to: &Target, text: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    let thread = to.thread.as_deref();
    for part in [channel, account, &to.chat, thread.unwrap_or_default(), text] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.update([u8::from(thread.is_some())]);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> SendKey {
        ("ann".to_owned(), number.to_string())
    }

    fn is_new(begun: &Attempt) -> bool {
        matches!(begun, Attempt::New(..))
    }

    #[test]
    fn a_key_is_one_message_for_ten_minutes() {
        let sends = Sends::default();
        let now = Timestamp::from_millis(1_000_000_000_000);
        assert!(is_new(&sends.begin(key(1), [1; 32], now)));
        let begun = sends.begin(key(1), [1; 32], now + Duration::from_secs(599));
        assert!(matches!(begun, Attempt::Repeated(_)));
        let begun = sends.begin(key(1), [2; 32], now);
        assert!(matches!(begun, Attempt::KeyReused));
        let others = ("bob".to_owned(), "1".to_owned());
        assert!(is_new(&sends.begin(others, [2; 32], now)));
        assert!(is_new(&sends.begin(key(1), [2; 32], now + REMEMBERED)));
    }

    #[test]
    fn what_failed_is_new_again_and_no_number_of_keys_takes_more_room() {
        let sends = Sends::default();
        let now = Timestamp::from_millis(1_000_000_000_000);
        for number in 0..MOST + 10 {
            assert!(is_new(&sends.begin(key(number), [1; 32], now)));
        }
        assert!(sends.inner().known.len() <= MOST && sends.inner().order.len() <= MOST);
        let last = key(MOST + 9);
        assert!(!is_new(&sends.begin(last.clone(), [1; 32], now)));
        sends.forget(&last);
        assert!(is_new(&sends.begin(last, [1; 32], now)));
        assert!(is_new(&sends.begin(key(0), [1; 32], now)));
    }

    #[test]
    fn every_part_of_a_message_counts() {
        let to =
            |chat: &str, thread: Option<&str>| Target::chat(chat).thread(thread.map(str::to_owned));
        let all = [
            digest("a", "b", &to("c", None), "d"),
            digest("ab", "", &to("c", None), "d"),
            digest("a", "bc", &to("", None), "d"),
            digest("a", "b", &to("c", Some("")), "d"),
            digest("a", "b", &to("c", Some("d")), ""),
            digest("a", "b", &to("c", None), "e"),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(!all[..n].contains(one), "{n}");
        }
    }
}
