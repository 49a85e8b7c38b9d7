//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use channel_bluebubbles::BlueBubbles;
use channel_kit::Inbound;
use test_support::{RunningAdapter, Soaked, soak};

use crate::rig::{Rig, deliver};

/// More than how far back the server is asked each time.
const ROUND: Duration = Duration::from_secs(1200);

struct Soak {
    rig: Rig,
    rounds: AtomicI64,
}

impl Soaked for Soak {
    type Adapter = BlueBubbles;

    fn run(&self) -> RunningAdapter<BlueBubbles> {
        RunningAdapter::run(self.rig.account(), 16)
    }

    async fn connected(&self) {
        self.rig.asked().await;
    }

    fn storms(&self) -> usize {
        3
    }

    fn storm(&self, which: usize) {
        for _ in 0..which * 2 {
            self.rig.server.answer_with(502);
        }
    }

    /// What a webhook may not deliver now, the server still has.
    fn says(&self, bot: Option<&RunningAdapter<BlueBubbles>>, chat: usize, text: &str) {
        let event = self.rig.server.notes(&format!("+1555000200{chat}"), text);
        if let Some(bot) = bot {
            deliver(bot, &event);
            deliver(bot, &event);
        }
    }

    fn chat_of(&self, inbound: &Inbound) -> usize {
        inbound.sender["+1555000200".len()..].parse().unwrap()
    }

    async fn settle(&self) {
        let rounds = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        let passed = rounds * i64::try_from(ROUND.as_millis()).unwrap();
        self.rig.clock.advance(ROUND);
        self.rig.server.set_now(1_795_353_726_325 + passed);
        self.rig.server.trims();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    let rig = Rig::new().await;
    let rounds = AtomicI64::new(0);
    soak(&Soak { rig, rounds }).await;
}
