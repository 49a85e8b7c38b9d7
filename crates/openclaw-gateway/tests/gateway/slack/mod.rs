//! A gateway with a Slack app, as its configuration makes one, against a stand-in for Slack.

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
use test_support::slack::{APP_TOKEN, BOT_TOKEN, Slack};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::TOKEN;

pub(super) const OWNER: &str = "U0OWNER";
pub(super) const STRANGER: &str = "U0STRANGER";

/// A gateway on a state directory, as `openclaw gateway run` makes one.
pub(super) struct Running {
    pub(super) url: GatewayUrl,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// The state directory of an owner with an app.
pub(super) fn install(slack: &Slack, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    configure(
        &dir,
        &json!({ "botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": slack.root() }),
        notify,
    );
    dir
}

pub(super) fn configure(dir: &TempDir, slack: &Value, notify: bool) {
    let config = json!({
        "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
        "channels": { "slack": slack },
        "commands": { "ownerAllowFrom": [format!("slack:{OWNER}")] },
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
