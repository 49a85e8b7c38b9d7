//! Several numbers of one app, a configuration that changes, and what goes wrong with tokens.

use serde_json::{Value, json};
use test_support::Logs;
use test_support::whatsapp::{ANN, NUMBER, NUMBER_ID, TOKEN, VERIFY_TOKEN, WhatsApp, body};

use super::{cloud, configure, install, start, webhook};
use crate::bots::{self, heard};

/// Another number of the same app.
const OTHER_ID: &str = "206540352242922";
const OTHER: &str = "+1 555-078-3882";

#[tokio::test]
async fn accounts_are_numbers_of_one_app_behind_one_webhook() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let whatsapp = WhatsApp::start().await;
    whatsapp.add_number(OTHER_ID, OTHER);
    let dir = install(&whatsapp, false);
    let settings = json!({
        "cloud": cloud(&whatsapp), "dmPolicy": "open", "allowFrom": ["*"],
        "accounts": { "work": { "cloud": { "phoneNumberId": OTHER_ID } } },
    });
    configure(&dir, &settings, false);
    let gateway = start(&dir, &whatsapp).await;
    whatsapp.until_called("number", 2).await;
    let (_owner, mut events) = gateway.owner().await;
    let text = |text: &str| json!({ "type": "text", "text": { "body": text } });
    let both = body(&[
        whatsapp.change(NUMBER_ID, NUMBER, ANN, &text("default")),
        whatsapp.change(OTHER_ID, OTHER, ANN, &text("work")),
    ]);
    assert_eq!(whatsapp.deliver(&both).await, 200);
    let mut found: Vec<(Value, Value)> = Vec::new();
    for _ in 0..2 {
        let mut inbound = heard(&mut events).await;
        found.push((inbound["text"].take(), inbound["accountId"].take()));
    }
    found.sort_by_key(|(text, _)| text.to_string());
    assert_eq!(
        found,
        [
            (json!("default"), json!("default")),
            (json!("work"), json!("work"))
        ]
    );
    // Rightly signed, and for nobody here: it is named, and not delivered for days.
    let elsewhere = body(&[whatsapp.change("9", "+1 9", ANN, &text("nobody"))]);
    assert_eq!(whatsapp.deliver(&elsewhere).await, 200);
    assert_eq!(
        logs.count("messages for an account that is not set up here"),
        1
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_token_that_is_wrong_is_put_right_while_the_gateway_runs() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, false);
    let with = |token: &str| {
        let mut cloud = cloud(&whatsapp);
        cloud["accessToken"] = token.into();
        json!({ "cloud": cloud })
    };
    configure(&dir, &with("EAAGnotthisonenotthisone"), false);
    let gateway = bots::start(&dir).await;
    logs.until("the number is not accepted", 1).await;
    let (owner, _events) = gateway.owner().await;
    let status: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let mut all = status["channels"].as_array().unwrap().iter();
    let shown = all.find(|one| one["channel"] == "whatsapp").unwrap();
    let error = shown["accounts"][0]["connection"]["lastError"]
        .as_str()
        .unwrap();
    assert!(error.contains("code 190"), "{error}");
    // What comes meanwhile waits at Meta.
    assert_eq!(
        whatsapp.subscribe(&webhook(&gateway), VERIFY_TOKEN).await,
        Some(200)
    );
    assert_eq!(whatsapp.says(ANN, "let me in").await, 503);

    let asked = whatsapp.count("number");
    configure(&dir, &with(TOKEN), false);
    whatsapp.until_called("number", asked + 1).await;
    whatsapp.deliver_again().await;
    whatsapp.sent_to(ANN).await;
    assert!(!logs.text().contains("notthisone"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_notice_to_an_owner_who_has_not_written_is_named_in_the_status() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let whatsapp = WhatsApp::start().await;
    let dir = install(&whatsapp, true);
    let gateway = start(&dir, &whatsapp).await;
    whatsapp.says(ANN, "let me in").await;
    logs.until("whatsapp: a message was not delivered", 1).await;
    let (owner, _events) = gateway.owner().await;
    let status: Value = owner.call("pairing.channels", json!({})).await.unwrap();
    let status = status.to_string();
    assert!(status.contains("they have to write first"), "{status}");
    gateway.stop().await;
}
