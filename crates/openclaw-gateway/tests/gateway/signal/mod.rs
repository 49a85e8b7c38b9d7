//! A gateway with a Signal account, as its configuration makes one, against a stand-in for signal-cli.

mod accounts;
mod whole;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::signal::{ACCOUNT, Person, Signal};

use crate::bots;

/// The owner, whom the configuration names by their number.
pub(super) const OWNER: Person = Person {
    number: Some("+15550007777"),
    uuid: "00000000-0000-4000-8000-000000000007",
    name: "Owner",
};

/// The state directory of an owner with an account.
pub(super) fn install(signal: &Signal, notify: bool) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let settings = json!({ "account": ACCOUNT, "httpUrl": signal.root() });
    let owner = OWNER.number.unwrap();
    bots::configure(&dir, ("signal", &settings), owner, notify);
    dir
}

/// What is sent to somebody next, and by which name.
pub(super) async fn sent(signal: &Signal) -> (String, String) {
    let call = signal.called("send").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&call["recipient"][0]), text(&call["message"]))
}
