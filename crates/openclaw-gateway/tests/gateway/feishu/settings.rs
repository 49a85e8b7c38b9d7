//! Several accounts, and a configuration that changes.

use gateway_client::Client;
use serde_json::{Value, json};
use test_support::Logs;
use test_support::feishu::{APP_ID, APP_SECRET, Feishu};

use super::{STRANGER, configure, install};
use crate::bots::{heard, start};

/// What the gateway says of the connection of the default account.
async fn connection_of(owner: &Client) -> Value {
    let status: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let mut all = status["channels"].as_array().unwrap().iter();
    let feishu = all.find(|one| one["channel"] == "feishu").unwrap();
    feishu["accounts"][0]["connection"].clone()
}

#[tokio::test]
async fn accounts_are_apps_of_their_own() {
    let [first, second] = [Feishu::start().await, Feishu::start().await];
    let dir = install(&first, false);
    let settings = json!({
        "appId": APP_ID, "appSecret": APP_SECRET, "apiRoot": first.root(), "dmPolicy": "open", "allowFrom": ["*"],
        "accounts": { "work": { "appId": APP_ID, "appSecret": APP_SECRET, "apiRoot": second.root() } },
    });
    configure(&dir, &settings, false);
    let gateway = start(&dir).await;
    let (_owner, mut events) = gateway.owner().await;
    for (feishu, account) in [(&first, "default"), (&second, "work")] {
        feishu.connected().await;
        feishu.says(STRANGER, account);
        let inbound = heard(&mut events).await;
        assert_eq!(
            (&inbound["text"], &inbound["accountId"]),
            (&json!(account), &json!(account))
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_put_right_while_the_gateway_runs() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let feishu = Feishu::start().await;
    let dir = install(&feishu, false);
    let with =
        |secret: &str| json!({ "appId": APP_ID, "appSecret": secret, "apiRoot": feishu.root() });
    configure(&dir, &with("notthisonenotthisonenotthisone"), false);
    let gateway = start(&dir).await;
    logs.until("feishu: the app is not accepted", 1).await;
    let (owner, _events) = gateway.owner().await;
    let connection = connection_of(&owner).await;
    assert!(connection["lastError"].is_string(), "{connection}");

    configure(&dir, &with(APP_SECRET), false);
    feishu.connected().await;
    feishu.says(STRANGER, "let me in");
    feishu.sent_to(STRANGER).await;
    let connection = connection_of(&owner).await;
    assert_eq!(connection["state"], "connected", "{connection}");
    assert!(connection["sinceMs"].is_i64() && connection["lastReceivedMs"].is_i64());
    assert!(!logs.text().contains("notthisone"));
    gateway.stop().await;
}
