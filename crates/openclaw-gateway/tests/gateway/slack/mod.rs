//! A gateway with a Slack app, as its configuration makes one, against a stand-in for Slack.

mod settings;
mod whole;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::slack::{APP_TOKEN, BOT_TOKEN, Slack};

use crate::bots;

pub(super) const OWNER: &str = "U0OWNER";
pub(super) const STRANGER: &str = "U0STRANGER";

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
    bots::configure(dir, ("slack", slack), OWNER, notify);
}
