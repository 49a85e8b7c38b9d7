//! Channels: a gateway behind which there are chats.

pub(crate) mod fake;
mod handing_over;
mod hostile;
mod linking;
mod owners;
mod policies;
mod running;
mod sending;
mod status;
mod strangers;

use std::sync::Arc;

use openclaw_config::Config;
use openclaw_gateway::{GatewayBuilder, Overrides, Settings};
use pairing_core::store::PendingRequest;
use pairing_core::{Account, Approver};
use serde_json::Value;

use self::fake::{Fake, direct, in_chat};
use crate::support::{Running, TOKEN, start_with};
use crate::talk::Talk;

/// Settings of a gateway with the tests' token.
fn with(config: &str) -> Settings {
    let text =
        format!("{{ gateway: {{ auth: {{ token: '{TOKEN}' }}, localAdmin: true }}, {config} }}");
    let config = Config::parse(&text).unwrap();
    Settings::from_config(&config, &Overrides::default()).unwrap()
}

/// Settings with this for telegram.
pub(crate) fn telegram(settings: &str) -> Settings {
    with(&format!("channels: {{ telegram: {{ {settings} }} }}"))
}

pub(crate) async fn behind(settings: Settings, fakes: &[&Arc<Fake>]) -> Running {
    start_with(settings, |builder| adding(builder, fakes)).await
}

fn adding(builder: GatewayBuilder, fakes: &[&Arc<Fake>]) -> GatewayBuilder {
    let fakes = fakes.iter().map(|fake| Arc::clone(fake));
    fakes.fold(builder, |builder, fake| builder.adapter(fake))
}

impl Running {
    fn account(&self, account: &str) -> Account {
        let telegram = self.pairing.channel("telegram").unwrap();
        telegram.account(account).unwrap()
    }

    fn waiting(&self, account: &str) -> Vec<PendingRequest> {
        self.account(account).pending().unwrap().requests
    }

    fn approves(&self, account: &str, code: &str) {
        let owner = Approver::terminal("ann");
        self.account(account).approve(code, &owner).unwrap();
    }

    pub(crate) fn allows(&self, account: &str, sender: &str) {
        let owner = Approver::terminal("ann");
        self.account(account).allow(sender, &owner).unwrap();
    }

    /// How often a message came to this.
    fn outcome(&self, outcome: &str) -> u64 {
        let line = format!("openclaw_messages_total{{outcome=\"{outcome}\"}} ");
        let text = self.handle.metrics().render();
        let found = text.lines().find_map(|text| text.strip_prefix(&line));
        found.map_or(0, |count| count.parse().unwrap())
    }
}

/// Waits until all that came before it in a chat has been handled: messages of a chat stay in their order.
/// Whoever says it has to be let in.
async fn all_of(chat: &str, fake: &Fake, speaker: &str, operator: &mut Talk) {
    fake.says(in_chat(chat, direct(speaker, "marker"))).await;
    let event = heard(operator).await;
    let is_marker = event["text"] == "marker" && event["chat"] == chat;
    assert!(is_marker, "nobody but the marker was to be let in: {event}");
}

/// The next message that operators hear of.
pub(crate) async fn heard(operator: &mut Talk) -> Value {
    operator.event("message.inbound").await
}
