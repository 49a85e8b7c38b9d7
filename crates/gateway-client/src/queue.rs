//! Events on their way to whoever reads them: bounded, and never in the way of anything else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_protocol::MAX_PAYLOAD;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::ClientEvent;

/// The most events that wait.
const EVENTS: usize = 256;

/// The most bytes that wait, but for a single event that is larger.
const BYTES: usize = MAX_PAYLOAD;

/// A queue of one reader. Where it is full, the oldest go, and the reader is told how many.
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

    /// What waits can still be read.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }

    /// The next event; `None` after the last. Nothing is lost if this is dropped while it waits.
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
