//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.

use channel_feishu::Feishu;
use channel_kit::Inbound;
use test_support::{RunningAdapter, Soaked, soak};

use crate::rig::Rig;

impl Soaked for Rig {
    type Adapter = Feishu;

    fn run(&self) -> RunningAdapter<Feishu> {
        Self::run(self)
    }

    async fn connected(&self) {
        self.feishu.connected().await;
    }

    fn storms(&self) -> usize {
        3
    }

    fn storm(&self, which: usize) {
        match which {
            0 => self.feishu.close(),
            1 => self.feishu.tear(),
            // Events come in parts from now on, or whole.
            _ => self
                .feishu
                .behave(|behaviour| behaviour.parts = 4 - behaviour.parts),
        }
    }

    fn says(&self, _: Option<&RunningAdapter<Feishu>>, chat: usize, text: &str) {
        self.feishu.says(&format!("ou_{chat}"), text);
    }

    fn chat_of(&self, inbound: &Inbound) -> usize {
        inbound.sender["ou_".len()..].parse().unwrap()
    }

    async fn settle(&self) {
        self.feishu.acknowledged().await;
        self.feishu.trims();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    soak(&Rig::new().await).await;
}
