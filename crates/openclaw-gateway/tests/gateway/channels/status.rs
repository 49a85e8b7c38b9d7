//! `pairing.channels`: which accounts there are, and which of them run.

use std::sync::atomic::Ordering;

use channel_kit::{ProbeError, Probed};
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

#[tokio::test]
async fn chat_systems_are_asked_when_that_is_wanted_and_not_again_at_once() {
    let (work, home) = (Fake::new("telegram", "work"), Fake::new("telegram", "home"));
    *work.probe.lock().unwrap() = Ok(Probed::named("@bot\u{1b}[2J"));
    let reason = "unauthorized".to_owned();
    *home.probe.lock().unwrap() = Err(ProbeError::Refused { reason });
    let gateway = behind(
        telegram("accounts: { work: {}, home: {} }"),
        &[&work, &home],
    )
    .await;
    let mut reader = gateway.asks(&["operator.read"]).await;
    work.running(true).await;
    home.running(true).await;
    reader.call("pairing.channels", json!({})).await.unwrap();
    assert_eq!(work.probes.load(Ordering::SeqCst), 0);
    for _ in 0..20 {
        let answer = reader
            .call("pairing.channels", json!({ "probe": true }))
            .await
            .unwrap();
        let accounts = &of(&answer, "telegram")["accounts"];
        let probe = |at: usize| {
            let mut probe = accounts[at]["probe"].clone();
            assert!(probe["elapsedMs"].take().is_u64(), "{answer}");
            probe
        };
        assert_eq!(accounts[0]["probe"], Value::Null);
        assert_eq!(
            probe(1),
            json!({ "ok": false, "error": "unauthorized", "elapsedMs": null })
        );
        assert_eq!(
            probe(2),
            json!({ "ok": true, "name": "@bot\\u{1b}[2J", "elapsedMs": null })
        );
    }
    // The other program's form of it.
    let params = json!({ "probe": true, "timeoutMs": 8000, "channel": "telegram" });
    let theirs = reader.call("channels.status", params).await.unwrap();
    assert_eq!(theirs["channelOrder"], json!(["telegram"]));
    assert_eq!(theirs["channelLabels"]["telegram"], "Telegram");
    let accounts = &theirs["channelAccounts"]["telegram"];
    assert_eq!(
        (&accounts[2]["accountId"], &accounts[2]["running"]),
        (&json!("work"), &json!(true))
    );
    assert_eq!(accounts[2]["probe"]["ok"], true);
    assert_eq!(
        (
            work.probes.load(Ordering::SeqCst),
            home.probes.load(Ordering::SeqCst)
        ),
        (1, 1)
    );
    gateway.stop().await;
}
