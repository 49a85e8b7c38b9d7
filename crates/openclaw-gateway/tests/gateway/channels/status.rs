//! `pairing.channels`: which accounts there are, and which of them run.

use serde_json::{Value, json};

use super::fake::Fake;
use super::{behind, telegram};

fn of<'v>(answer: &'v Value, channel: &str) -> &'v Value {
    let all = answer["channels"].as_array().unwrap();
    let found = all.iter().find(|entry| entry["channel"] == channel);
    found.unwrap_or(&Value::Null)
}

#[tokio::test]
async fn every_account_is_told_with_its_policy_and_whether_it_runs() {
    let (work, off, pigeon) = (
        Fake::new("telegram", "work"),
        Fake::new("telegram", "off"),
        Fake::new("carrier-pigeon", "default"),
    );
    let accounts = "dmPolicy: 'allowlist', accounts: { \
                    work: { dmPolicy: 'disabled' }, off: { enabled: false }, idle: {} }";
    let gateway = behind(telegram(accounts), &[&work, &off, &pigeon]).await;
    let mut reader = gateway.asks(&["operator.read"]).await;
    work.running(true).await;
    let answer = reader.call("pairing.channels", json!({})).await.unwrap();
    assert_eq!(
        *of(&answer, "telegram"),
        json!({ "channel": "telegram", "configured": true, "accounts": [
            { "accountId": "default", "dmPolicy": "allowlist", "running": false },
            { "accountId": "idle", "dmPolicy": "allowlist", "running": false },
            { "accountId": "off", "dmPolicy": "allowlist", "running": false },
            { "accountId": "work", "dmPolicy": "disabled", "running": true,
              "connection": { "state": "stopped" } },
        ] })
    );
    // One that may have senders all the same.
    assert_eq!(
        *of(&answer, "signal"),
        json!({ "channel": "signal", "configured": false, "accounts": [
            { "accountId": "default", "dmPolicy": "pairing", "running": false },
        ] })
    );
    // Nobody knows the rules of its senders.
    let pigeons = &of(&answer, "carrier-pigeon")["accounts"];
    assert_eq!(pigeons[0]["running"], false, "{answer}");
    gateway.stop().await;
}
