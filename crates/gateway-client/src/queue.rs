//! The bounded queue between a connection and the reader of its events. It never blocks the connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_protocol::MAX_PAYLOAD;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::ClientEvent;

/// Maximum number of queued events.
const EVENTS: usize = 256;

/// Maximum number of queued bytes; a single larger event is accepted.
const BYTES: usize = MAX_PAYLOAD;

/// A queue with one reader. When full, it drops the oldest events and tells the reader how many.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(String, Option<Box<RawValue>>)>,
    bytes: usize,
    missed: u64,
    ended: bool,
}

impl Queue {
    pub(crate) fn push(&self, event: String, payload: Option<Box<RawValue>>) {
        let mut state = self.state();
        state.bytes += size(&event, payload.as_deref());
        state.waiting.push_back((event, payload));
        while state.waiting.len() > EVENTS || (state.bytes > BYTES && state.waiting.len() > 1) {
            state.take();
            state.missed += 1;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Marks the end of the events. Queued ones can still be read.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// Returns the next event; `None` after the last. Cancel-safe: no event is lost if the future is dropped.
    pub(crate) async fn next(&self) -> Option<ClientEvent> {
        loop {
            let changed = self.changed.notified();
            let (next, ended) = {
                let mut state = self.state();
                if state.missed > 0 {
                    return Some(ClientEvent::Missed(std::mem::take(&mut state.missed)));
                }
                (state.take(), state.ended)
            };
            match next {
                Some((event, payload)) => {
                    return Some(ClientEvent::read(event, payload.as_deref()));
                }
                None if ended => return None,
                None => changed.await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<(String, Option<Box<RawValue>>)> {
        let (event, payload) = self.waiting.pop_front()?;
        self.bytes -= size(&event, payload.as_deref());
        Some((event, payload))
    }
}

fn size(event: &str, payload: Option<&RawValue>) -> usize {
    event.len() + payload.map_or(0, |payload| payload.get().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn name(event: Option<ClientEvent>) -> String {
        match event {
            Some(ClientEvent::Other { event, .. }) => event,
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_nobody_reads_makes_room_and_is_counted() {
        let queue = Queue::default();
        for number in 0..EVENTS + 3 {
            queue.push(number.to_string(), None);
        }
        assert_eq!(name(queue.next().await), "Some(Missed(3))");
        assert_eq!(name(queue.next().await), "3");
        queue.end();
        for number in 4..EVENTS + 3 {
            assert_eq!(name(queue.next().await), number.to_string());
        }
        assert!(queue.next().await.is_none());
    }

    #[tokio::test]
    async fn large_events_count_by_their_size_and_a_single_one_passes() {
        let queue = Queue::default();
        let large = format!("\"{}\"", "x".repeat(BYTES));
        queue.push("a".to_owned(), Some(payload("1")));
        queue.push("b".to_owned(), Some(payload(&large)));
        assert_eq!(name(queue.next().await), "Some(Missed(1))");
        assert_eq!(name(queue.next().await), "b");
        queue.push("c".to_owned(), Some(payload("1")));
        assert_eq!(name(queue.next().await), "c");
        assert_eq!(queue.state().bytes, 0);
    }
}
