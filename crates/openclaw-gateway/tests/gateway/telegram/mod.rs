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

use channel_kit::{Adapter, Inbound, Inbox, Incoming, Received, Stop, StopSender, Target};
use channel_telegram::{ApiRoot, BotToken, Pace, Surroundings, Telegram};
use openclaw_gateway::StateFile;
use pairing_core::{AccountId, ChannelId, Channels, ManualClock, SenderId, Timestamp};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Counting, Hands, NEVER};
use server::{BOT_TOKEN, BotApi};

/// A state directory with a bot, which can be run again and again.
pub(crate) struct Rig {
    pub(crate) api: BotApi,
    pub(crate) state: TempDir,
    pub(crate) pace: Pace,
}

/// A bot that runs.
pub(crate) struct Bot {
    pub(crate) adapter: Arc<Telegram>,
    inbox: Received,
    stop: StopSender,
    task: JoinHandle<()>,
}

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
        }
    }

    pub(crate) fn adapter(&self) -> Telegram {
        self.adapter_at(self.api.root(), BOT_TOKEN)
    }

    pub(crate) fn adapter_at(&self, root: &str, token: &str) -> Telegram {
        let clock = Hands(Arc::new(ManualClock::new(Timestamp::from_millis(
            1_795_353_726_325,
        ))));
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

impl Bot {
    pub(crate) fn run(adapter: Telegram, places: usize) -> Self {
        let adapter = Arc::new(adapter);
        let (sender, inbox) = Inbox::new(places);
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(Arc::clone(&adapter).run(sender, stopped));
        Self {
            adapter,
            inbox,
            stop,
            task,
        }
    }

    pub(crate) async fn next(&mut self) -> Incoming {
        let next = timeout(NEVER, self.inbox.recv()).await;
        next.expect("nothing comes in").expect("the bot has ended")
    }

    pub(crate) async fn message(&mut self) -> Inbound {
        match self.next().await {
            Incoming::Message(inbound) => inbound,
            Incoming::Pressed(pressed) => panic!("{pressed:?}"),
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        self.message().await.text
    }

    /// Nothing waits to be looked at.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.inbox.try_recv().is_none()
    }

    pub(crate) async fn stop(self) {
        self.stop.stop();
        self.ended().await;
    }

    pub(crate) async fn ended(self) {
        let ended = timeout(NEVER, self.task).await;
        ended.expect("it does not end").unwrap();
    }
}
