//! `pairing.audit`: decisions, shown to callers that may see them.

use std::sync::Arc;

use pairing_core::{ManualClock, MemoryStore, PairingBuilder, Timestamp};
use pairing_fs::{AuditLog, StateDir};
use serde_json::{Value, json};

use crate::shown::shown;
use crate::support::{Counting, Hands, Running, settings, start, start_on};

async fn start_logged(dir: &std::path::Path) -> Running {
    let log = AuditLog::new(&StateDir::at(dir));
    let at = Timestamp::from_millis(1_795_353_726_325);
    let (clock, entropy) = (Hands(Arc::new(ManualClock::new(at))), Counting::default());
    let pairing = PairingBuilder::new(MemoryStore::new(), clock.clone(), entropy.clone());
    let pairing = pairing.audit(log.clone()).build();
    start_on(pairing, clock, entropy, settings(""), |builder| {
        builder.audit_log(log)
    })
    .await
}

fn actions(answer: &Value) -> Vec<String> {
    let entries = answer["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_was_decided_is_told_the_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = start_logged(dir.path()).await;
    let mut admin = gateway.admin().await;
    let device = gateway.device();
    let request = gateway.node_asks(&device, &["camera.snap"]).await;
    let code = gateway.stranger("telegram", "default", "67890");
    for (method, params) in [
        ("device.pair.approve", json!({ "requestId": request })),
        (
            "pairing.approve",
            json!({ "channel": "telegram", "code": code }),
        ),
        ("device.pair.setupCode", json!({ "url": "wss://a.example" })),
        (
            "device.token.rotate",
            json!({ "deviceId": device.id(), "role": "node" }),
        ),
        ("device.pair.remove", json!({ "deviceId": device.id() })),
        (
            "pairing.revoke",
            json!({ "channel": "telegram", "entry": "67890" }),
        ),
    ] {
        gateway.pass(1);
        admin.call(method, params).await.unwrap();
    }
    let all = admin.call("pairing.audit", json!({})).await.unwrap();
    insta::assert_snapshot!("audit", shown(&all));

    let some = admin.call("pairing.audit", json!({ "limit": 2 })).await;
    let some = some.unwrap();
    assert_eq!(
        (actions(&some), &some["more"]),
        (
            vec!["revoked".to_owned(), "removed".to_owned()],
            &json!(true)
        )
    );
    for (filter, found) in [
        (json!({ "channel": "telegram" }), 2),
        (json!({ "channel": "signal" }), 0),
        (json!({ "device": &device.id()[..6] }), 3),
        (json!({ "person": "678" }), 2),
        (json!({ "person": "OPERATOR:TOKEN" }), 6),
        (json!({ "person": "678", "device": device.id() }), 0),
    ] {
        let answer = admin.call("pairing.audit", filter.clone()).await.unwrap();
        assert_eq!(actions(&answer).len(), found, "{filter}");
        assert_eq!(answer["more"], false, "{filter}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn t14_a_device_that_is_not_admin_reads_of_senders_and_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = start_logged(dir.path()).await;
    let (own, other) = (gateway.device(), gateway.device());
    let keeper = &["operator.pairing", "operator.read"];
    let mut keeper = gateway.operator_device(&own, keeper).await;
    gateway.node_device(&other, &[]).await;
    let owner = pairing_core::Approver::terminal("ann");
    let profile = pairing_core::device::SetupProfile::Node;
    let devices = gateway.pairing.devices();
    devices.issue_pairing_token(profile, None, &owner).unwrap();
    let telegram = gateway.pairing.channel("telegram").unwrap();
    let account = telegram.account("default").unwrap();
    account.allow("67890", &owner).unwrap();

    let answer = keeper.call("pairing.audit", json!({})).await.unwrap();
    let entries = answer["entries"].as_array().unwrap();
    assert_eq!(actions(&answer), ["allowed", "approved"], "{answer}");
    assert_eq!(entries[1]["device"], own.id());
    // Nor does a filter tell of others, nor the word that there is more.
    let asked = json!({ "device": other.id(), "limit": 1 });
    let answer = keeper.call("pairing.audit", asked).await.unwrap();
    assert_eq!(answer, json!({ "entries": [], "more": false }));
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_counted_and_what_cannot_be_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pairing-audit.jsonl");
    let gateway = start_logged(dir.path()).await;
    let mut admin = gateway.admin().await;
    let answer = admin.call("pairing.audit", json!({})).await;
    assert_eq!(answer, Ok(json!({ "entries": [], "more": false })));
    std::fs::write(&path, "nonsense\n{\"cut").unwrap();
    let answer = admin.call("pairing.audit", json!({})).await;
    let told = json!({ "entries": [], "more": false, "problems": 1 });
    assert_eq!(answer, Ok(told));
    for (wrong, told) in [
        (json!({ "limit": 0 }), "at limit: must be from 1 to 1000"),
        (json!({ "limit": 1001 }), "at limit: must be from 1 to 1000"),
        (json!({ "person": "" }), "at person: must not be empty"),
    ] {
        let expected = format!("INVALID_REQUEST invalid pairing.audit params: {told}");
        assert_eq!(admin.refused("pairing.audit", wrong).await, expected);
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(
        admin.refused("pairing.audit", json!({})).await,
        "UNAVAILABLE the gateway cannot read its audit log"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn it_is_there_where_there_is_a_log_and_takes_the_right_to_decide() {
    let dir = tempfile::tempdir().unwrap();
    let (without, with) = (start().await, start_logged(dir.path()).await);
    let told = without
        .admin()
        .await
        .refused("pairing.audit", json!({}))
        .await;
    assert_eq!(told, "INVALID_REQUEST unknown method: pairing.audit");
    let admin = with.admin().await;
    let methods = admin.hello["features"]["methods"].as_array().unwrap();
    assert!(methods.contains(&json!("pairing.audit")));
    let mut reader = with.asks(&["operator.read"]).await;
    assert_eq!(
        reader.refused("pairing.audit", json!({})).await,
        "INVALID_REQUEST missing scope: operator.pairing"
    );
    without.stop().await;
    with.stop().await;
}
