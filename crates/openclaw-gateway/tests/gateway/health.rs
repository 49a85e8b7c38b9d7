//! What does not work is told wherever somebody looks.

use std::fs;

use gateway_client::Client;
use gateway_protocol::health::{FaultState, Health};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bots::{Running, configure, start};
use crate::http::ask_at;
use crate::telegram::server::{Answer, BOT_TOKEN, BotApi};

async fn health(client: &Client) -> Health {
    client.call("health", &json!({})).await.unwrap()
}

/// Asks until the faults are as wanted.
async fn until(client: &Client, wanted: &[(&str, FaultState)]) -> Health {
    loop {
        let health = health(client).await;
        let faults = health.faults.iter().flatten();
        let names = faults.map(|fault| (fault.name.as_deref().unwrap_or(&fault.part), fault.state));
        if names.collect::<Vec<_>>() == wanted {
            return health;
        }
        tokio::task::yield_now().await;
    }
}

async fn page(gateway: &Running, path: &str) -> (u16, String) {
    let address = gateway.url.as_str().trim_start_matches("ws://");
    let (status, answer) = ask_at(
        address,
        &[&format!("GET {path} HTTP/1.1"), "Host: localhost"],
    )
    .await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn t134_a_bot_that_does_not_run_is_told_everywhere() {
    let api = BotApi::start().await;
    api.answers("getMe", Answer::Error(401, "Unauthorized"));
    let dir = TempDir::new().unwrap();
    let twice = json!({
        "apiRoot": api.root(), "botToken": BOT_TOKEN,
        "accounts": { "again": { "botToken": BOT_TOKEN } },
    });
    configure(&dir, ("telegram", &twice), 1000, false);
    let gateway = start(&dir).await;
    let (client, _events) = gateway.owner().await;

    let down = FaultState::Down;
    let health = until(
        &client,
        &[("telegram:default", down), ("telegram:again", down)],
    )
    .await;
    assert!(health.ok, "{health:?}");
    let faults = health.faults.unwrap();
    assert!(faults[0].why.contains("Unauthorized"), "{faults:?}");
    assert!(
        faults[1].why.contains("the same token as the account"),
        "{faults:?}"
    );
    assert!(
        faults
            .iter()
            .all(|fault| fault.part == "channel" && fault.since_ms > 0)
    );
    assert!(!format!("{faults:?}").contains(BOT_TOKEN));

    let (status, ready) = page(&gateway, "/readyz").await;
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(
        (status, ready),
        (200, json!({ "ok": true, "parts": { "channel": "down" } }))
    );
    let (_, metrics) = page(&gateway, "/metrics").await;
    assert!(
        metrics.contains("openclaw_health{part=\"channel\"} 2\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("openclaw_health{part=\"store\"} 0\n"),
        "{metrics}"
    );

    let channels: Value = client
        .call("pairing.channels", &json!({ "channel": "telegram" }))
        .await
        .unwrap();
    let accounts = channels["channels"][0]["accounts"].as_array().unwrap();
    let error = |account: &Value| {
        account["connection"]["lastError"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        accounts.iter().all(|account| !error(account).is_empty()),
        "{accounts:?}"
    );
    let found: Value = client.call("doctor.findings", &json!({})).await.unwrap();
    assert!(found.to_string().contains("bot-not-run"), "{found}");

    // When the service accepts the token and the second account is gone, all is well again.
    let alone = json!({ "apiRoot": api.root(), "botToken": BOT_TOKEN });
    configure(&dir, ("telegram", &alone), 1000, false);
    until(&client, &[]).await;
    let (_, ready) = page(&gateway, "/readyz").await;
    assert_eq!(ready, r#"{"ok":true}"#);
    gateway.stop().await;
}

#[tokio::test]
async fn whoever_connects_is_told_that_it_works_and_names_no_part() {
    let gateway = crate::support::start().await;
    let mut node = gateway.node_device(&gateway.device(), &[]).await;
    let told = &node.hello["snapshot"]["health"];
    assert_eq!((&told["ok"], told.get("faults")), (&json!(true), None));
    let refused = node.call("health", json!({})).await.unwrap_err();
    assert_eq!(refused["details"]["code"], "ROLE_NOT_ALLOWED");
    gateway.stop().await;
}

#[tokio::test]
async fn t133_whichever_file_of_records_cannot_be_read_is_told_of_its_group_alone() {
    let dir = TempDir::new().unwrap();
    configure(&dir, ("telegram", &json!({})), 1000, false);
    for folder in ["credentials/pairing-meta", "devices", "nodes"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    let gateway = start(&dir).await;
    let (client, _events) = gateway.owner().await;
    for (file, group) in [
        ("credentials/telegram-pairing.json", "telegram"),
        ("credentials/telegram-allowFrom.json", "telegram"),
        ("credentials/telegram-work-allowFrom.json", "telegram"),
        (
            "credentials/pairing-meta/telegram.counters.json",
            "telegram",
        ),
        ("credentials/pairing-meta/telegram.claims.json", "telegram"),
        ("devices/pending.json", "devices"),
        ("devices/paired.json", "devices"),
        ("devices/bootstrap.json", "devices"),
        ("devices/bearer-clients.json", "devices"),
        ("nodes/pending.json", "nodes"),
        ("nodes/paired.json", "nodes"),
    ] {
        let path = dir.path().join(file);
        fs::write(&path, "{broken").unwrap();
        let told = until(&client, &[(group, FaultState::Down)]).await;
        assert!(told.ok, "{file}: {told:?}");
        let fault = &told.faults.unwrap()[0];
        assert_eq!(fault.part, "records", "{file}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(fault.why.contains(name), "{file}: {fault:?}");
        let (status, ready) = page(&gateway, "/readyz").await;
        assert_eq!(status, 200, "{file}: {ready}");
        fs::remove_file(&path).unwrap();
        until(&client, &[]).await;
    }
    // Where none of them can be read, the store is down.
    for group in ["devices", "nodes"] {
        fs::write(dir.path().join(group).join("paired.json"), "{broken").unwrap();
    }
    until(
        &client,
        &[("devices", FaultState::Down), ("nodes", FaultState::Down)],
    )
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn t129_a_configuration_that_is_not_in_effect_is_told_of_until_it_is() {
    let dir = TempDir::new().unwrap();
    configure(&dir, ("telegram", &json!({})), 1000, false);
    let gateway = start(&dir).await;
    let (client, _events) = gateway.owner().await;
    let config = dir.path().join("openclaw.json");
    let good = fs::read_to_string(&config).unwrap();
    let (down, degraded) = (FaultState::Down, FaultState::Degraded);
    for (text, names) in [
        // It cannot be read.
        ("{ gateway: ".to_owned(), vec![("configuration", degraded)]),
        // A key of the gateway is not understood: what channels have goes on changing.
        (
            good.replacen("\"auth\"", "\"tls\":{\"enabled\":\"perhaps\"},\"auth\"", 1),
            vec![("the gateway", down), ("gateway", degraded)],
        ),
        // A variable of an account is not set.
        (
            good.replacen(
                "\"telegram\":{",
                "\"telegram\":{\"blockFrom\":[\"${PEST}\"],",
                1,
            ),
            vec![("telegram:default", down)],
        ),
    ] {
        assert_ne!(text, good);
        fs::write(&config, &text).unwrap();
        let told = until(&client, &names).await;
        let fault = &told.faults.unwrap()[0];
        let part = if names[0].0.contains(':') {
            "channel"
        } else {
            "configuration"
        };
        assert_eq!(fault.part, part, "{fault:?}");
        assert!(fault.advice.as_ref().unwrap().contains("doctor"));
        fs::write(&config, &good).unwrap();
        until(&client, &[]).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t139_decisions_that_are_not_recorded_are_told_of() {
    let dir = TempDir::new().unwrap();
    configure(&dir, ("telegram", &json!({})), 1000, false);
    let gateway = start(&dir).await;
    let (client, _events) = gateway.owner().await;
    let log = dir.path().join("pairing-audit.jsonl");
    fs::create_dir(&log).unwrap();
    let allow = json!({ "channel": "telegram", "entry": "7" });
    let _: Value = client.call("pairing.allow", &allow).await.unwrap();
    let told = until(&client, &[("audit", FaultState::Degraded)]).await;
    assert!(told.ok, "{told:?}");
    fs::remove_dir(&log).unwrap();
    let allow = json!({ "channel": "telegram", "entry": "8" });
    let _: Value = client.call("pairing.allow", &allow).await.unwrap();
    until(&client, &[]).await;
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    gateway.stop().await;
}
