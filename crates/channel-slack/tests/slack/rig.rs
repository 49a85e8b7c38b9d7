//! A bot on a stand-in server, which can be run again and again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel_kit::{
    Adapter, InMemory, Inbound, Inbox, Incoming, Pressed, Received, SavedText, Stop, StopSender,
};
use channel_slack::{ApiRoot, AppToken, BotToken, Pace, Slack as Bot, Surroundings};
use pairing_core::{
    AccountId, ChannelId, Channels, Clock, Entropy, EntropyError, ManualClock, SenderId, Timestamp,
};
use test_support::slack::{APP_TOKEN, BOT_TOKEN, Slack};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing takes this long; a test that waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(20);

/// Somebody who writes to the bot.
pub(crate) const ANN: &str = "U0ANN";

/// Different each time, and the same in each run.
#[derive(Default)]
pub(crate) struct Counting(Mutex<u64>);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        Ok(())
    }
}

struct Hands(Arc<ManualClock>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

pub(crate) struct Rig {
    pub(crate) slack: Slack,
    pub(crate) saved: Arc<InMemory>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pace: Pace,
}

/// A bot that runs.
pub(crate) struct Running {
    pub(crate) bot: Arc<Bot>,
    inbox: Received,
    stop: StopSender,
    task: JoinHandle<()>,
}

/// Everything that can be made short is.
pub(crate) fn pace() -> Pace {
    let mut pace = Pace::default();
    pace.backoff = [Duration::from_millis(2), Duration::from_millis(8)];
    pace.steady = Duration::ZERO;
    pace.linger = Duration::from_millis(50);
    pace
}

pub(crate) fn sender(id: &str) -> SenderId {
    let channels = Channels::builtin();
    let slack = channels.get(&ChannelId::parse("slack").unwrap());
    slack.unwrap().sender(id).unwrap()
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self {
            slack: Slack::start().await,
            saved: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_795_353_726_325))),
            pace: pace(),
        }
    }

    pub(crate) fn bot(&self) -> Bot {
        self.bot_with(BOT_TOKEN, APP_TOKEN)
    }

    pub(crate) fn bot_with(&self, bot: &str, app: &str) -> Bot {
        let saved: Arc<dyn SavedText> = self.saved.clone();
        let surroundings = Surroundings::new(
            saved,
            Arc::new(Hands(self.clock.clone())),
            Arc::new(Counting::default()),
        );
        Bot::new(
            AccountId::default(),
            BotToken::parse(bot).unwrap(),
            AppToken::parse(app).unwrap(),
            ApiRoot::parse(&self.slack.root()).unwrap(),
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
        self.slack.connected().await;
        running
    }
}

impl Running {
    pub(crate) fn run(bot: Bot, places: usize) -> Self {
        let bot = Arc::new(bot);
        let (sender, inbox) = Inbox::new(places);
        let (stop, stopped) = Stop::new();
        let task = tokio::spawn(Arc::clone(&bot).run(sender, stopped));
        Self {
            bot,
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

    pub(crate) async fn pressed(&mut self) -> Pressed {
        match self.next().await {
            Incoming::Pressed(pressed) => pressed,
            Incoming::Message(inbound) => panic!("{inbound:?}"),
        }
    }

    /// Nothing waits to be looked at.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.inbox.try_recv().is_none()
    }

    pub(crate) fn tell_to_stop(&self) {
        self.stop.stop();
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
