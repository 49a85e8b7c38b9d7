//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.

use channel_imessage::IMessage;
use channel_kit::Inbound;
use test_support::{RunningAdapter, Soaked, soak};

use crate::rig::{Rig, Running};

impl Soaked for Rig {
    type Adapter = IMessage;

    fn run(&self) -> RunningAdapter<IMessage> {
        Running::run(self.account(self.imsg.program()), 16)
    }

    async fn connected(&self) {
        self.imsg.watching(1).await;
    }

    fn storms(&self) -> usize {
        3
    }

    fn storm(&self, which: usize) {
        match which {
            0 => self.imsg.end(),
            1 => {
                self.imsg.raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"mess");
                self.imsg.end();
            }
            _ => self
                .imsg
                .raw(b"{\"method\":\"error\",\"params\":{\"error\":{\"message\":\"locked\"}}}\n"),
        }
    }

    fn says(&self, _: Option<&RunningAdapter<IMessage>>, chat: usize, text: &str) {
        self.imsg.says(&format!("+1555000200{chat}"), text);
    }

    fn chat_of(&self, inbound: &Inbound) -> usize {
        inbound.sender["+1555000200".len()..].parse().unwrap()
    }

    async fn settle(&self) {
        self.imsg.trims();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    soak(&Rig::new().await).await;
}
