//! Tickets: what the link of `openclaw dashboard` carries in the place of the gateway's secret.
//!
//! A ticket stands for the secret for one browser, on the page of this gateway's own machine, for some minutes. That
//! browser then still has to be approved, as any device. Tickets are in the memory of the gateway that issued them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::{DeviceId, Entropy, EntropyError, SecretToken, Timestamp, TokenHash};

/// How long a ticket lasts: until the browser has been approved, which it may ask for during five minutes.
pub(crate) const LASTS: Duration = Duration::from_secs(600);

/// Maximum number of tickets; the oldest makes room.
const MOST: usize = 16;

/// The tickets that have not expired.
#[derive(Default)]
pub(crate) struct PageTickets(Mutex<Vec<Ticket>>);

struct Ticket {
    hash: TokenHash,
    /// The page that it is for. A browser tells which page it shows, and no page can make it tell otherwise.
    origin: String,
    /// The browser that came with it first; no other one may use it.
    device: Option<DeviceId>,
    expires_at: Timestamp,
}

impl PageTickets {
    /// Makes a ticket for the page of this origin.
    pub(crate) fn issue(
        &self,
        origin: String,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<SecretToken, EntropyError> {
        let ticket = SecretToken::generate(entropy)?;
        let mut tickets = self.lock(now);
        if tickets.len() >= MOST {
            tickets.remove(0);
        }
        tickets.push(Ticket {
            hash: TokenHash::of(&ticket),
            origin,
            device: None,
            expires_at: now + LASTS,
        });
        Ok(ticket)
    }

    /// Whether this is a ticket for this page, and this browser's. From now on it is.
    pub(crate) fn admits(
        &self,
        ticket: &str,
        origin: &str,
        device: DeviceId,
        now: Timestamp,
    ) -> bool {
        let Ok(shown) = SecretToken::parse(ticket) else {
            return false;
        };
        let hash = TokenHash::of(&shown);
        let mut tickets = self.lock(now);
        let found = tickets
            .iter_mut()
            .find(|ticket| ticket.hash == hash && ticket.origin == origin);
        found.is_some_and(|found| *found.device.get_or_insert(device) == device)
    }

    fn lock(&self, now: Timestamp) -> MutexGuard<'_, Vec<Ticket>> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|ticket| now < ticket.expires_at);
        tickets
    }
}

#[cfg(test)]
mod tests {
    use pairing_fs::SystemEntropy;

    use super::*;

    #[test]
    fn t103_a_ticket_is_for_one_page_one_browser_and_some_minutes() {
        let tickets = PageTickets::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let device = |n: u8| DeviceId::parse(&format!("{n:02x}").repeat(32)).unwrap();
        let (page, other) = ("http://127.0.0.1:1", "http://127.0.0.1:2");
        let issue = || {
            tickets
                .issue(page.to_owned(), at(0), &SystemEntropy)
                .unwrap()
        };
        let ticket = issue();
        let admits =
            |origin, n, seconds| tickets.admits(ticket.expose(), origin, device(n), at(seconds));
        assert!(!admits(other, 1, 0));
        assert!(admits(page, 1, 0) && admits(page, 1, 599));
        assert!(!admits(page, 2, 1) && !admits(page, 1, 600));
        assert!(!tickets.admits("", page, device(1), at(0)));
        let all: Vec<_> = (0..=MOST).map(|_| issue()).collect();
        let good = all.iter().filter(|ticket| {
            let ticket = ticket.expose();
            tickets.admits(ticket, page, device(3), at(0))
        });
        assert_eq!(good.count(), MOST);
    }
}
