//! A gateway with a Discord bot, as its configuration makes one, against a stand-in for Discord.

mod settings;
mod whole;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::discord::{BOT_TOKEN, Discord};

use crate::bots;

pub(super) const OWNER: u64 = 1000;
pub(super) const STRANGER: u64 = 2000;

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
    bots::configure(dir, ("discord", discord), OWNER, notify);
}
