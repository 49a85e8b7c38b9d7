//! A gateway with a bot, as its configuration makes one, and a phone that is paired in a chat with it.

use std::fmt::Display;
use std::sync::Arc;

use gateway_client::{Client, ClientEvent, Connect, ConnectError, Events};
use gateway_protocol::{GatewayUrl, SetupCode};
use openclaw_gateway::{ServeError, ServeOptions, serve};
use pairing_core::ScopeSet;
use pairing_core::device::{Identity, Role};
use pairing_fs::{StateDir, SystemEntropy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{TOKEN, Tokens};

/// A gateway on a state directory, as `openclaw gateway run` makes one.
pub(crate) struct Running {
    pub(crate) url: GatewayUrl,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// Configures a channel, and who the owner is on it.
pub(crate) fn configure(
    dir: &TempDir,
    (channel, settings): (&str, &Value),
    owner: impl Display,
    notify: bool,
) {
    let config = json!({
        "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
        "channels": { channel: settings },
        "commands": { "ownerAllowFrom": [format!("{channel}:{owner}")] },
        "pairing": { "notify": notify },
        "plugins": { "entries": { "device-pair": {
            "config": { "publicUrl": "wss://gateway.example.org" },
        } } },
    });
    std::fs::write(dir.path().join("openclaw.json"), config.to_string()).unwrap();
}

pub(crate) async fn start(dir: &TempDir) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = oneshot::channel();
    let options = ServeOptions {
        state: StateDir::at(dir.path()),
        var: Arc::new(|_| None),
        port: Some(0),
        bind: None,
        listeners: Arc::default(),
        token: None,
        reread: Arc::default(),
        alive: None,
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
    pub(crate) async fn owner(&self) -> (Client, Events) {
        let connect = Connect::to(self.url.clone()).token(TOKEN.into());
        connect.scopes(ScopeSet::admin()).open().await.unwrap()
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }
}

/// The code in what a stranger is told.
pub(crate) fn code_in(reply: &str) -> &str {
    let code = reply
        .lines()
        .find_map(|line| line.strip_prefix("Pairing code: "));
    code.expect("a code")
}

/// The next message that is handed to operators.
pub(crate) async fn heard(events: &mut Events) -> Value {
    loop {
        match events.next().await.expect("the gateway goes on") {
            ClientEvent::Other { event, payload } if event == "message.inbound" => return payload,
            _ => {}
        }
    }
}

/// The accounts of a channel as `channels.status` tells them, and whether each is connected; `pairing.channels` says the same.
pub(crate) async fn connections(owner: &Client, channel: &str) -> Vec<(String, bool)> {
    let theirs: Value = owner.call("channels.status", json!({})).await.unwrap();
    let theirs = theirs["channelAccounts"][channel]
        .as_array()
        .unwrap()
        .iter();
    let theirs: Vec<_> = theirs
        .map(|one| {
            let id = one["accountId"].as_str().unwrap().to_owned();
            (id, one["connected"] == true)
        })
        .collect();
    let ours: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let mut ours = ours["channels"].as_array().unwrap().iter();
    let ours = ours.find(|one| one["channel"] == channel).unwrap();
    let ours = ours["accounts"].as_array().unwrap().iter();
    let ours: Vec<_> = ours
        .map(|one| {
            let id = one["accountId"].as_str().unwrap().to_owned();
            (id, one["connection"]["state"] == "connected")
        })
        .collect();
    assert_eq!(theirs, ours);
    theirs
}

/// A phone, and what it was given.
pub(crate) struct Phone {
    identity: Arc<Identity>,
    pub(crate) tokens: Arc<Tokens>,
    code: SetupCode,
}

impl Phone {
    pub(crate) fn with(code: &str) -> Self {
        let code = SetupCode::decode(code).unwrap();
        assert_eq!(code.url.to_string(), "wss://gateway.example.org");
        Self {
            identity: Arc::new(Identity::generate(&SystemEntropy).unwrap()),
            tokens: Arc::new(Tokens::default()),
            code,
        }
    }

    pub(crate) async fn connect(
        &self,
        gateway: &Running,
    ) -> Result<(Client, Events), ConnectError> {
        Connect::to(gateway.url.clone())
            .identity(self.identity.clone(), self.tokens.clone())
            .role(Role::Node)
            .pairing_token(self.code.token.expose().into())
            .open()
            .await
    }

    /// The phone asks to be let in.
    pub(crate) async fn asks(&self, gateway: &Running) {
        let refused = self.connect(gateway).await.unwrap_err();
        assert!(refused.request_id().is_some(), "{refused}");
    }
}
