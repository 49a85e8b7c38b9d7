//! A soak: disconnections all the time, and yet each message is received once, in order per chat, with flat memory.

use std::future::{Future, ready};
use std::time::{Duration, Instant};

use channel_kit::{Adapter, Inbound};

use crate::RunningAdapter;

/// Chats that are written in at the same time.
const CHATS: usize = 8;

/// Messages of a round.
const MESSAGES: usize = 40;

/// Rounds after which everything has been in use, and memory may grow no more.
const WARM: usize = 100;

/// Growth that is the allocator's, in KiB.
const SLACK: usize = 16 * 1024;

/// An adapter and its stand-in, as a soak drives them.
pub trait Soaked {
    /// The adapter.
    type Adapter: Adapter;

    /// Runs the adapter, with what it noted in earlier runs.
    fn run(&self) -> RunningAdapter<Self::Adapter>;

    /// Waits until the adapter, which runs for the first time, receives messages.
    fn connected(&self) -> impl Future<Output = ()>;

    /// The number of different things that go wrong. After them, the adapter is restarted.
    fn storms(&self) -> usize;

    /// Makes something go wrong, in the middle of a round.
    fn storm(&self, which: usize);

    /// Somebody writes in a chat, whether the adapter runs or not.
    fn says(&self, bot: Option<&RunningAdapter<Self::Adapter>>, chat: usize, text: &str);

    /// The chat of a message.
    fn chat_of(&self, inbound: &Inbound) -> usize;

    /// Waits until the stand-in has noticed that the adapter is gone.
    fn left(&self) -> impl Future<Output = ()> {
        ready(())
    }

    /// A round is over: waits until the stand-in knows, and forgets what only tests look at.
    fn settle(&self) -> impl Future<Output = ()>;
}

/// How long a soak runs by the environment variable `SOAK_SECONDS`, if that is set.
pub fn soak_seconds() -> Option<u64> {
    let seconds = std::env::var("SOAK_SECONDS").ok();
    seconds.and_then(|text| text.parse().ok())
}

/// Runs for some seconds, or for as long as `SOAK_SECONDS` says. Whoever sets that runs the soak by itself: only then is the
/// memory of the process the soak's own, and looked at.
pub async fn soak<S: Soaked>(soaked: &S) {
    let long = soak_seconds();
    let seconds = long.unwrap_or(5);
    let mut bot = Some(soaked.run());
    soaked.connected().await;
    let begun = Instant::now();
    let (mut said, mut heard) = ([0_usize; CHATS], [0_usize; CHATS]);
    let (mut round, mut resident) = (0_usize, None);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let storm = round % (soaked.storms() + 1);
        let is_restart = storm == soaked.storms();
        if is_restart && let Some(bot) = bot.take() {
            bot.stop().await;
            soaked.left().await;
        }
        // At another point of the stream each time.
        let point = round * 7 % MESSAGES;
        for number in 0..MESSAGES {
            // Some systems know from where on to go on once a message has come.
            if number == point && !is_restart && round > 0 {
                soaked.storm(storm);
            }
            let chat = (number + round) % CHATS;
            soaked.says(bot.as_ref(), chat, &said[chat].to_string());
            said[chat] += 1;
        }
        let running = bot.get_or_insert_with(|| soaked.run());
        while heard != said {
            let inbound = running.message().await;
            let chat = soaked.chat_of(&inbound);
            assert_eq!(
                inbound.text,
                heard[chat].to_string(),
                "round {round}, storm {storm}, chat {chat}"
            );
            heard[chat] += 1;
        }
        soaked.settle().await;
        assert!(running.is_quiet(), "round {round}, storm {storm}");
        round += 1;
        if round == WARM {
            resident = resident_kib();
        }
    }
    if let (Some(before), Some(after)) = (resident, resident_kib())
        && long.is_some()
    {
        assert!(after < before + SLACK, "{before} KiB, then {after} KiB");
    }
    assert!(round > soaked.storms(), "{round}");
}

/// The memory of this process.
fn resident_kib() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
