//! What is known of the cluster's state, how current it is, and who waits for changes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::mirror::{Event, Mirror};

/// Maximum time since a majority confirmed a view for it to count as current. A read is at most this much
/// older than what the cluster has.
pub(crate) const CURRENT: Duration = Duration::from_secs(1);

/// The mirror, shared by the task that updates it and the threads that read it.
#[derive(Debug)]
pub(crate) struct View {
    mirror: RwLock<Option<Mirror>>,
    state: Mutex<State>,
    changed: Condvar,
    /// The same, for callers that must not block.
    moved: Notify,
    grace: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// The revision of the mirror; 0 if there is none.
    revision: u64,
    /// The revision of the latest commit in it.
    head: u64,
    /// The revision of the latest change of the gateways' values.
    gateways: u64,
    /// Number of lists so far. A new mirror may have any revision.
    lists: u64,
    /// The latest commit that this process was told of. No read uses anything older.
    required: u64,
    /// The time at which a majority last said that there was nothing newer.
    confirmed: Option<Instant>,
    /// Whether the cluster does not answer.
    is_down: bool,
}

/// What a read may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Currency {
    /// The mirror, which was confirmed a moment ago.
    Current,
    /// The cluster; while it does not answer, the mirror for senders that were approved.
    Grace {
        /// Whether an attempt has already failed.
        is_down: bool,
    },
    /// The cluster only.
    Stale {
        /// Whether an attempt has already failed.
        is_down: bool,
    },
}

impl Currency {
    /// Whether the cluster was asked and did not answer.
    pub(crate) fn is_down(self) -> bool {
        match self {
            Self::Current => false,
            Self::Grace { is_down } | Self::Stale { is_down } => is_down,
        }
    }
}

impl View {
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            mirror: RwLock::new(None),
            state: Mutex::default(),
            changed: Condvar::new(),
            moved: Notify::new(),
            grace,
        }
    }

    /// Reads the mirror, if there is one.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Mirror) -> T) -> Option<T> {
        self.mirror().as_ref().map(read)
    }

    pub(crate) fn currency(&self, now: Instant) -> Currency {
        let state = self.state();
        let is_down = state.is_down;
        let Some(confirmed) = state.confirmed else {
            return Currency::Stale { is_down };
        };
        if state.head < state.required {
            return Currency::Stale { is_down };
        }
        let age = now.saturating_duration_since(confirmed);
        if age <= CURRENT {
            Currency::Current
        } else if age <= self.grace {
            Currency::Grace { is_down }
        } else {
            Currency::Stale { is_down }
        }
    }

    /// Returns the time at which a majority last confirmed the mirror.
    pub(crate) fn confirmed(&self) -> Option<Instant> {
        self.state().confirmed
    }

    /// Replaces the mirror by a new one, which may have another history if the cluster was restored.
    pub(crate) fn replace(&self, mirror: Mirror, is_other_history: bool) {
        let (revision, head) = (mirror.revision(), mirror.head());
        let gateways = mirror.gateways_revision();
        *self.mirror.write().unwrap_or_else(PoisonError::into_inner) = Some(mirror);
        let mut state = self.state();
        state.lists += 1;
        state.gateways = gateways;
        (state.revision, state.head) = (revision, head);
        if is_other_history {
            state.required = 0;
        }
        drop(state);
        self.tell();
    }

    /// Applies changes, all at once.
    pub(crate) fn apply<'e>(&self, events: impl IntoIterator<Item = Event<'e>>) {
        let mut mirror = self.mirror.write().unwrap_or_else(PoisonError::into_inner);
        let Some(mirror) = mirror.as_mut() else {
            return;
        };
        mirror.apply(events);
        let mut state = self.state();
        (state.revision, state.head) = (mirror.revision(), mirror.head());
        state.gateways = mirror.gateways_revision();
        drop(state);
        self.tell();
    }

    /// Records that a majority had nothing newer than `head` at some time after `asked`. Returns `false` if
    /// the mirror does not know that much yet.
    pub(crate) fn confirm(&self, head: u64, asked: Instant) -> bool {
        let mut state = self.state();
        state.is_down = false;
        let knows = state.lists > 0 && state.head >= head;
        if knows {
            state.confirmed = Some(asked);
        }
        knows
    }

    /// Waits for the next change of the mirror.
    pub(crate) fn moved(&self) -> Notified<'_> {
        self.moved.notified()
    }

    fn tell(&self) {
        self.changed.notify_all();
        self.moved.notify_waiters();
    }

    /// Returns the revision of the latest commit that the mirror knows.
    pub(crate) fn head(&self) -> u64 {
        self.state().head
    }

    /// Returns the revision of the mirror; 0 if there is none.
    pub(crate) fn revision(&self) -> u64 {
        self.state().revision
    }

    /// Records that the cluster does not answer.
    pub(crate) fn down(&self) {
        self.state().is_down = true;
        self.changed.notify_all();
    }

    /// Makes reads use nothing older than a commit.
    pub(crate) fn require(&self, head: u64) {
        let mut state = self.state();
        state.required = state.required.max(head);
    }

    /// Waits until the mirror knows what is required of it, if there is one, but not longer than `timeout`.
    pub(crate) fn wait_for_required(&self, timeout: Duration) {
        self.wait(timeout, |state| {
            state.lists > 0 && state.head < state.required
        });
    }

    /// Waits until the gateways' values differ from those at a revision, or there are any.
    pub(crate) fn wait_for_gateways(&self, known: Option<u64>, timeout: Duration) {
        self.wait(timeout, |state| {
            state.lists == 0 || known == Some(state.gateways)
        });
    }

    /// Waits until there is a mirror, unless the cluster does not answer.
    pub(crate) fn wait_for_list(&self, timeout: Duration) {
        self.wait(timeout, |state| state.lists == 0 && !state.is_down);
    }

    /// Waits until the mirror has another revision than `revision`.
    pub(crate) fn wait_beyond(&self, revision: Option<u64>, timeout: Duration) {
        self.wait(timeout, |state| {
            state.lists == 0 || revision == Some(state.revision)
        });
    }

    fn wait(&self, timeout: Duration, while_: impl Fn(&State) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), timeout, |state| while_(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn mirror(&self) -> RwLockReadGuard<'_, Option<Mirror>> {
        // Nothing here panics in the middle of a change.
        self.mirror.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
