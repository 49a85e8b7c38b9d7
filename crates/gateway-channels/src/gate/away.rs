//! Messages that came while the pairing store could not be read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairing_core::{SenderId, Timestamp};

use crate::sift::Letter;

/// More than may wait, of one account and of one sender. Nobody is known while the store is away, so a stranger may take
/// places as well.
const MOST: usize = 64;
const OF_ONE: usize = 8;

/// The longest text that waits, in bytes. What is longer is not kept at all: half of it may mean something else.
const MAX_TEXT: usize = 4096;

/// Nobody waits longer for an answer.
const AGE: Duration = Duration::from_secs(3600);

/// The messages of one account that nobody could decide about, in their order.
///
/// In memory only: a restart forgets them, and the log has told that the store failed.
#[derive(Debug, Default)]
pub(super) struct Away(Mutex<VecDeque<(Timestamp, Letter)>>);

impl Away {
    /// Keeps a message that came at this time, if there is room.
    pub(super) fn keep(&self, letter: Letter, came: Timestamp) -> bool {
        let mut all = self.all();
        let own = all
            .iter()
            .filter(|(_, other)| other.sender == letter.sender);
        let has_room = all.len() < MOST && own.count() < OF_ONE && letter.text.len() <= MAX_TEXT;
        if has_room {
            all.push_back((came, letter));
        }
        has_room
    }

    /// Whether anything waits.
    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// Takes out the messages of one sender, or of all. Whoever gets them is the only one. What is too old is dropped.
    pub(super) fn take(
        &self,
        sender: Option<&SenderId>,
        now: Timestamp,
    ) -> VecDeque<(Timestamp, Letter)> {
        let mut all = self.all();
        let is_young = |at: Timestamp| now.since(at).is_none_or(|age| age <= AGE);
        all.retain(|(at, _)| is_young(*at));
        let is_of = |letter: &Letter| sender.is_none_or(|sender| letter.sender == *sender);
        let (taken, left) = all.drain(..).partition(|(_, letter)| is_of(letter));
        *all = left;
        taken
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<(Timestamp, Letter)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
