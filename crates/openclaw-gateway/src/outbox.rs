//! The queue of frames for one client.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A queue bounded in bytes. Any task may write to it; the connection's own task reads it.
///
/// - Writing never waits. A client that does not read fills its queue and is closed; nobody else is delayed.
/// - Once the end is set, no frame is added. Queued frames are sent before the close frame, unless the
///   connection is cut off.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// Signalled when a frame is queued, or the end is set.
    news: Notify,
    /// Signalled when the connection is cut off; then no write is waited for.
    cut: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Utf8Bytes>,
    /// Bytes of the queued frames, and of the one that is being written.
    bytes: usize,
    end: Option<End>,
}

/// How a connection ends, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    /// Whether queued frames are dropped.
    pub(crate) at_once: bool,
}

impl End {
    /// An end that comes after the queued frames.
    pub(crate) fn new(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason,
            at_once: false,
        }
    }
}

/// The next step of the connection's task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Send(Utf8Bytes),
    /// The queue is empty; what was written can be flushed.
    Idle,
    End(End),
}

/// Events of a slow reader's queue beyond which it is told so.
const SLOW: End = End {
    code: gateway_protocol::close::POLICY,
    reason: "slow consumer",
    at_once: true,
};

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            queue: Mutex::default(),
            news: Notify::new(),
            cut: Notify::new(),
            limit,
        }
    }

    /// Queues a frame. If it does not fit any more, the connection ends.
    pub(crate) fn send(&self, frame: impl Into<Utf8Bytes>) {
        let frame = frame.into();
        let mut queue = self.queue();
        if queue.end.is_some() {
            return;
        }
        if queue.bytes + frame.len() > self.limit {
            drop(queue);
            self.end(SLOW);
            return;
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        self.news.notify_one();
    }

    /// Ends the connection. The first reason counts, but a cut always takes effect.
    pub(crate) fn end(&self, end: End) {
        let at_once = end.at_once;
        let mut queue = self.queue();
        if at_once {
            queue.frames = VecDeque::new();
        }
        match &mut queue.end {
            Some(before) => before.at_once |= at_once,
            none => *none = Some(end),
        }
        drop(queue);
        self.news.notify_one();
        if at_once {
            self.cut.notify_one();
        }
    }

    /// Returns the next step. A frame that is returned counts against the bound until the next call.
    pub(crate) fn next(&self, written: usize) -> Next {
        let mut queue = self.queue();
        queue.bytes = queue.bytes.saturating_sub(written);
        match (queue.frames.pop_front(), &queue.end) {
            (Some(frame), _) => Next::Send(frame),
            (None, Some(end)) => Next::End(end.clone()),
            (None, None) => {
                // The memory that a burst needed is released.
                if queue.frames.capacity() > 64 {
                    queue.frames = VecDeque::new();
                }
                Next::Idle
            }
        }
    }

    /// Waits until there is a next step.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Waits until the connection is cut off.
    pub(crate) async fn cut(&self) {
        self.cut.notified().await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(reason: &'static str, at_once: bool) -> End {
        End {
            code: 1000,
            reason,
            at_once,
        }
    }

    #[test]
    fn what_was_queued_goes_before_the_end_and_nothing_after() {
        let outbox = Outbox::new(100);
        outbox.send("a");
        outbox.end(end("done", false));
        outbox.send("b");
        assert_eq!(outbox.next(0), Next::Send("a".into()));
        assert_eq!(outbox.next(1), Next::End(end("done", false)));
    }

    #[test]
    fn a_cut_drops_what_was_queued() {
        let outbox = Outbox::new(100);
        outbox.send("a");
        outbox.end(end("done", false));
        outbox.end(end("revoked", true));
        assert_eq!(outbox.next(0), Next::End(end("done", true)));
    }

    #[test]
    fn who_does_not_read_is_ended_and_frames_being_written_count() {
        let outbox = Outbox::new(10);
        outbox.send("12345");
        assert_eq!(outbox.next(0), Next::Send("12345".into()));
        outbox.send("12345");
        assert_eq!(outbox.queue().end, None);
        outbox.send("1");
        assert_eq!(outbox.next(5), Next::End(SLOW));
    }

    #[test]
    fn what_was_written_makes_room() {
        let outbox = Outbox::new(10);
        for _ in 0..100 {
            outbox.send("1234567890");
            assert_eq!(outbox.next(0), Next::Send("1234567890".into()));
            assert_eq!(outbox.next(10), Next::Idle);
        }
        assert_eq!(outbox.queue().end, None);
    }
}
