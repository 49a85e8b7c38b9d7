//! A gateway with a WhatsApp number, as its configuration makes one, against a stand-in for Meta's Cloud API.

mod settings;
mod webhook;
mod whole;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::whatsapp::{APP_SECRET, NUMBER_ID, TOKEN, VERIFY_TOKEN, WhatsApp};

use crate::bots::{self, Running};

pub(super) const OWNER: &str = "+15559990000";

/// The settings of a number.
pub(super) fn cloud(whatsapp: &WhatsApp) -> Value {
    json!({
        "phoneNumberId": NUMBER_ID, "accessToken": TOKEN, "appSecret": APP_SECRET, "verifyToken": VERIFY_TOKEN,
        "apiRoot": whatsapp.root(),
    })
}

/// The state directory of an owner with a number.
pub(super) fn install(whatsapp: &WhatsApp, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    configure(&dir, &json!({ "cloud": cloud(whatsapp) }), notify);
    dir
}

pub(super) fn configure(dir: &TempDir, whatsapp: &Value, notify: bool) {
    bots::configure(dir, ("whatsapp", whatsapp), OWNER, notify);
}

/// Starts the gateway, and sets its webhook up as Meta does.
pub(super) async fn start(dir: &TempDir, whatsapp: &WhatsApp) -> Running {
    let asked = whatsapp.count("number");
    let gateway = bots::start(dir).await;
    whatsapp.until_called("number", asked + 1).await;
    let subscribed = whatsapp.subscribe(&webhook(&gateway), VERIFY_TOKEN).await;
    assert_eq!(subscribed, Some(200));
    gateway
}

/// The URL of the webhook.
pub(crate) fn webhook(gateway: &Running) -> String {
    let root = gateway.url.to_string().replace("ws://", "http://");
    format!("{}/whatsapp-webhook", root.trim_end_matches('/'))
}
