//! The whole way, as people go it: a gateway that its configuration makes, a bot, a stranger, a phone.

use gateway_protocol::{GatewayUrl, SetupCode};
use std::sync::Arc;

use gateway_client::{Client, ClientEvent, Connect, ConnectError, Events};
use gateway_protocol::event::Decision;
use openclaw_gateway::{ServeError, ServeOptions, serve};
use pairing_core::ScopeSet;
use pairing_core::device::{Identity, Role};
use pairing_fs::{StateDir, SystemEntropy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::server::{BOT_TOKEN, BotApi};
use crate::support::{TOKEN, Tokens};

const OWNER: i64 = 1000;
const STRANGER: i64 = 2000;

/// A gateway on a state directory, as `openclaw gateway run` makes one.
pub(super) struct Running {
    url: GatewayUrl,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// The state directory of an owner with a bot.
fn install(api: &BotApi, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({
        "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
        "channels": { "telegram": { "botToken": BOT_TOKEN, "apiRoot": api.root() } },
        "commands": { "ownerAllowFrom": [format!("telegram:{OWNER}")] },
        "pairing": { "notify": notify },
        "plugins": { "entries": { "device-pair": {
            "config": { "publicUrl": "wss://gateway.example.org" },
        } } },
    });
    std::fs::write(dir.path().join("openclaw.json"), config.to_string()).unwrap();
    dir
}

pub(super) async fn start(dir: &TempDir) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = oneshot::channel();
    let options = ServeOptions {
        state: StateDir::at(dir.path()),
        var: Arc::new(|_| None),
        port: Some(0),
        bind: None,
        token: None,
    };
    let task = tokio::spawn(serve(
        options,
        move |announced| tell.send(announced.addresses[0]).unwrap(),
        async {
            let _ = stopped.await;
        },
    ));
    Running {
        url: GatewayUrl::parse(&format!("ws://{}", told.await.unwrap())).unwrap(),
        stop,
        task,
    }
}

impl Running {
    pub(super) async fn owner(&self) -> (Client, Events) {
        let connect = Connect::to(self.url.clone()).token(TOKEN.into());
        connect.scopes(ScopeSet::admin()).open().await.unwrap()
    }

    pub(super) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }
}

/// The code in what a stranger is told.
fn code_in(reply: &str) -> &str {
    let code = reply
        .lines()
        .find_map(|line| line.strip_prefix("Pairing code: "));
    code.expect("a code")
}

/// The next text that somebody is sent.
async fn sent_to(api: &BotApi, whom: i64) -> String {
    loop {
        let (to, text) = api.sent().await;
        if to == whom {
            return text;
        }
    }
}

/// A phone, and what it was given.
struct Phone {
    identity: Arc<Identity>,
    tokens: Arc<Tokens>,
    code: SetupCode,
}

impl Phone {
    fn with(code: &str) -> Self {
        let code = SetupCode::decode(code).unwrap();
        assert_eq!(code.url.to_string(), "wss://gateway.example.org");
        Self {
            identity: Arc::new(Identity::generate(&SystemEntropy).unwrap()),
            tokens: Arc::new(Tokens::default()),
            code,
        }
    }

    async fn connect(&self, gateway: &Running) -> Result<(Client, Events), ConnectError> {
        Connect::to(gateway.url.clone())
            .identity(self.identity.clone(), self.tokens.clone())
            .role(Role::Node)
            .pairing_token(self.code.token.expose().into())
            .open()
            .await
    }
}

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in() {
    let api = BotApi::start().await;
    let dir = install(&api, false);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;

    // A stranger gets a code, and nothing of theirs goes further.
    api.says(STRANGER, "let me in");
    let (to, reply) = api.sent().await;
    assert_eq!(to, STRANGER);
    let approve = json!({ "channel": "telegram", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    api.says(STRANGER, "now?");
    let heard = loop {
        match events.next().await.expect("the gateway goes on") {
            ClientEvent::Other { event, payload } if event == "message.inbound" => break payload,
            _ => {}
        }
    };
    assert_eq!(heard["text"], "now?");

    // The owner gets a setup code, alone in its message.
    api.says(OWNER, "/pair");
    assert_eq!(api.sent().await.0, OWNER);
    let (to, code) = api.sent().await;
    assert_eq!(to, OWNER);

    // The phone asks with it, the owner approves in the same chat, and the phone is in.
    let phone = Phone::with(&code);
    assert!(
        phone
            .connect(&gateway)
            .await
            .unwrap_err()
            .request_id()
            .is_some()
    );
    api.says(OWNER, "/pair approve");
    let (to, said) = api.sent().await;
    assert_eq!(to, OWNER);
    let (node, _events) = phone
        .connect(&gateway)
        .await
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(node.hello().auth.role, Role::Node);
    assert!(phone.tokens.0.lock().unwrap().contains_key(&Role::Node));
    gateway.stop().await;
}

#[tokio::test]
async fn every_step_survives_a_restart_before_the_next() {
    let api = BotApi::start().await;
    let dir = install(&api, false);
    let gateway = start(&dir).await;
    api.says(STRANGER, "let me in");
    let reply = sent_to(&api, STRANGER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "telegram", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], STRANGER.to_string());
    api.says(OWNER, "/pair");
    sent_to(&api, OWNER).await;
    let phone = Phone::with(&sent_to(&api, OWNER).await);
    gateway.stop().await;

    let gateway = start(&dir).await;
    assert!(
        phone
            .connect(&gateway)
            .await
            .unwrap_err()
            .request_id()
            .is_some()
    );
    gateway.stop().await;

    let gateway = start(&dir).await;
    api.says(OWNER, "/pair approve");
    sent_to(&api, OWNER).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.connect(&gateway).await.unwrap();
    gateway.stop().await;
    // What was said before is not heard again: one reply for one stranger.
    assert_eq!(api.count("sendMessage"), 4);
}

#[tokio::test]
async fn a_notice_shows_what_was_decided_by_a_method_and_a_button_decides_for_all() {
    let api = BotApi::start().await;
    let dir = install(&api, true);
    let gateway = start(&dir).await;
    let (owner, mut events) = gateway.owner().await;

    api.says(STRANGER, "let me in");
    let notice = loop {
        let call = api.called("sendMessage").await;
        if call.params["chat_id"] == OWNER {
            break call;
        }
    };
    assert!(
        notice.params["reply_markup"].is_object(),
        "{:?}",
        notice.params
    );
    let list: Value = owner.call("pairing.list", json!({})).await.unwrap();
    let approve = json!({ "channel": "telegram", "code": list["requests"][0]["code"] });
    let _: Value = owner.call("pairing.approve", approve).await.unwrap();
    let shown = api.called("editMessageText").await;
    let text = shown.params["text"].as_str().unwrap().to_lowercase();
    assert!(text.contains("approved"), "{text}");

    api.says(STRANGER + 1, "and me");
    let data = loop {
        let call = api.called("sendMessage").await;
        let reject = call
            .params
            .pointer("/reply_markup/inline_keyboard/0/1/callback_data");
        if let (true, Some(data)) = (call.params["chat_id"] == OWNER, reject) {
            break data.as_str().unwrap().to_owned();
        }
    };
    api.presses(OWNER, 1, &data);
    let resolved = loop {
        if let ClientEvent::DmResolved(resolved) = events.next().await.unwrap()
            && resolved.id.as_str() == (STRANGER + 1).to_string()
        {
            break resolved;
        }
    };
    assert_eq!(resolved.decision, Decision::Rejected);
    gateway.stop().await;
}
