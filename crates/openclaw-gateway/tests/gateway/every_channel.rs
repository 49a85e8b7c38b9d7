//! All built-in channels in one gateway at once: one configuration, one owner, one list of requests.

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::bluebubbles::{self, BlueBubbles};
use test_support::discord::{self, Discord};
use test_support::feishu::{self, Feishu};
use test_support::imsg::Imsg;
use test_support::signal::{self, Signal};
use test_support::slack::{self, Slack};
use test_support::whatsapp::{self, WhatsApp};

use crate::bots::{Running, code_in, heard, start};
use crate::support::TOKEN;
use crate::telegram::server::{BOT_TOKEN, BotApi};

/// The owner, on Telegram.
const OWNER: i64 = 1000;

/// The stand-ins, and somebody who writes on each.
struct Chats {
    telegram: BotApi,
    discord: Discord,
    slack: Slack,
    signal: Signal,
    imessage: Imsg,
    bluebubbles: BlueBubbles,
    feishu: Feishu,
    whatsapp: WhatsApp,
}

/// The channels, and the stranger's id on each.
const CHANNELS: [(&str, &str); 8] = [
    ("telegram", "2000"),
    ("discord", "2000"),
    ("slack", "U0STRANGER"),
    ("signal", "+15550001111"),
    ("imessage", "+15550001111"),
    ("bluebubbles", "+15550001111"),
    ("feishu", "ou_stranger"),
    ("whatsapp", "+15550001111"),
];

impl Chats {
    async fn start(dir: &TempDir) -> Self {
        Self {
            telegram: BotApi::start().await,
            discord: Discord::start().await,
            slack: Slack::start().await,
            signal: Signal::start().await,
            imessage: Imsg::start(dir.path()).await,
            bluebubbles: BlueBubbles::start().await,
            feishu: Feishu::start().await,
            whatsapp: WhatsApp::start().await,
        }
    }

    fn configure(&self, dir: &TempDir) {
        let channels = json!({
            "telegram": { "botToken": BOT_TOKEN, "apiRoot": self.telegram.root() },
            "discord": { "token": discord::BOT_TOKEN, "apiRoot": self.discord.root() },
            "slack": {
                "botToken": slack::BOT_TOKEN, "appToken": slack::APP_TOKEN, "apiRoot": self.slack.root(),
            },
            "signal": { "account": signal::ACCOUNT, "httpUrl": self.signal.root() },
            "imessage": { "cliPath": self.imessage.program() },
            "bluebubbles": { "serverUrl": self.bluebubbles.root(), "password": bluebubbles::PASSWORD },
            "feishu": {
                "appId": feishu::APP_ID, "appSecret": feishu::APP_SECRET, "apiRoot": self.feishu.root(),
            },
            "whatsapp": { "cloud": {
                "phoneNumberId": whatsapp::NUMBER_ID, "accessToken": whatsapp::TOKEN,
                "appSecret": whatsapp::APP_SECRET, "verifyToken": whatsapp::VERIFY_TOKEN,
                "apiRoot": self.whatsapp.root(),
            } },
        });
        let config = json!({
            "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
            "channels": channels,
            "commands": { "ownerAllowFrom": [format!("telegram:{OWNER}")] },
            "pairing": { "notify": true },
        });
        std::fs::write(dir.path().join("openclaw.json"), config.to_string()).unwrap();
    }

    /// Waits until messages come on each.
    async fn connected(&self, gateway: &Running) {
        self.discord.connected().await;
        self.slack.connected().await;
        self.signal.opened(1).await;
        self.imessage.watching(1).await;
        self.feishu.connected().await;
        let root = gateway.url.to_string().replace("ws://", "http://");
        let root = root.trim_end_matches('/');
        let webhook = format!("{root}/bluebubbles-webhook?password=hunter2%20%26%20co");
        self.bluebubbles.add_webhook(&webhook);
        while self.bluebubbles.requested("POST message/query").await["sort"] != "ASC" {}
        self.whatsapp.until_called("number", 1).await;
        let webhook = format!("{root}/whatsapp-webhook");
        let subscribed = self
            .whatsapp
            .subscribe(&webhook, whatsapp::VERIFY_TOKEN)
            .await;
        assert_eq!(subscribed, Some(200));
    }

    /// The stranger writes.
    async fn says(&self, channel: &str, text: &str) {
        match channel {
            "telegram" => drop(self.telegram.says(2000, text)),
            "discord" => drop(self.discord.says(2000, text)),
            "slack" => drop(self.slack.says("U0STRANGER", text)),
            "signal" => drop(self.signal.says(signal::ANN, text)),
            "imessage" => drop(self.imessage.says("+15550001111", text)),
            "bluebubbles" => {
                assert_eq!(self.bluebubbles.says("+15550001111", text).await, [200]);
            }
            "feishu" => drop(self.feishu.says("ou_stranger", text)),
            _ => assert_eq!(self.whatsapp.says("+15550001111", text).await, 200),
        }
    }

    /// What the stranger is sent next.
    async fn sent(&self, channel: &str) -> String {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match channel {
            "telegram" => loop {
                let (to, text) = self.telegram.sent().await;
                if to == 2000 {
                    return text;
                }
            },
            "discord" => self.discord.sent_to(2000).await.text,
            "slack" => self.slack.sent_to("U0STRANGER").await.text,
            "signal" => text(&self.signal.called("send").await["message"]),
            "imessage" => text(&self.imessage.called("send").await["text"]),
            "bluebubbles" => {
                text(&self.bluebubbles.requested("POST message/text").await["message"])
            }
            "feishu" => self.feishu.sent_to("ou_stranger").await.text,
            _ => self.whatsapp.sent_to("+15550001111").await.text,
        }
    }
}

#[tokio::test]
async fn a_stranger_a_code_an_approval_and_a_message_on_every_channel_of_one_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let chats = Chats::start(&dir).await;
    chats.configure(&dir);
    let gateway = start(&dir).await;
    chats.connected(&gateway).await;
    let (owner, mut events) = gateway.owner().await;

    // Everybody asks, before anybody is let in.
    let mut codes = Vec::new();
    for (channel, _) in CHANNELS {
        chats.says(channel, "let me in").await;
        let reply = chats.sent(channel).await;
        codes.push(code_in(&reply).to_owned());
    }
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    let requests = list["requests"].as_array().unwrap();
    assert_eq!(requests.len(), CHANNELS.len(), "{list}");
    let status: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let shown = status["channels"].as_array().unwrap();
    for (channel, _) in CHANNELS {
        let one = shown.iter().find(|one| one["channel"] == channel).unwrap();
        let state = &one["accounts"][0]["connection"]["state"];
        assert_eq!(state, "connected", "{one}");
    }

    // Each code opens its channel alone.
    for ((channel, id), code) in CHANNELS.iter().zip(&codes) {
        let approve = json!({ "channel": channel, "code": code });
        let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
        assert_eq!(approved["id"], *id, "{channel}");
        let text = format!("hello by {channel}");
        chats.says(channel, &text).await;
        let inbound = heard(&mut events).await;
        assert_eq!(
            (&inbound["channel"], &inbound["text"]),
            (&json!(channel), &json!(text))
        );
        let answer = json!({
            "channel": channel, "to": inbound["chat"], "message": format!("hello to {channel}"),
            "idempotencyKey": channel,
        });
        let _: Value = owner.call("send", answer).await.unwrap();
        assert_eq!(chats.sent(channel).await, format!("hello to {channel}"));
    }
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    assert_eq!(list["requests"], json!([]));
    gateway.stop().await;
}
