//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.

use std::time::Duration;

use channel_discord::Discord;
use channel_kit::Inbound;
use test_support::{RunningAdapter, Soaked, soak};

use crate::rig::Rig;

impl Soaked for Rig {
    type Adapter = Discord;

    fn run(&self) -> RunningAdapter<Discord> {
        Self::run(self)
    }

    async fn connected(&self) {
        self.discord.connected().await;
    }

    fn storms(&self) -> usize {
        6
    }

    fn storm(&self, which: usize) {
        match which {
            0 => self.discord.close(4000),
            1 => self.discord.tear(),
            2 => self.discord.asks_to_reconnect(),
            3 => self.discord.invalidates(true),
            4 => self.discord.close(1001),
            _ => self.discord.asks_for_heartbeat(),
        }
    }

    fn says(&self, _: Option<&RunningAdapter<Discord>>, chat: usize, text: &str) {
        self.discord.says(4000 + chat as u64, text);
    }

    fn chat_of(&self, inbound: &Inbound) -> usize {
        inbound.sender.parse::<usize>().unwrap() - 4000
    }

    async fn settle(&self) {
        self.discord.trims();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    let rig = Rig::new().await;
    rig.discord
        .behave(|behaviour| behaviour.interval = Duration::from_millis(100));
    soak(&rig).await;
    // All of it in one session.
    assert_eq!(rig.discord.counts().identifies, 1);
}
