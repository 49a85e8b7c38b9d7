//! A gateway with a Feishu app, as its configuration makes one, against a stand-in for Feishu.

mod settings;
mod whole;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::feishu::{APP_ID, APP_SECRET, Feishu};

use crate::bots;

pub(super) const OWNER: &str = "ou_owner";
pub(super) const STRANGER: &str = "ou_stranger";

/// The state directory of an owner with an app.
pub(super) fn install(feishu: &Feishu, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    configure(
        &dir,
        &json!({ "appId": APP_ID, "appSecret": APP_SECRET, "apiRoot": feishu.root() }),
        notify,
    );
    dir
}

pub(super) fn configure(dir: &TempDir, feishu: &Value, notify: bool) {
    bots::configure(dir, ("feishu", feishu), OWNER, notify);
}
