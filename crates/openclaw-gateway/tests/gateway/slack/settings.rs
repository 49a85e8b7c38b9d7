//! Several accounts, a configuration that changes, and what goes wrong with tokens.

use gateway_client::Client;
use serde_json::{Value, json};
use test_support::Logs;
use test_support::slack::{APP_TOKEN, BOT_TOKEN, Slack};

use super::{STRANGER, configure, install};
use crate::bots::{heard, start};

/// What the gateway says of the connection of the default account.
async fn connection_of(owner: &Client) -> Value {
    let status: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let mut all = status["channels"].as_array().unwrap().iter();
    let slack = all.find(|one| one["channel"] == "slack").unwrap();
    slack["accounts"][0]["connection"].clone()
}

#[tokio::test]
async fn accounts_are_apps_of_their_own() {
    let [first, second] = [Slack::start().await, Slack::start().await];
    let dir = install(&first, false);
    let settings = json!({
        "botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": first.root(), "dmPolicy": "open", "allowFrom": ["*"],
        "accounts": { "work": { "botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": second.root() } },
    });
    configure(&dir, &settings, false);
    let gateway = start(&dir).await;
    let (_owner, mut events) = gateway.owner().await;
    for (slack, account) in [(&first, "default"), (&second, "work")] {
        slack.connected().await;
        slack.says(STRANGER, account);
        let inbound = heard(&mut events).await;
        assert_eq!(
            (&inbound["text"], &inbound["accountId"]),
            (&json!(account), &json!(account))
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_token_that_is_wrong_is_put_right_while_the_gateway_runs() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let slack = Slack::start().await;
    let dir = install(&slack, false);
    let with =
        |token: &str| json!({ "botToken": token, "appToken": APP_TOKEN, "apiRoot": slack.root() });
    configure(&dir, &with("xoxb-1-2-notthisone"), false);
    let gateway = start(&dir).await;
    logs.until("the app is not accepted", 1).await;
    let (owner, _events) = gateway.owner().await;
    let connection = connection_of(&owner).await;
    let error = connection["lastError"].as_str().unwrap();
    assert!(error.contains("invalid_auth"), "{error}");

    configure(&dir, &with(BOT_TOKEN), false);
    slack.connected().await;
    slack.says(STRANGER, "let me in");
    slack.sent_to(STRANGER).await;
    let connection = connection_of(&owner).await;
    assert_eq!(connection["state"], "connected", "{connection}");
    assert!(connection["sinceMs"].is_i64() && connection["lastReceivedMs"].is_i64());
    assert!(!logs.text().contains("notthisone"));
    gateway.stop().await;
}

#[tokio::test]
async fn the_mode_http_is_refused_and_groups_are_no_direct_chats() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let slack = Slack::start().await;
    let dir = install(&slack, false);
    let mut settings = json!({
        "botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": slack.root(), "mode": "http", "signingSecret": "s",
    });
    configure(&dir, &settings, false);
    let gateway = start(&dir).await;
    logs.until("mode http is not supported", 1).await;
    assert_eq!(slack.count("auth.test"), 0);
    settings["mode"] = "socket".into();
    configure(&dir, &settings, false);
    slack.connected().await;
    let mut event = slack.message(STRANGER, "in a group");
    event["channel_type"] = "mpim".into();
    slack.event(&event);
    slack.says(STRANGER, "let me in");
    slack.sent_to(STRANGER).await;
    // Nothing was said to the group.
    assert_eq!(slack.count_sent(), 1);
    gateway.stop().await;
}
