//! Bots that come, change and go with the configuration, while the gateway runs.

use std::fs;
use std::path::Path;

use gateway_client::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{BOT_SECRET, BOT_TOKEN, BotApi};
use crate::bots::{Running, start};
use crate::support::TOKEN;
use test_support::Logs;

/// Writes the configuration, as editors do: the file is another one each time.
fn configure(dir: &TempDir, telegram: &Value) {
    let config = json!({
        "gateway": { "auth": { "token": TOKEN }, "localAdmin": true },
        "channels": { "telegram": telegram },
        "commands": { "ownerAllowFrom": ["telegram:1000"] },
    });
    let staged = dir.path().join("staged");
    fs::write(&staged, config.to_string()).unwrap();
    fs::rename(staged, dir.path().join("openclaw.json")).unwrap();
}

async fn running(telegram: &Value) -> (TempDir, Running) {
    let dir = tempfile::tempdir().unwrap();
    configure(&dir, telegram);
    let gateway = start(&dir).await;
    (dir, gateway)
}

fn bot(api: &BotApi) -> Value {
    json!({ "botToken": BOT_TOKEN, "apiRoot": api.root() })
}

/// Sends something by an account; the code of the error.
async fn send(client: &Client, account: &str) -> Result<(), String> {
    let params = json!({
        "channel": "telegram", "accountId": account, "to": "5", "message": "hello",
        "idempotencyKey": account,
    });
    let sent: Result<Value, _> = client.call("send", &params).await;
    sent.map(drop).map_err(|error| error.to_string())
}

/// Somebody writes, and is answered by the bot of this server.
async fn is_heard(api: &BotApi, whom: i64) {
    api.says(whom, "let me in");
    assert_eq!(api.sent().await.0, whom);
}

#[tokio::test]
async fn a_bot_comes_is_turned_off_and_goes() {
    let api = BotApi::start().await;
    let (dir, gateway) = running(&json!({})).await;
    let (client, _events) = gateway.owner().await;
    let none = send(&client, "work").await.unwrap_err();
    assert!(
        none.contains("no telegram account work runs here"),
        "{none}"
    );

    configure(&dir, &json!({ "accounts": { "work": bot(&api) } }));
    is_heard(&api, 2000).await;
    send(&client, "work").await.unwrap();
    api.sent().await;

    let mut off = bot(&api);
    off["enabled"] = false.into();
    configure(&dir, &json!({ "accounts": { "work": off } }));
    api.left().await;
    let none = send(&client, "work").await.unwrap_err();
    assert!(none.contains("is turned off"), "{none}");

    configure(&dir, &json!({ "accounts": { "work": bot(&api) } }));
    is_heard(&api, 2001).await;
    configure(&dir, &json!({}));
    api.left().await;
    gateway.stop().await;
    // What was said to nobody waits at the server.
    assert_eq!(api.count("sendMessage"), 3);
}

#[tokio::test]
async fn another_server_is_gone_by_and_what_is_the_same_is_left_alone() {
    let [one, two, three] = [
        BotApi::start().await,
        BotApi::start().await,
        BotApi::start().await,
    ];
    let (dir, gateway) = running(&bot(&one)).await;
    is_heard(&one, 2000).await;
    let mut more = bot(&one);
    more["accounts"] = json!({ "work": bot(&two) });
    configure(&dir, &more);
    is_heard(&two, 2000).await;
    assert_eq!(one.count("getMe"), 1);

    // It is the same bot there, and its updates go on where they were.
    three.push(json!({ "update_id": 2000, "a_new_kind": {} }));
    more["apiRoot"] = three.root().into();
    configure(&dir, &more);
    is_heard(&three, 2001).await;
    assert_eq!((one.polls(), two.count("getMe")), (0, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_said_once_and_a_right_one_is_gone_by() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let api = BotApi::start().await;
    let mut wrong = bot(&api);
    wrong["botToken"] = "4242:wrong".into();
    let (dir, gateway) = running(&wrong).await;
    logs.until("the bot token is not accepted", 1).await;
    configure(&dir, &bot(&api));
    is_heard(&api, 2000).await;
    gateway.stop().await;
    assert_eq!(logs.count("the bot token is not accepted"), 1);
    assert!(!logs.text().contains(BOT_SECRET) && !logs.text().contains("4242:wrong"));
}

fn token_file(path: &Path, api: &BotApi) -> Value {
    json!({ "tokenFile": path, "apiRoot": api.root() })
}

#[tokio::test]
async fn a_token_file_that_cannot_be_used_is_said_once_and_what_runs_goes_on() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let [api, other] = [BotApi::start().await, BotApi::start().await];
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("token");
    let (dir, gateway) = running(&token_file(&file, &api)).await;
    logs.until("the bot is not run", 1).await;
    let mut more = token_file(&file, &api);
    more["accounts"] = json!({ "work": bot(&other) });
    configure(&dir, &more);
    is_heard(&other, 2000).await;
    fs::write(&file, BOT_TOKEN).unwrap();
    configure(&dir, &token_file(&file, &api));
    is_heard(&api, 2000).await;
    assert_eq!(logs.count("the bot is not run"), 1, "{}", logs.text());

    fs::write(&file, "hunter2").unwrap();
    configure(&dir, &more);
    logs.until("the bot goes on as it was", 1).await;
    is_heard(&api, 2001).await;
    gateway.stop().await;
    assert!(!logs.text().contains("hunter2") && !logs.text().contains(BOT_SECRET));
}
