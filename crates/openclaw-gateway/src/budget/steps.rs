//! Rates of what a connection makes the gateway do before, or without, being approved.

use std::net::IpAddr;
use std::time::Duration;

use pairing_core::Timestamp;

use super::MOST;
use super::rate::{Rate, Rates};

/// What a connection makes the gateway do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Takes in a socket: an exchange of keys, where it encrypts, and the head of a request.
    Handshake,
    /// Verifies a signature.
    Signature,
    /// Refuses to let it in, after looking at everything that it showed.
    Refusal,
    /// Answers a message of a client whom nobody has approved.
    Frame,
}

/// Fewer at once in all than subjects are remembered: there is always room to remember a known address.
const _: () = {
    let mut at = 0;
    while at < TABLE.len() {
        assert!((TABLE[at].1.burst as usize) < MOST);
        at += 1;
    }
};

/// For each step: how often for one address, how often in all, and the reason in the metrics.
const TABLE: [(Rate, Rate, &str); 4] = [
    (rate(512, 10), rate(2048, 1), "too-many-handshakes"),
    (rate(256, 20), rate(2048, 2), "too-many-signatures"),
    (rate(256, 100), rate(2048, 5), "too-many-refusals"),
    (rate(1536, 10), rate(3072, 1), "too-many-messages"),
];

const fn rate(burst: u32, every_ms: u64) -> Rate {
    Rate::new(burst, Duration::from_millis(every_ms))
}

/// What is left of each.
#[derive(Debug)]
pub(super) struct Steps([Rates<IpAddr>; 4]);

impl Default for Steps {
    fn default() -> Self {
        Self(TABLE.map(|(each, all, _)| Rates::new(each, all, MOST)))
    }
}

impl Step {
    /// The reason in the metrics.
    pub(super) fn reason(self) -> &'static str {
        TABLE[self as usize].2
    }
}

impl Steps {
    pub(super) fn take(
        &mut self,
        step: Step,
        subject: IpAddr,
        is_kept: bool,
        now: Timestamp,
    ) -> bool {
        self.0[step as usize].take(subject, is_kept, now)
    }

    pub(super) fn give_back(&mut self, step: Step, subject: IpAddr, is_kept: bool) {
        self.0[step as usize].give_back(subject, is_kept);
    }
}
