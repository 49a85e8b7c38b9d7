//! Several accounts, a configuration that changes, and what goes wrong with tokens.

use gateway_client::Client;
use serde_json::{Value, json};
use test_support::Logs;
use test_support::discord::{BOT_TOKEN, Discord};

use super::{STRANGER, configure, install};
use crate::bots::{heard, start};

/// What the gateway says of the connection of the default account.
async fn connection_of(owner: &Client) -> Value {
    let status: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let mut all = status["channels"].as_array().unwrap().iter();
    let discord = all.find(|one| one["channel"] == "discord").unwrap();
    discord["accounts"][0]["connection"].clone()
}

#[tokio::test]
async fn accounts_are_bots_of_their_own() {
    let [first, second] = [Discord::start().await, Discord::start().await];
    let dir = install(&first, false);
    let settings = json!({
        "token": BOT_TOKEN, "apiRoot": first.root(), "dmPolicy": "open", "allowFrom": ["*"],
        "accounts": { "work": { "token": BOT_TOKEN, "apiRoot": second.root() } },
    });
    configure(&dir, &settings, false);
    let gateway = start(&dir).await;
    let (_owner, mut events) = gateway.owner().await;
    for (discord, account) in [(&first, "default"), (&second, "work")] {
        discord.connected().await;
        discord.says(STRANGER, account);
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
    let discord = Discord::start().await;
    let dir = install(&discord, false);
    let wrong = json!({ "token": "MTIz.GhX.not_this_one", "apiRoot": discord.root() });
    configure(&dir, &wrong, false);
    let gateway = start(&dir).await;
    logs.until("the bot is not accepted", 1).await;
    let (owner, _events) = gateway.owner().await;
    let connection = connection_of(&owner).await;
    let error = connection["lastError"].as_str().unwrap();
    assert!(error.contains("401"), "{error}");

    let right = json!({ "token": BOT_TOKEN, "apiRoot": discord.root() });
    configure(&dir, &right, false);
    discord.connected().await;
    discord.says(STRANGER, "let me in");
    discord.sent_to(STRANGER).await;
    let connection = connection_of(&owner).await;
    assert_eq!(connection["state"], "connected", "{connection}");
    assert!(connection["sinceMs"].is_i64() && connection["lastReceivedMs"].is_i64());
    assert!(!logs.text().contains("not_this_one"));
    gateway.stop().await;
}
