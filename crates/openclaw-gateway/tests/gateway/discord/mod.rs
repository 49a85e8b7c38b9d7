//! A gateway with a Discord bot, as its configuration makes one, against a stand-in for Discord.

mod settings;
mod whole;

use std::sync::Arc;

use gateway_client::{Client, ClientEvent, Connect, Events};
use gateway_protocol::GatewayUrl;
use openclaw_gateway::{ServeError, ServeOptions, serve};
use pairing_core::ScopeSet;
use pairing_fs::StateDir;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::discord::{BOT_TOKEN, Discord};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::TOKEN;

pub(super) const OWNER: u64 = 1000;
pub(super) const STRANGER: u64 = 2000;

/// A gateway on a state directory, as `openclaw gateway run` makes one.
pub(super) struct Running {
    pub(super) url: GatewayUrl,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// The state directory of an owner with a bot.
pub(super) fn install(discord: &Discord, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    configure(
        &dir,
        &json!({ "token": BOT_TOKEN, "apiRoot": discord.root() }),
        notify,
    );
    dir
}

pub(super) fn configure(dir: &TempDir, discord: &Value, notify: bool) {
    let config = json!({
        "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
        "channels": { "discord": discord },
        "commands": { "ownerAllowFrom": [format!("discord:{OWNER}")] },
        "pairing": { "notify": notify },
        "plugins": { "entries": { "device-pair": {
            "config": { "publicUrl": "wss://gateway.example.org" },
        } } },
    });
    std::fs::write(dir.path().join("openclaw.json"), config.to_string()).unwrap();
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
pub(super) fn code_in(reply: &str) -> &str {
    let code = reply
        .lines()
        .find_map(|line| line.strip_prefix("Pairing code: "));
    code.expect("a code")
}

/// The next message that is handed to operators.
pub(super) async fn heard(events: &mut Events) -> Value {
    loop {
        match events.next().await.expect("the gateway goes on") {
            ClientEvent::Other { event, payload } if event == "message.inbound" => return payload,
            _ => {}
        }
    }
}
