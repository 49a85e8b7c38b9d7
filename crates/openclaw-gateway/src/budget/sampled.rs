//! Log lines about connections that are not admitted: a few for each cause and address.

use std::net::IpAddr;
use std::time::Duration;

use pairing_core::Timestamp;

use super::MOST;
use super::rate::{Rate, Rates};

/// Why something is logged about a connection that is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// Its socket failed; logged at debug level.
    Socket,
    /// Its headers do not let it in.
    Door,
    /// It did not connect in time.
    Late,
    /// Its first message is no request.
    NotRequest,
    /// It comes from a page of another origin.
    Origin,
    /// Its signature is wrong.
    Proof,
    /// It was refused.
    Refused,
    /// It is a wrong call between gateways.
    Peer,
    /// It is a wrong call of a webhook.
    Webhook,
    /// It waits for the owner.
    Waits,
    /// It came in, or went.
    Session,
}

/// Lines of one cause about one address.
const EACH: Rate = Rate::new(5, Duration::from_secs(10));
/// Lines of one cause in all.
const ALL: Rate = Rate::new(50, Duration::from_secs(1));

/// What was logged, and how much was left out.
#[derive(Debug)]
pub(super) struct Sampled([Lines; 11]);

#[derive(Debug)]
struct Lines {
    rates: Rates<IpAddr>,
    left_out: u64,
}

impl Default for Sampled {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Lines {
            rates: Rates::new(EACH, ALL, MOST),
            left_out: 0,
        }))
    }
}

impl Sampled {
    /// How many lines of this cause were left out before this one; `None` if it is left out, too.
    pub(super) fn take(&mut self, cause: Cause, subject: IpAddr, now: Timestamp) -> Option<u64> {
        let lines = self.0.get_mut(cause as usize)?;
        if lines.rates.take(subject, false, now) {
            return Some(std::mem::take(&mut lines.left_out));
        }
        lines.left_out += 1;
        None
    }
}
