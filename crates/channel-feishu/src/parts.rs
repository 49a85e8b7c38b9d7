//! Events in several frames, joined. What is kept of events that never complete is bounded in number, size and time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::frame::{Frame, LONGEST};

/// Maximum number of parts of an event.
const PARTS: usize = 256;

/// Maximum number of events of which some parts are missing.
const EVENTS: usize = 32;

/// The longest wait for the missing parts of an event. Feishu sends an event again that is not acknowledged.
const WITHIN: Duration = Duration::from_secs(30);

/// The longest id of an event in parts, in bytes.
const LONGEST_ID: usize = 256;

/// Events of which some parts are missing, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    events: VecDeque<Event>,
    /// The size of all parts together, in bytes.
    size: usize,
}

#[derive(Debug)]
struct Event {
    id: Box<str>,
    since: Instant,
    parts: Vec<Option<Vec<u8>>>,
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// The event is complete.
    Whole(Vec<u8>),
    /// Other parts are missing.
    Waiting,
    /// The frame makes no sense as a part.
    Malformed,
}

impl Event {
    fn size(&self) -> usize {
        self.parts.iter().flatten().map(Vec::len).sum()
    }
}

impl Parts {
    /// Takes the payload out of a frame with an event, and joins it to the parts that came before.
    pub(crate) fn join(&mut self, frame: &mut Frame, now: Instant) -> Joined {
        self.forget(|event| now.saturating_duration_since(event.since) >= WITHIN);
        let number = |key: &str| match frame.header(key) {
            None => Some(0),
            Some(text) => text.parse::<usize>().ok(),
        };
        let (Some(sum), Some(seq)) = (number("sum"), number("seq")) else {
            return Joined::Malformed;
        };
        if sum <= 1 {
            return Joined::Whole(frame.take_payload());
        }
        let id = frame.header("message_id").unwrap_or_default();
        if sum > PARTS || seq >= sum || id.is_empty() || id.len() > LONGEST_ID {
            return Joined::Malformed;
        }
        let id: Box<str> = id.into();
        let payload = frame.take_payload();
        let found = self.events.iter().position(|event| event.id == id);
        let at = match found {
            // The parts do not agree about their number: none of them can be placed.
            Some(at)
                if self
                    .events
                    .get(at)
                    .is_some_and(|event| event.parts.len() != sum) =>
            {
                self.forget(|event| event.id == id);
                return Joined::Malformed;
            }
            Some(at) => at,
            None => {
                if self.events.len() >= EVENTS {
                    self.drop_oldest();
                }
                self.events.push_back(Event {
                    id: id.clone(),
                    since: now,
                    parts: vec![None; sum],
                });
                self.events.len() - 1
            }
        };
        let Some(event) = self.events.get_mut(at) else {
            return Joined::Malformed;
        };
        if let Some(place) = event.parts.get_mut(seq)
            && place.is_none()
        {
            self.size += payload.len();
            *place = Some(payload);
        }
        if event.parts.iter().all(Option::is_some) {
            let whole = event.parts.iter_mut().filter_map(Option::take);
            let whole = whole.collect::<Vec<_>>().concat();
            self.size -= whole.len();
            self.forget(|event| event.id == id);
            return if whole.len() > LONGEST {
                Joined::Malformed
            } else {
                Joined::Whole(whole)
            };
        }
        while self.size > LONGEST {
            self.drop_oldest();
        }
        Joined::Waiting
    }

    fn drop_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.size -= event.size();
        }
    }

    fn forget(&mut self, which: impl Fn(&Event) -> bool) {
        self.events.retain(|event| !which(event));
        self.size = self.events.iter().map(Event::size).sum();
    }
}

#[cfg(test)]
mod tests {
    use test_support::feishu::event_frame;

    use super::*;

    fn part(id: &str, sum: &str, seq: &str, payload: &[u8]) -> Frame {
        let bytes = event_frame(id, sum, seq, payload);
        Frame::parse(&bytes).unwrap()
    }

    fn join(parts: &mut Parts, id: &str, (sum, seq): (usize, usize), payload: &[u8]) -> Joined {
        let mut frame = part(id, &sum.to_string(), &seq.to_string(), payload);
        parts.join(&mut frame, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn parts_are_joined_in_any_order_and_once() {
        let mut parts = Parts::default();
        assert_eq!(join(&mut parts, "a", (3, 2), b"c"), Joined::Waiting);
        assert_eq!(join(&mut parts, "b", (2, 1), b"!"), Joined::Waiting);
        assert_eq!(join(&mut parts, "a", (3, 0), b"a"), Joined::Waiting);
        assert_eq!(join(&mut parts, "a", (3, 0), b"again"), Joined::Waiting);
        let whole = Joined::Whole(b"abc".to_vec());
        assert_eq!(join(&mut parts, "a", (3, 1), b"b"), whole);
        assert_eq!(
            join(&mut parts, "c", (1, 0), b"one"),
            Joined::Whole(b"one".to_vec())
        );
        assert_eq!(
            join(&mut parts, "", (0, 0), b"one"),
            Joined::Whole(b"one".to_vec())
        );
        let whole = Joined::Whole(b"?!".to_vec());
        assert_eq!(join(&mut parts, "b", (2, 0), b"?"), whole);
        assert_eq!((parts.size, parts.events.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn parts_that_make_no_sense_are_none() {
        let mut parts = Parts::default();
        let malformed = [
            ("a", "2", "2"),
            ("a", "2", "-1"),
            ("a", "1000000000", "0"),
            ("a", "x", "0"),
            ("a", "2", "x"),
            ("a", "99999999999999999999999", "0"),
            ("", "2", "0"),
        ];
        for (id, sum, seq) in malformed {
            let joined = parts.join(&mut part(id, sum, seq, b"x"), Instant::now());
            assert_eq!(joined, Joined::Malformed, "{id} {sum} {seq}");
        }
        // Two parts that do not agree.
        assert_eq!(join(&mut parts, "a", (2, 0), b"x"), Joined::Waiting);
        assert_eq!(join(&mut parts, "a", (3, 1), b"x"), Joined::Malformed);
        assert_eq!((parts.size, parts.events.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn parts_that_never_complete_are_bounded_in_number_size_and_time() {
        let mut parts = Parts::default();
        for number in 0..10 * EVENTS {
            let id = number.to_string();
            assert_eq!(join(&mut parts, &id, (2, 0), b"x"), Joined::Waiting);
            assert!(parts.events.len() <= EVENTS && parts.size <= EVENTS);
        }
        let large = vec![0; LONGEST / 4];
        for number in 0..20 {
            let id = format!("large{number}");
            assert_eq!(join(&mut parts, &id, (2, 0), &large), Joined::Waiting);
            assert!(parts.size <= LONGEST);
        }
        // One event that is too large alone.
        for seq in 0..10 {
            join(&mut parts, "huge", (200, seq), &large);
            assert!(parts.size <= LONGEST);
        }
        tokio::time::advance(WITHIN).await;
        assert_eq!(join(&mut parts, "new", (2, 0), b"x"), Joined::Waiting);
        assert_eq!((parts.size, parts.events.len()), (1, 1));
    }
}
