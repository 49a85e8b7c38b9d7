//! Several accounts on one webhook path, and a configuration that changes.

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::bluebubbles::{ANN, BlueBubbles, PASSWORD};

use super::{QUERY, install, sent, start};
use crate::bots::{self, Running, connections, heard};

/// Configures the default account, and further ones.
fn configure(dir: &TempDir, server: &BlueBubbles, password: &str, accounts: &Value) {
    let settings =
        json!({ "serverUrl": server.root(), "password": password, "accounts": accounts });
    bots::configure(dir, ("bluebubbles", &settings), "owner@example.org", false);
}

fn account(server: &BlueBubbles, password: &str) -> Value {
    json!({ "serverUrl": server.root(), "password": password })
}

/// Waits until an account at this server receives.
async fn caught_up(server: &BlueBubbles) {
    while server.requested("POST message/query").await["sort"] != "ASC" {}
}

/// The URL of the webhook, with this password.
fn webhook(gateway: &Running, password: &str) -> String {
    super::webhook(gateway).replace(QUERY, &format!("password={password}"))
}

#[tokio::test]
async fn accounts_come_change_and_go_with_the_configuration() {
    let [server, other] = [BlueBubbles::start().await, BlueBubbles::start().await];
    other.set_password("other");
    let dir = install(&server, false);
    let gateway = start(&dir, &server).await;
    let (owner, mut events) = gateway.owner().await;
    for account in ["default", "work"] {
        let allow = json!({ "channel": "bluebubbles", "accountId": account, "entry": ANN });
        let _: Value = owner.call("pairing.allow", allow).await.unwrap();
    }

    // One is added: both have one path, and the password says which of them is meant.
    configure(
        &dir,
        &server,
        PASSWORD,
        &json!({ "work": account(&other, "other") }),
    );
    caught_up(&other).await;
    other.add_webhook(&webhook(&gateway, "other"));
    for (server, account) in [(&other, "work"), (&server, "default")] {
        assert_eq!(server.says(ANN, account).await, [200]);
        let inbound = heard(&mut events).await;
        assert_eq!(
            (&inbound["accountId"], &inbound["text"]),
            (&json!(account), &json!(account))
        );
        let answer = json!({
            "channel": "bluebubbles", "accountId": account, "to": inbound["chat"], "message": "yes",
            "idempotencyKey": account,
        });
        let _: Value = owner.call("send", answer).await.unwrap();
        assert_eq!(sent(server).await.1, "yes");
    }
    let both = [("default", true), ("work", true)];
    let both = both.map(|(id, is)| (id.to_owned(), is));
    assert_eq!(connections(&owner, "bluebubbles").await, both);

    // Another password: calls with the old one are refused from now on.
    other.set_password("renewed");
    other.forget_requests();
    configure(
        &dir,
        &server,
        PASSWORD,
        &json!({ "work": account(&other, "renewed") }),
    );
    caught_up(&other).await;
    assert_eq!(other.says(ANN, "by the old password").await, [401]);
    other.remove_webhooks();
    other.add_webhook(&webhook(&gateway, "renewed"));
    assert_eq!(other.says(ANN, "by the new password").await, [200]);
    let text = heard(&mut events).await["text"].clone();
    // What was refused may have been fetched.
    if text == "by the old password" {
        assert_eq!(heard(&mut events).await["text"], "by the new password");
    }

    // Removed: the webhook knows its password no more. What was said meanwhile was heard.
    configure(&dir, &server, PASSWORD, &json!({}));
    while other.says(ANN, "to nobody").await == [200] {
        assert_eq!(heard(&mut events).await["text"], "to nobody");
    }
    assert_eq!(server.says(ANN, "as before").await, [200]);
    let inbound = heard(&mut events).await;
    assert_eq!(
        (&inbound["accountId"], &inbound["text"]),
        (&json!("default"), &json!("as before"))
    );
    gateway.stop().await;
}
