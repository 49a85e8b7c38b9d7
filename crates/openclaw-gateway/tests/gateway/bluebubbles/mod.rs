//! A gateway with an iMessage account, as its configuration makes one, against a stand-in for a BlueBubbles server.

mod accounts;
mod webhook;
mod whole;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::bluebubbles::{BlueBubbles, PASSWORD};

use crate::bots::{self, Running};

/// The owner, whom the configuration names in another case than the server.
pub(super) const OWNER: &str = "Owner@Example.ORG";

/// The password in a query.
pub(super) const QUERY: &str = "password=hunter2%20%26%20co";

/// The state directory of an owner with an account.
pub(super) fn install(server: &BlueBubbles, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let settings = json!({ "serverUrl": server.root(), "password": PASSWORD });
    bots::configure(
        &dir,
        ("bluebubbles", &settings),
        "owner@example.org",
        notify,
    );
    dir
}

/// Starts the gateway, has the server call its webhook, and waits until that is answered.
pub(super) async fn start(dir: &TempDir, server: &BlueBubbles) -> Running {
    server.forget_requests();
    let gateway = bots::start(dir).await;
    server.remove_webhooks();
    server.add_webhook(&webhook(&gateway));
    while server.requested("POST message/query").await["sort"] != "ASC" {}
    gateway
}

/// The URL of the webhook.
pub(super) fn webhook(gateway: &Running) -> String {
    let root = gateway.url.to_string().replace("ws://", "http://");
    format!("{}/bluebubbles-webhook?{QUERY}", root.trim_end_matches('/'))
}

/// What is sent to somebody next, and to which chat.
pub(super) async fn sent(server: &BlueBubbles) -> (String, String) {
    let request = server.requested("POST message/text").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&request["chatGuid"]), text(&request["message"]))
}

/// The direct chat with somebody.
pub(super) fn chat(person: &str) -> String {
    format!("iMessage;-;{person}")
}
