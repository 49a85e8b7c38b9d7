//! A bot on a stand-in server, which can be run again and again.

use std::sync::Arc;
use std::time::Duration;

use channel_discord::{ApiRoot, BotToken, Discord as Bot, GatewayAddress, Pace, Surroundings};
use channel_kit::{InMemory, SavedText};
use pairing_core::{AccountId, ChannelId, Channels, ManualClock, SenderId, Timestamp};
use test_support::discord::{BOT_TOKEN, Discord};
use test_support::{Counting, RunningAdapter};

/// Somebody who writes to the bot.
pub(crate) const ANN: u64 = 3001;

pub(crate) struct Rig {
    pub(crate) discord: Discord,
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
    pace.identify = Duration::from_millis(1);
    pace.invalid = [Duration::from_millis(1), Duration::from_millis(3)];
    pace
}

pub(crate) fn sender(id: &str) -> SenderId {
    let channels = Channels::builtin();
    let discord = channels.get(&ChannelId::parse("discord").unwrap());
    discord.unwrap().sender(id).unwrap()
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self {
            discord: Discord::start().await,
            saved: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_795_353_726_325))),
            pace: pace(),
        }
    }

    pub(crate) fn bot(&self) -> Bot {
        self.bot_with(BOT_TOKEN)
    }

    pub(crate) fn bot_with(&self, token: &str) -> Bot {
        let saved: Arc<dyn SavedText> = self.saved.clone();
        let surroundings =
            Surroundings::new(saved, self.clock.clone(), Arc::new(Counting::default()));
        Bot::new(
            AccountId::default(),
            BotToken::parse(token).unwrap(),
            ApiRoot::parse(&self.discord.root()).unwrap(),
            surroundings,
        )
        .unwrap()
        .pace(self.pace.clone())
        .commands([("pair", "Pair a device")])
    }

    pub(crate) fn at_gateway(&self, address: &str) -> Bot {
        self.bot()
            .gateway(GatewayAddress::parse(address).unwrap())
            .unwrap()
    }

    pub(crate) fn run(&self) -> Running {
        Running::run(self.bot(), 16)
    }

    /// Runs a bot, and waits until it is connected.
    pub(crate) async fn connected(&self) -> Running {
        let running = self.run();
        self.discord.connected().await;
        running
    }
}
