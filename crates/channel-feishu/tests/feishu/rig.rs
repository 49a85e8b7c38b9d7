//! A bot on a stand-in server, which can be run again and again.

use std::sync::Arc;
use std::time::Duration;

use channel_feishu::{ApiRoot, AppId, AppSecret, Feishu as Bot, Pace, Surroundings};
use channel_kit::{InMemory, SavedText};
use pairing_core::{AccountId, ChannelId, Channels, ManualClock, SenderId, Timestamp};
use test_support::feishu::{APP_ID, APP_SECRET, Feishu};
use test_support::{Counting, RunningAdapter};

/// Somebody who writes to the bot.
pub(crate) const ANN: &str = "ou_ann";

pub(crate) struct Rig {
    pub(crate) feishu: Feishu,
    pub(crate) saved: Arc<InMemory>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pace: Pace,
}

/// A bot that runs.
pub(crate) type Running = RunningAdapter<Bot>;

/// Everything that can be made short is.
pub(crate) fn pace() -> Pace {
    let mut pace = Pace::default();
    pace.backoff = [Duration::from_millis(2), Duration::from_millis(8)];
    pace.steady = Duration::ZERO;
    pace
}

pub(crate) fn sender(id: &str) -> SenderId {
    let channels = Channels::builtin();
    let feishu = channels.get(&ChannelId::parse("feishu").unwrap());
    feishu.unwrap().sender(id).unwrap()
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self {
            feishu: Feishu::start().await,
            saved: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_795_353_726_325))),
            pace: pace(),
        }
    }

    pub(crate) fn bot(&self) -> Bot {
        self.bot_with(APP_ID, APP_SECRET)
    }

    pub(crate) fn bot_with(&self, id: &str, secret: &str) -> Bot {
        let saved: Arc<dyn SavedText> = self.saved.clone();
        let surroundings =
            Surroundings::new(saved, self.clock.clone(), Arc::new(Counting::default()));
        Bot::new(
            AccountId::default(),
            AppId::parse(id).unwrap(),
            AppSecret::parse(secret).unwrap(),
            ApiRoot::parse(&self.feishu.root()).unwrap(),
            surroundings,
        )
        .unwrap()
        .pace(self.pace.clone())
    }

    pub(crate) fn run(&self) -> Running {
        Running::run(self.bot(), 16)
    }

    /// Runs a bot, and waits until it is connected.
    pub(crate) async fn connected(&self) -> Running {
        let running = self.run();
        self.feishu.connected().await;
        running
    }
}
