//! The Telegram adapter against a Bot API server.

mod following;
mod polling;
mod secrecy;
mod sending;
pub(crate) mod server;
mod tls;
mod trouble;
mod whole;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use channel_kit::Target;
use channel_telegram::{ApiRoot, BotToken, Pace, Surroundings, Telegram};
use openclaw_gateway::StateFile;
use pairing_core::{AccountId, ChannelId, Channels, ManualClock, SenderId, Timestamp};
use tempfile::TempDir;
use test_support::RunningAdapter;

use crate::support::{Counting, Hands};
use server::{BOT_TOKEN, BotApi};

/// A state directory with a bot, which can be run again and again.
pub(crate) struct Rig {
    pub(crate) api: BotApi,
    pub(crate) state: TempDir,
    pub(crate) pace: Pace,
    /// What this machine's clock shows.
    pub(crate) now: Timestamp,
}

/// A bot that runs.
pub(crate) type Bot = RunningAdapter<Telegram>;

/// Everything that can be made short is.
pub(crate) fn pace() -> Pace {
    let mut pace = Pace::default();
    pace.gap = Duration::from_millis(1);
    pace.backoff = [Duration::from_millis(1), Duration::from_millis(4)];
    pace
}

pub(crate) fn owner(id: i64) -> SenderId {
    let channels = Channels::builtin();
    let telegram = channels.get(&ChannelId::parse("telegram").unwrap());
    telegram.unwrap().sender(&id.to_string()).unwrap()
}

pub(crate) fn chat(id: i64) -> Target {
    Target::chat(id.to_string())
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self {
            api: BotApi::start().await,
            state: tempfile::tempdir().unwrap(),
            pace: pace(),
            now: Timestamp::from_millis(1_795_353_726_325),
        }
    }

    pub(crate) fn adapter(&self) -> Telegram {
        self.adapter_at(self.api.root(), BOT_TOKEN)
    }

    pub(crate) fn adapter_at(&self, root: &str, token: &str) -> Telegram {
        let clock = Hands(Arc::new(ManualClock::new(self.now)));
        Telegram::new(
            AccountId::parse("default").unwrap(),
            BotToken::parse(token).unwrap(),
            ApiRoot::parse(root).unwrap(),
            Surroundings::new(
                Arc::new(StateFile::at(self.offsets())),
                Arc::new(clock),
                Arc::new(Counting::default()),
            ),
        )
        .unwrap()
        .pace(self.pace.clone())
        .commands([("pair", "Pair a device")], [owner(1), owner(2)])
    }

    pub(crate) fn run(&self) -> Bot {
        Bot::run(self.adapter(), 16)
    }

    pub(crate) fn offsets(&self) -> PathBuf {
        self.state
            .path()
            .join("telegram/update-offset-default.json")
    }
}
