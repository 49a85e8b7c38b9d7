//! The whole way, as people go it, with a restart before each step: a stranger, a code, an approval, a phone.

use pairing_core::device::Role;
use serde_json::{Value, json};
use test_support::signal::{ACCOUNT, ANN, Person, Signal};

use super::{OWNER, install, sent};
use crate::bots::{Phone, code_in, heard, start};

/// Ann, who hides her number.
const HIDDEN: Person = Person {
    number: None,
    ..ANN
};

/// Ben, who hides his number.
const BEN: Person = Person {
    number: None,
    uuid: "00000000-0000-4000-8000-000000000002",
    name: "Ben",
};

#[tokio::test]
async fn from_a_stranger_s_first_word_to_a_phone_that_is_in_with_a_restart_before_each_step() {
    let signal = Signal::start().await;
    let dir = install(&signal, false);
    let gateway = start(&dir).await;
    signal.opened(1).await;
    signal.says(ANN, "let me in");
    let (to, reply) = sent(&signal).await;
    assert_eq!(to, ANN.number.unwrap());
    assert!(
        reply.contains("Your Signal number: +15550001111"),
        "{reply}"
    );
    gateway.stop().await;

    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let approve = json!({ "channel": "signal", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], ANN.number.unwrap());
    gateway.stop().await;

    let gateway = start(&dir).await;
    signal.opened(3).await;
    let (owner, mut events) = gateway.owner().await;
    signal.says(ANN, "now?");
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "now?");
    let answer = json!({
        "channel": "signal", "to": inbound["chat"], "message": "yes, *now*", "idempotencyKey": "1",
    });
    let _: Value = owner.call("send", answer).await.unwrap();
    assert_eq!(
        sent(&signal).await,
        (ANN.number.unwrap().into(), "yes, *now*".into())
    );
    gateway.stop().await;

    let gateway = start(&dir).await;
    signal.opened(4).await;
    signal.says(OWNER, "/pair");
    sent(&signal).await;
    let phone = Phone::with(&sent(&signal).await.1);
    gateway.stop().await;

    let gateway = start(&dir).await;
    phone.asks(&gateway).await;
    gateway.stop().await;

    let gateway = start(&dir).await;
    signal.opened(6).await;
    signal.says(OWNER, "/pair approve");
    let (_, said) = sent(&signal).await;
    assert!(said.starts_with("Approved"), "{said}");
    let (node, _events) = phone.connect(&gateway).await.unwrap();
    assert_eq!(node.hello().auth.role, Role::Node);
    gateway.stop().await;
}

#[tokio::test]
async fn whoever_was_approved_by_number_is_known_when_they_hide_it_and_the_other_way_round() {
    let signal = Signal::start().await;
    let dir = install(&signal, false);
    let gateway = start(&dir).await;
    signal.opened(1).await;
    let (owner, mut events) = gateway.owner().await;
    let by_number = json!({ "channel": "signal", "entry": ANN.number.unwrap() });
    let _: Value = owner.call("pairing.allow", by_number).await.unwrap();
    // An id alone says nothing yet: she is a stranger, and asks by it.
    signal.says(HIDDEN, "who am I?");
    let (to, reply) = sent(&signal).await;
    assert_eq!(to, ANN.uuid);
    assert!(reply.contains(ANN.uuid), "{reply}");
    // Once both were seen together, she is known by either, also after a restart.
    signal.says(ANN, "with my number");
    assert_eq!(heard(&mut events).await["text"], "with my number");
    signal.says(HIDDEN, "without");
    assert_eq!(heard(&mut events).await["text"], "without");
    gateway.stop().await;
    let gateway = start(&dir).await;
    signal.opened(2).await;
    let (owner, mut events) = gateway.owner().await;
    signal.says(HIDDEN, "after a restart");
    let inbound = heard(&mut events).await;
    assert_eq!(inbound["text"], "after a restart");
    // Taking the number off the list ends it for both.
    let revoke = json!({ "channel": "signal", "entry": ANN.number.unwrap() });
    let _: Value = owner.call("pairing.revoke", revoke).await.unwrap();
    signal.says(HIDDEN, "and now?");
    signal.says(OWNER, "/pair pending");
    // She asked by her id before, and that still waits: she is told nothing, and the owner is.
    assert_eq!(sent(&signal).await.0, OWNER.number.unwrap());
    assert_eq!(signal.calls(), 0);
    // The other way round: Ben hides his number, is approved by his id, and shows it after that.
    signal.says(BEN, "who am I?");
    let (to, reply) = sent(&signal).await;
    assert_eq!(to, BEN.uuid);
    let approve = json!({ "channel": "signal", "code": code_in(&reply) });
    let approved: Value = owner.call("pairing.approve", approve).await.unwrap();
    assert_eq!(approved["id"], format!("uuid:{}", BEN.uuid));
    let shown = Person {
        number: Some("+15550002222"),
        ..BEN
    };
    for (person, text) in [
        (BEN, "by my id"),
        (shown, "by both"),
        (BEN, "by my id again"),
    ] {
        signal.says(person, text);
        assert_eq!(heard(&mut events).await["text"], text);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn from_no_account_to_the_first_message_by_scanning_a_code() {
    let signal = Signal::start().await;
    signal.set_accounts(&[]);
    let dir = install(&signal, false);
    let gateway = start(&dir).await;
    let (owner, _events) = gateway.owner().await;
    let begun: Value = owner
        .call("channels.login.start", json!({ "channel": "signal" }))
        .await
        .unwrap();
    let wait = async |after: &Value| -> Value {
        let wait = json!({ "loginId": begun["loginId"], "after": after, "timeoutMs": 20_000 });
        owner.call("channels.login.wait", wait).await.unwrap()
    };
    let coded = wait(&begun["step"]).await;
    assert_eq!(coded["state"], "code", "{coded}");
    signal.scans(ACCOUNT).await;
    let done = wait(&coded["step"]).await;
    assert_eq!(
        (&done["state"], &done["linkedAs"]),
        (&json!("linked"), &json!(ACCOUNT))
    );
    signal.opened(1).await;
    // The audit log says who has done it.
    let audit = async || -> Vec<(Value, Value)> {
        let asked = json!({ "channel": "signal" });
        let all: Value = owner.call("pairing.audit", asked).await.unwrap();
        let all = all["entries"].as_array().unwrap().iter();
        all.map(|one| (one["action"].clone(), one["account"].clone()))
            .collect()
    };
    let entry = |action: &str| (json!(action), json!("default"));
    assert_eq!(audit().await, [entry("linked")]);
    signal.says(ANN, "let me in");
    loop {
        let call = signal.called("send").await;
        let text = call["message"].as_str().unwrap();
        if text.contains("Your Signal number: +15550001111") {
            break;
        }
    }
    // One that is given up, one that fails, and logging out.
    let start = json!({ "channel": "signal" });
    let given_up: Value = owner.call("channels.login.start", &start).await.unwrap();
    let end = json!({ "loginId": given_up["loginId"] });
    let _: Value = owner.call("channels.login.end", end).await.unwrap();
    assert_eq!(audit().await, [entry("not-linked"), entry("linked")]);
    signal.refuse(-3, "Link request error: Connection closed!", None);
    let mut now: Value = owner.call("channels.login.start", &start).await.unwrap();
    while now["state"] != "failed" {
        let wait = json!({ "loginId": now["loginId"], "after": now["step"] });
        now = owner.call("channels.login.wait", wait).await.unwrap();
    }
    let out: Value = owner.call("channels.logout", &start).await.unwrap();
    assert_eq!(
        (&out["cleared"], &out["name"]),
        (&json!(true), &json!(ACCOUNT))
    );
    let actions = ["logged-out", "not-linked", "not-linked", "linked"];
    assert_eq!(audit().await, actions.map(entry));
    signal.left().await;
    gateway.stop().await;
}

#[tokio::test]
async fn owners_are_told_and_decide_by_text() {
    let signal = Signal::start().await;
    let dir = install(&signal, true);
    let gateway = start(&dir).await;
    signal.opened(1).await;
    let (_owner, mut events) = gateway.owner().await;
    signal.says(ANN, "let me in");
    let mut told = [sent(&signal).await, sent(&signal).await];
    told.sort();
    let [(stranger, reply), (person, notice)] = told;
    assert_eq!(
        (stranger.as_str(), person.as_str()),
        (ANN.number.unwrap(), OWNER.number.unwrap())
    );
    assert!(notice.contains(ANN.number.unwrap()), "{notice}");
    signal.says(OWNER, &format!("/pair approve {}", code_in(&reply)));
    let (_, said) = sent(&signal).await;
    assert!(said.contains("Approved"), "{said}");
    signal.says(ANN, "in?");
    assert_eq!(heard(&mut events).await["text"], "in?");
    gateway.stop().await;
}
