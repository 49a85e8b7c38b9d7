//! An account with a stand-in, which can be run again and again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use channel_imessage::{IMessage, Imsg as Program, Pace, Surroundings};
use channel_kit::{InMemory, SavedText};
use pairing_core::{AccountId, ManualClock, Timestamp};
use tempfile::TempDir;
use test_support::imsg::Imsg;
use test_support::{Counting, RunningAdapter};

pub(crate) type Running = RunningAdapter<IMessage>;

pub(crate) struct Rig {
    pub(crate) imsg: Imsg,
    pub(crate) seen: Arc<InMemory>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pace: Pace,
    _dir: TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let mut pace = Pace::default();
        pace.backoff = [Duration::from_millis(2), Duration::from_millis(8)];
        pace.steady = Duration::from_secs(3600);
        let dir = tempfile::tempdir().unwrap();
        Self {
            imsg: Imsg::start(dir.path()).await,
            seen: Arc::default(),
            clock: Arc::new(ManualClock::new(now())),
            pace,
            _dir: dir,
        }
    }

    pub(crate) fn account(&self, program: &Path) -> IMessage {
        let seen: Arc<dyn SavedText> = self.seen.clone();
        let random = Arc::new(Counting::default());
        let surroundings = Surroundings::new(seen, self.clock.clone(), random);
        let program = Program::here(program).database(Some("/a chat.db".into()));
        IMessage::new(AccountId::default(), program, surroundings)
            .unwrap()
            .pace(self.pace.clone())
    }

    /// Runs the account, and waits until it watches.
    pub(crate) async fn watching(&self, count: usize) -> Running {
        let running = Running::run(self.account(self.imsg.program()), 16);
        self.imsg.watching(count).await;
        running
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(1_795_353_726_325)
}
