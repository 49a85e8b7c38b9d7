//! `send`: an agent answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use channel_kit::SendError;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::fake::{Fake, direct};
use super::{behind, heard, telegram};
use crate::support::start;

fn to(chat: &str, message: &str, key: &str) -> Value {
    json!({ "channel": "telegram", "to": chat, "message": message, "idempotencyKey": key })
}

#[tokio::test]
async fn an_agent_hears_and_answers() {
    let (fake, work) = (
        Fake::new("telegram", "default"),
        Fake::new("telegram", "work"),
    );
    let gateway = behind(telegram("allowFrom: [1]"), &[&fake, &work]).await;
    let mut agent = gateway.asks(&["operator.read", "operator.write"]).await;
    let features = &agent.hello["features"];
    assert!(
        features["methods"]
            .as_array()
            .unwrap()
            .contains(&json!("send"))
    );
    let mut deaf = gateway.asks(&["operator.pairing"]).await;
    fake.says(direct("1", "ping")).await;
    let event = heard(&mut agent).await;
    assert_eq!(
        event,
        json!({
            "channel": "telegram", "accountId": "default", "id": "1", "sender": "1",
            "chat": "1", "isDirect": true, "text": "ping", "atMs": 1_795_353_726_000_i64,
            "meta": { "username": "zoe" },
        })
    );
    let answer = agent.call("send", to("1", "pong", "k")).await.unwrap();
    assert_eq!(
        answer,
        json!({ "channel": "telegram", "accountId": "default", "to": "1", "messageId": "m1" })
    );
    let (target, text) = fake.next().await;
    assert_eq!((target.chat.as_str(), text.as_str()), ("1", "pong"));
    let mut elsewhere = to("-100", "pong", "k2");
    (elsewhere["accountId"], elsewhere["thread"]) = (json!("Work"), json!("7"));
    let answer = agent.call("send", elsewhere).await.unwrap();
    assert_eq!(answer["accountId"], "work");
    assert_eq!(work.next().await.0.thread.as_deref(), Some("7"));
    // Who may not read hears nothing, and who may not write says nothing.
    assert_eq!(
        deaf.refused("send", to("1", "x", "k")).await,
        "INVALID_REQUEST missing scope: operator.write"
    );
    assert!(!deaf.has_event("message.inbound"));
    gateway.stop().await;
}

#[tokio::test]
async fn t117_whoever_may_look_is_not_told_what_people_write() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram(""), &[&fake]).await;
    gateway.allows("default", "1");
    let mut reader = gateway.asks(&["operator.read", "operator.pairing"]).await;
    let mut told = Vec::new();
    for scopes in ["operator.messages", "operator.write", "operator.admin"] {
        told.push(gateway.asks(&[scopes]).await);
    }
    fake.says(direct("1", "for the bot alone")).await;
    for client in &mut told {
        let event = super::heard(client).await;
        assert_eq!(event["text"], "for the bot alone");
    }
    // All were told at once, so an answer comes after what there was to be told.
    reader.call("health", json!({})).await.unwrap();
    assert!(!reader.has_event("message.inbound"));
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_twice_is_sent_once() {
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram(""), &[&fake]).await;
    let mut agent = gateway.asks(&["operator.write"]).await;
    let mut again = gateway.asks(&["operator.write"]).await;
    let mut other = gateway
        .operator_device(&gateway.device(), &["operator.write"])
        .await;
    // At the same time, over two connections of one client.
    let gate = Arc::new(Notify::new());
    *fake.held.lock().unwrap() = Some(gate.clone());
    let first = agent.send("send", to("1", "pong", "k")).await;
    let second = again.send("send", to("1", "pong", "k")).await;
    gate.notify_one();
    let first = agent.answer(&first).await.unwrap();
    assert_eq!(Ok(first.clone()), again.answer(&second).await);
    *fake.held.lock().unwrap() = None;
    gateway.pass(599);
    assert_eq!(agent.call("send", to("1", "pong", "k")).await, Ok(first));
    assert_eq!(fake.sent(), 1);
    assert_eq!(
        agent.refused("send", to("1", "other", "k")).await,
        "INVALID_REQUEST invalid send params: at idempotencyKey: was used for another message"
    );
    // Another client's key is another key; and so is the same one later.
    other.call("send", to("1", "other", "k")).await.unwrap();
    gateway.pass(1);
    let later = agent.call("send", to("1", "pong", "k")).await.unwrap();
    assert_eq!((fake.sent(), &later["messageId"]), (3, &json!("m3")));
    gateway.stop().await;
}

#[tokio::test]
async fn t67_what_could_not_be_sent_is_said_and_may_be_tried_again() {
    let fake = Fake::new("telegram", "default");
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    *fake.sending.lock().unwrap() = Box::new(move |to| match to.chat.as_str() {
        "1" if down.load(Ordering::SeqCst) => Err(SendError::Unavailable {
            reason: "timed\u{1b}[2J out".to_owned(),
        }),
        _ => Ok(()),
    });
    let gateway = behind(telegram(""), &[&fake]).await;
    let mut agent = gateway.asks(&["operator.write"]).await;
    let error = agent.call("send", to("1", "x", "k")).await.unwrap_err();
    assert_eq!(error["code"], "UNAVAILABLE");
    assert_eq!(error["details"]["code"], "CHANNEL_UNAVAILABLE");
    assert_eq!(error["retryable"], true);
    assert!(!error["message"].as_str().unwrap().contains('\u{1b}'));
    is_down.store(false, Ordering::SeqCst);
    agent.call("send", to("1", "x", "k")).await.unwrap();
    assert_eq!(fake.sent(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn t67_what_cannot_be_sent_is_said_to_be_and_why() {
    let fake = Fake::new("telegram", "default");
    *fake.sending.lock().unwrap() = Box::new(move |to| match to.chat.as_str() {
        "2" => Err(SendError::Chat {
            reason: "bot was blocked by the user".to_owned(),
        }),
        _ => Err(SendError::Unable),
    });
    let off = Fake::new("telegram", "off");
    let settings = telegram("accounts: { off: { enabled: false } }");
    let gateway = behind(settings, &[&fake, &off]).await;
    let mut agent = gateway
        .operator_device(&gateway.device(), &["operator.write"])
        .await;
    let with = |name: &str, value: &str| {
        let mut params = to("1", "x", "k9");
        params[name] = json!(value);
        params
    };
    let long = "x".repeat(65_537);
    for (params, code, message) in [
        (
            to("2", "x", "k2"),
            "CHAT",
            "the chat cannot be written to: bot was blocked by the user",
        ),
        (to("3", "x", "k3"), "UNABLE", "the channel cannot do that"),
        (
            with("channel", "discord"),
            "NO_ADAPTER",
            "no discord account default runs here",
        ),
        (
            with("accountId", "nope"),
            "NO_ADAPTER",
            "no telegram account nope runs here",
        ),
        (
            with("accountId", "off"),
            "DISABLED",
            "the telegram account off is turned off",
        ),
        (
            with("channel", "9"),
            "INVALID_NAME",
            "a channel is named by a letter",
        ),
        (
            with("accountId", "../x"),
            "INVALID_NAME",
            "an account name holds no `..`",
        ),
        (
            with("to", ""),
            "INVALID_PARAMS",
            "invalid send params: at to: must not be empty",
        ),
        (
            with("to", "1\n2"),
            "INVALID_PARAMS",
            "invalid send params: at to: can be no chat",
        ),
        (
            with("thread", "\u{0}"),
            "INVALID_PARAMS",
            "invalid send params: at to: can be no chat",
        ),
        (
            with("message", ""),
            "INVALID_PARAMS",
            "invalid send params: at message: must not be empty",
        ),
        (
            with("message", &long),
            "INVALID_PARAMS",
            "invalid send params: at message: has at most 65536 bytes",
        ),
        (
            with("idempotencyKey", &long),
            "INVALID_PARAMS",
            "invalid send params: at idempotencyKey: has at most 256 bytes",
        ),
        (
            with("nonsense", "1"),
            "INVALID_PARAMS",
            "invalid send params: at nonsense: unknown field",
        ),
    ] {
        let error = agent.call("send", params).await.unwrap_err();
        assert_eq!(error["code"], "INVALID_REQUEST", "{error}");
        assert_eq!(
            error["details"]["code"].as_str().unwrap_or(""),
            code,
            "{error}"
        );
        let said = error["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{said}");
    }
    assert_eq!(fake.sent(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn without_channels_there_is_no_send() {
    let gateway = start().await;
    let mut agent = gateway.admin().await;
    assert_eq!(
        agent.refused("send", to("1", "x", "k")).await,
        "INVALID_REQUEST unknown method: send"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn t67_nobody_is_told_by_an_account_that_is_turned_off() {
    let fake = Fake::new("telegram", "off");
    let settings = telegram("accounts: { off: { enabled: false } }");
    let gateway = behind(settings, &[&fake]).await;
    gateway.account("off").request_or_reuse("5").unwrap();
    let mut admin = gateway.admin().await;
    let approve = json!({
        "channel": "telegram", "accountId": "off", "notify": true,
        "code": gateway.waiting("off")[0].code,
    });
    let approved = admin.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["notified"], false, "{approved}");
    assert_eq!(
        approved["notNotified"],
        "the gateway does not run this account"
    );
    assert!(gateway.waiting("off").is_empty());
    gateway.stop().await;
    assert_eq!(fake.sent(), 0);
}
