//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.

use channel_kit::Inbound;
use channel_slack::Slack;
use test_support::{RunningAdapter, Soaked, soak};

use crate::rig::Rig;

impl Soaked for Rig {
    type Adapter = Slack;

    fn run(&self) -> RunningAdapter<Slack> {
        Self::run(self)
    }

    async fn connected(&self) {
        self.slack.connected().await;
    }

    fn storms(&self) -> usize {
        4
    }

    fn storm(&self, which: usize) {
        match which {
            0 => self.slack.close(),
            1 => self.slack.tear(),
            2 => self.slack.disconnects("refresh_requested"),
            _ => self.slack.disconnects("warning"),
        }
    }

    fn says(&self, _: Option<&RunningAdapter<Slack>>, chat: usize, text: &str) {
        self.slack.says(&format!("U{chat}"), text);
    }

    fn chat_of(&self, inbound: &Inbound) -> usize {
        inbound.sender[1..].parse().unwrap()
    }

    async fn settle(&self) {
        self.slack.acknowledged().await;
        self.slack.trims();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    soak(&Rig::new().await).await;
}
