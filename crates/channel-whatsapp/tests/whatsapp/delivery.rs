//! From Meta to the inbox: signatures, repeats, several numbers, and what is left out.

use std::sync::Arc;

use channel_kit::{Adapter as _, Delivery, SaveError, SavedText, Verification, WebhookHead};
use pairing_core::Timestamp;
use serde_json::{Value, json};
use test_support::Logs;
use test_support::whatsapp::{ANN, APP_SECRET, NUMBER, NUMBER_ID, VERIFY_TOKEN, body, signature};

use crate::rig::{NOW, Rig, Running, deliver, deliver_to, delivered};

/// Another number of the same app.
const OTHER_ID: &str = "206540352242922";
const OTHER: &str = "+1 555-078-3882";

#[tokio::test]
async fn t181_only_a_body_with_its_own_signature_is_believed() {
    let rig = Rig::new().await;
    let account = rig.account();
    let webhook = account.webhook().unwrap();
    let body = rig.whatsapp.note(ANN, "hello").to_string();
    let right = signature(body.as_bytes(), APP_SECRET);
    let other = signature(b"another body", APP_SECRET);
    let secret = signature(body.as_bytes(), "fedcba9876543210fedcba9876543210");
    let sha1 = right.replace("sha256=", "sha1=");
    for (value, is_admitted, is_signed) in [
        (Some(right.as_str()), true, true),
        (Some(&other), true, false),
        (Some(&secret), true, false),
        (Some(&sha1), false, false),
        (Some("sha256="), false, false),
        (Some(""), false, false),
        (None, false, false),
    ] {
        let header = |name: &str| value.filter(|_| name == "x-hub-signature-256");
        let head = WebhookHead::new(Some("hub.verify_token=open-sesame-4711"), &header);
        assert_eq!(webhook.admits(&head), is_admitted, "{value:?}");
        assert_eq!(
            webhook.is_signed(&head, body.as_bytes()),
            is_signed,
            "{value:?}"
        );
        let changed = body.replace("hello", "hullo");
        assert!(!webhook.is_signed(&head, changed.as_bytes()));
    }
}

#[tokio::test]
async fn a_webhook_is_verified_by_its_token_alone() {
    let rig = Rig::new().await;
    let account = rig.account();
    let webhook = account.webhook().unwrap();
    let verified = |query: &str| webhook.verify(&WebhookHead::new(Some(query), &|_| None));
    let right =
        format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY_TOKEN}");
    assert_eq!(
        verified(&right),
        Verification::Answer("1158201444".to_owned())
    );
    let encoded = right.replace("hub.", "hub%2E").replace('-', "%2d");
    assert_eq!(
        verified(&encoded),
        Verification::Answer("1158201444".to_owned())
    );
    for wrong in [
        String::new(),
        right.replace("subscribe", "unsubscribe"),
        right.replace(VERIFY_TOKEN, ""),
        right.replace(VERIFY_TOKEN, "open-sesame-4712"),
        right.replace(VERIFY_TOKEN, &VERIFY_TOKEN.to_uppercase()),
        right.replace("1158201444", ""),
        right.replace("1158201444", "%3Cscript%3E"),
        right.replace("1158201444", "a+b"),
        right.replace("1158201444", &"1".repeat(257)),
        format!("{right}&hub.verify_token=x"),
        format!("{right}&hub.challenge=2"),
    ] {
        assert_eq!(verified(&wrong), Verification::Refused, "{wrong}");
    }
}

#[tokio::test]
async fn t182_a_message_is_handed_on_once_however_often_it_is_delivered() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let first = rig.whatsapp.note(ANN, "first");
    for _ in 0..10 {
        delivered(&running, &first);
    }
    assert_eq!(running.text().await, "first");
    delivered(&running, &first);
    delivered(&running, &rig.whatsapp.note(ANN, "second"));
    assert_eq!(running.text().await, "second");
    assert!(running.is_quiet());
    running.stop().await;

    // Also days and restarts later.
    for day in 1..9 {
        rig.clock
            .set(Timestamp::from_millis((NOW + day * 24 * 3600) * 1000));
        rig.whatsapp.set_now(NOW + day * 24 * 3600);
        let mut running = rig.listening().await;
        delivered(&running, &first);
        let today = format!("day {day}");
        delivered(&running, &rig.whatsapp.note(ANN, &today));
        assert_eq!(running.text().await, today);
        running.stop().await;
    }
}

#[tokio::test]
async fn what_was_missed_for_days_is_handed_on_when_it_is_delivered_again() {
    let rig = Rig::new().await;
    let missed = rig.whatsapp.note(ANN, "six days ago");
    let ancient = rig.whatsapp.note(ANN, "recorded long ago");
    rig.clock
        .set(Timestamp::from_millis((NOW + 6 * 24 * 3600) * 1000));
    let mut running = rig.listening().await;
    delivered(&running, &missed);
    let message = running.message().await;
    assert_eq!(
        (message.text.as_str(), message.historical),
        ("six days ago", false)
    );
    rig.clock
        .set(Timestamp::from_millis((NOW + 60 * 24 * 3600) * 1000));
    delivered(&running, &ancient);
    rig.whatsapp.set_now(NOW + 60 * 24 * 3600);
    delivered(&running, &rig.whatsapp.note(ANN, "today"));
    assert_eq!(running.text().await, "today");
    running.stop().await;
}

#[tokio::test]
async fn several_numbers_in_one_body_each_for_its_account() {
    let rig = Rig::new().await;
    rig.whatsapp.add_number(OTHER_ID, OTHER);
    let text = |text: &str| json!({ "type": "text", "text": { "body": text } });
    let whole = body(&[
        rig.whatsapp.change(NUMBER_ID, NUMBER, ANN, &text("one")),
        rig.whatsapp.change(OTHER_ID, OTHER, ANN, &text("two")),
        rig.whatsapp
            .change(NUMBER_ID, NUMBER, "+15550002222", &text("three")),
        rig.whatsapp
            .change("9", "+1 9", ANN, &text("to nobody here")),
    ]);
    let mut first = rig.listening().await;
    let other = Rig::new().await;
    let account = other.account_of(
        OTHER_ID,
        &rig.whatsapp.root(),
        test_support::whatsapp::TOKEN,
    );
    let mut second = Running::run(account, 16);
    crate::rig::connected(&second).await;
    delivered(&first, &whole);
    delivered(&second, &whole);
    let one = first.message().await;
    assert_eq!((one.text.as_str(), one.sender.as_str()), ("one", ANN));
    assert_eq!(one.meta, [("name".to_owned(), "Ann".to_owned())]);
    assert_eq!(first.message().await.sender, "+15550002222");
    assert_eq!(second.text().await, "two");
    assert!(first.is_quiet() && second.is_quiet());
    let elsewhere = body(&[rig.whatsapp.change("9", "+1 9", ANN, &text("nobody"))]);
    assert_eq!(deliver(&first, &elsewhere), Delivery::Elsewhere);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn two_gateways_on_one_app_hand_each_message_on_once_where_it_arrives() {
    let rig = Rig::new().await;
    let other = Rig::new().await;
    let mut first = rig.listening().await;
    let account = other.account_of(
        NUMBER_ID,
        &rig.whatsapp.root(),
        test_support::whatsapp::TOKEN,
    );
    let mut second = Running::run(account, 16);
    crate::rig::connected(&second).await;
    for number in 0..10 {
        let (to, name) = if number % 2 == 0 {
            (&mut first, "even")
        } else {
            (&mut second, "odd")
        };
        let note = rig.whatsapp.note(ANN, name);
        delivered(to, &note);
        delivered(to, &note);
        assert_eq!(to.text().await, name);
    }
    assert!(first.is_quiet() && second.is_quiet());
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn what_is_no_message_of_a_person_is_left_out() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    for members in [
        json!({ "type": "reaction", "reaction": { "message_id": "wamid.A", "emoji": "👍" } }),
        json!({ "type": "system", "system": { "body": "Ann changed from 1 to 2", "type": "user_changed_number" } }),
        json!({ "type": "unsupported", "errors": [{ "code": 131_051, "title": "Message type unknown" }] }),
        json!({ "type": "hologram", "hologram": {} }),
        json!({ "type": "text", "text": { "body": "mine" }, "from": "15550783881" }),
        json!({ "type": "text", "text": { "body": "nameless" }, "from": "" }),
    ] {
        delivered(&running, &rig.whatsapp.body(ANN, &members));
    }
    let template =
        json!({ "field": "message_template_status_update", "value": { "event": "APPROVED" } });
    let template = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [template] }] });
    delivered(&running, &template);
    delivered(&running, &rig.whatsapp.note(ANN, "at last"));
    assert_eq!(running.text().await, "at last");
    assert_eq!(
        logs.count("somebody wrote whose number WhatsApp does not tell"),
        1
    );
    running.stop().await;
    for secret in ["hunter2", APP_SECRET, VERIFY_TOKEN, "at last", "nameless"] {
        assert!(!logs.text().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn texts_of_a_hundred_kilobytes_long_ids_and_odd_bodies() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    delivered(&running, &rig.whatsapp.note(ANN, &"ä".repeat(50_000)));
    assert_eq!(running.text().await.len(), 16 << 10);
    let text = json!({ "body": "x" });
    for id in ["", "a b", &"x".repeat(1000)] {
        let members = json!({ "type": "text", "text": text, "id": id });
        delivered(&running, &rig.whatsapp.body(ANN, &members));
    }
    for body in ["", "{", "[]", "null", "{\"object\":1}", "payload=%7B%7D"] {
        assert_eq!(
            deliver_to(&running.adapter, body),
            Delivery::Malformed,
            "{body}"
        );
    }
    delivered(&running, &rig.whatsapp.note(ANN, "fine"));
    assert_eq!(running.text().await, "fine");
    running.stop().await;
}

#[tokio::test]
async fn a_button_is_handed_on_once() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let press = json!({
        "type": "interactive", "context": { "from": "15550783881", "id": "wamid.B" },
        "interactive": { "type": "button_reply", "button_reply": { "id": "a:1", "title": "Approve" } },
    });
    let press = rig.whatsapp.body(ANN, &press);
    delivered(&running, &press);
    delivered(&running, &press);
    let pressed = running.pressed().await;
    assert_eq!(
        (pressed.sender.as_str(), pressed.data.as_str()),
        (ANN, "a:1")
    );
    assert_eq!(
        (pressed.message.0.as_str(), pressed.chat.chat.as_str()),
        ("wamid.B", ANN)
    );
    delivered(&running, &rig.whatsapp.note(ANN, "next"));
    assert_eq!(running.text().await, "next");
    running.stop().await;
}

#[tokio::test]
async fn where_nobody_reads_deliveries_wait_at_meta_and_none_is_lost() {
    let rig = Rig::new().await;
    let mut running = rig.listening().await;
    let notes: Vec<Value> = (0..1500)
        .map(|number| rig.whatsapp.note(ANN, &number.to_string()))
        .collect();
    let mut waiting: Vec<_> = notes
        .iter()
        .filter(|note| deliver(&running, note) != Delivery::Taken)
        .collect();
    assert!(waiting.len() > 100, "{}", waiting.len());
    let mut texts = Vec::new();
    while texts.len() < notes.len() {
        texts.push(running.text().await);
        // Meta does not hurry.
        if texts.len() % 256 == 0 {
            waiting.retain(|note| deliver(&running, note) != Delivery::Taken);
        }
    }
    texts.sort_by_key(|text| text.parse::<u32>().unwrap());
    texts.dedup();
    assert_eq!(texts.len(), notes.len());
    running.stop().await;
}

#[tokio::test]
async fn what_is_delivered_while_nothing_runs_is_left_at_meta() {
    let rig = Rig::new().await;
    let account = rig.account();
    let note = rig.whatsapp.note(ANN, "hello").to_string();
    assert_eq!(deliver_to(&account, &note), Delivery::Busy);
    let mut running = rig.listening().await;
    assert_eq!(deliver_to(&running.adapter, &note), Delivery::Taken);
    assert_eq!(running.text().await, "hello");
    let account = Arc::clone(&running.adapter);
    running.stop().await;
    assert_eq!(deliver_to(&account, &note), Delivery::Busy);
}

#[derive(Debug)]
struct Full;

impl SavedText for Full {
    fn load(&self) -> Option<String> {
        None
    }

    fn save(&self, _: &str) -> Result<(), SaveError> {
        Err(SaveError::new("no room").with_advice(Some("make room".to_owned())))
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named_once_and_messages_come() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let surroundings = channel_whatsapp::Surroundings::new(
        Arc::new(Full),
        rig.clock.clone(),
        Arc::new(test_support::Counting::default()),
    );
    let account = rig.account_with(surroundings);
    let mut running = Running::run(account, 16);
    crate::rig::connected(&running).await;
    for text in ["one", "two"] {
        delivered(&running, &rig.whatsapp.note(ANN, text));
        assert_eq!(running.text().await, text);
    }
    let not_saved = running.adapter.status().not_saved.unwrap();
    assert!(not_saved.ends_with("no room"), "{not_saved}");
    running.stop().await;
    assert_eq!(logs.count("what was received cannot be noted"), 1);
}
