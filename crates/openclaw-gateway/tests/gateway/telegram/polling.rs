//! What comes in: once, in order, and across restarts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use channel_kit::Incoming;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::server::{Answer, BOT_ID, BOT_TOKEN};
use super::{Bot, Rig};
use test_support::Logs;

#[tokio::test]
async fn a_message_comes_in() {
    let rig = Rig::new().await;
    let mut bot = rig.run();
    let id = rig.api.says(555, "hello");
    let said = bot.message().await;
    assert_eq!(said.text, "hello");
    assert_eq!((said.id, said.sender), (id.to_string(), "555".to_owned()));
    assert!(said.is_direct && said.authenticated && !said.historical);
    assert!(!said.from_me && !said.from_bot);
    rig.api.says_in(-100, 555, "hello all");
    let said = bot.message().await;
    assert!(!said.is_direct);
    assert_eq!(said.chat.chat, "-100");
    bot.stop().await;
}

#[tokio::test]
async fn polls_ask_for_messages_and_buttons_and_hang() {
    let rig = Rig::new().await;
    let bot = rig.run();
    // The first one only shows that it works.
    for timeout in [0, 30] {
        let poll = rig.api.called("getUpdates").await;
        assert_eq!(
            poll.params,
            json!({ "timeout": timeout, "allowed_updates": ["message", "callback_query"] })
        );
    }
    // It hangs, and is told to stop: nobody waits for the 30 seconds to be over.
    bot.stop().await;
    assert_eq!(rig.api.count("getUpdates"), 2);
}

#[tokio::test]
async fn the_bot_knows_its_own_words() {
    let rig = Rig::new().await;
    let mut bot = rig.run();
    rig.api.says(BOT_ID, "echo");
    assert!(bot.message().await.from_me);
    bot.stop().await;
}

#[tokio::test]
async fn each_update_once_also_across_restarts() {
    let rig = Rig::new().await;
    // A server that never forgets is the worst case of one that has crashed.
    rig.api.forgets_offsets();
    for round in 0..3 {
        let mut bot = rig.run();
        rig.api.says(555, &format!("{round} one"));
        rig.api.says(555, &format!("{round} two"));
        assert_eq!(bot.text().await, format!("{round} one"));
        assert_eq!(bot.text().await, format!("{round} two"));
        bot.stop().await;
    }
    let mut bot = rig.run();
    rig.api.says(555, "last");
    assert_eq!(bot.text().await, "last");
    assert!(bot.is_quiet());
    bot.stop().await;
}

#[tokio::test]
async fn what_was_taken_is_noted_and_asked_after() {
    let rig = Rig::new().await;
    let mut bot = rig.run();
    rig.api.called("getUpdates").await;
    let update = rig
        .api
        .push(json!({ "update_id": (1_i64 << 53) + 1, "message": message("hi") }));
    bot.text().await;
    let next = rig.api.called("getUpdates").await;
    assert_eq!(next.params["offset"], update + 1);
    bot.stop().await;
    let text = fs::read_to_string(rig.offsets()).unwrap();
    let noted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        noted,
        json!({ "version": 2, "lastUpdateId": 9_007_199_254_740_993_i64, "botId": "4242" })
    );
    let mode = fs::metadata(rig.offsets()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let bot = rig.run();
    let first = rig.api.called("getUpdates").await;
    assert_eq!(first.params["offset"], update + 1);
    bot.stop().await;
}

#[tokio::test]
async fn what_an_older_install_has_taken_is_not_taken_again() {
    let rig = Rig::new().await;
    fs::create_dir(rig.state.path().join("telegram")).unwrap();
    fs::write(rig.offsets(), r#"{"version":1,"lastUpdateId":1000}"#).unwrap();
    rig.api.says(555, "taken");
    rig.api.says(555, "new");
    let mut bot = rig.run();
    assert_eq!(bot.text().await, "new");
    bot.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_place_when_it_stops_is_there_after_it() {
    let rig = Rig::new().await;
    let mut bot = Bot::run(rig.adapter(), 1);
    for text in ["one", "two", "three"] {
        rig.api.says(555, text);
    }
    // The first is in; the second has no place. What is in the inbox is there to be read until the end.
    rig.api.called("getUpdates").await;
    assert_eq!(bot.text().await, "one");
    let (mut heard, mut inbox) = (vec!["one".to_owned()], {
        bot.tell_to_stop();
        bot.inbox
    });
    while let Some(Incoming::Message(inbound)) = inbox.recv().await {
        heard.push(inbound.text);
    }
    let mut bot = rig.run();
    while heard.len() < 3 {
        heard.push(bot.text().await);
    }
    assert_eq!(heard, ["one", "two", "three"]);
    rig.api.confirmed().await;
    assert!(bot.is_quiet());
    bot.stop().await;
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    let rig = Rig::new().await;
    let (inbox, receiver) = channel_kit::Inbox::new(1);
    let (_stop, stopped) = channel_kit::Stop::new();
    drop(receiver);
    rig.api.says(555, "hello");
    let adapter = std::sync::Arc::new(rig.adapter());
    let run = channel_kit::Adapter::run(adapter, inbox, stopped);
    tokio::time::timeout(crate::support::NEVER, run)
        .await
        .unwrap();
    assert!(!rig.offsets().exists(), "it was not taken");
}

#[tokio::test]
async fn a_server_that_answers_at_once_is_paced() {
    let mut rig = Rig::new().await;
    rig.pace.gap = Duration::from_millis(30);
    rig.api.answers_at_once();
    let begun = Instant::now();
    let bot = rig.run();
    for _ in 0..6 {
        rig.api.called("getUpdates").await;
    }
    // Five waits are over by then, however slow the machine.
    assert!(begun.elapsed() >= Duration::from_millis(150));
    bot.stop().await;
}

#[tokio::test]
async fn a_server_that_repeats_itself_is_paced() {
    let mut rig = Rig::new().await;
    rig.pace.gap = Duration::from_millis(30);
    rig.api.forgets_offsets();
    rig.api.says(555, "again and again");
    let begun = Instant::now();
    let mut bot = rig.run();
    for _ in 0..6 {
        rig.api.called("getUpdates").await;
    }
    // The first one brought something new.
    assert!(begun.elapsed() >= Duration::from_millis(120));
    bot.text().await;
    assert!(bot.is_quiet());
    bot.stop().await;
}

#[test]
fn the_usual_pace() {
    let pace = channel_telegram::Pace::default();
    assert_eq!(pace.poll, Duration::from_secs(30));
    assert!(pace.gap >= Duration::from_millis(200));
}

#[tokio::test]
async fn what_is_nothing_new_or_nothing_known_is_passed_over() {
    let rig = Rig::new().await;
    let mut forward = message("/pair approve");
    forward["forward_origin"] = json!({ "type": "user" });
    let mut late = message("from last year");
    late["date"] = 1_700_000_000.into();
    rig.api.push(json!({ "edited_message": message("edited") }));
    rig.api.push(json!({ "channel_post": message("posted") }));
    rig.api.push(json!({ "message": forward }));
    rig.api.push(json!({ "message": "no message" }));
    rig.api.push(json!({ "a_new_kind": { "id": 1 } }));
    rig.api.push(json!({ "message": late }));
    rig.api.says(555, "new");
    let mut bot = rig.run();
    let history = bot.message().await;
    assert!(history.historical);
    assert_eq!(bot.text().await, "new");
    rig.api.confirmed().await;
    bot.stop().await;
}

#[tokio::test]
async fn only_what_nobody_knows_is_got_rid_of_too() {
    let rig = Rig::new().await;
    let update = rig.api.push(json!({ "a_new_kind": {} }));
    let bot = rig.run();
    rig.api.confirmed().await;
    bot.stop().await;
    let text = fs::read_to_string(rig.offsets()).unwrap();
    assert!(text.contains(&update.to_string()), "{text}");
}

#[tokio::test]
async fn a_button_is_handed_on_and_let_go() {
    let rig = Rig::new().await;
    let mut bot = rig.run();
    rig.api.presses(555, 9, "approve:1");
    let Incoming::Pressed(pressed) = bot.next().await else {
        panic!("no button")
    };
    assert_eq!(
        (pressed.sender.as_str(), pressed.data.as_str()),
        ("555", "approve:1")
    );
    assert_eq!(
        (pressed.message.0.as_str(), pressed.chat.chat.as_str()),
        ("9", "555")
    );
    let answer = rig.api.called("answerCallbackQuery").await;
    assert_eq!(
        answer.params,
        json!({ "callback_query_id": "query-9-approve:1" })
    );
    bot.stop().await;
}

#[tokio::test]
async fn a_button_that_is_not_let_go_holds_nothing_up() {
    let rig = Rig::new().await;
    rig.api.answers("answerCallbackQuery", Answer::Silence);
    rig.api.answers(
        "answerCallbackQuery",
        Answer::Error(400, "query is too old"),
    );
    let mut bot = rig.run();
    rig.api.presses(555, 9, "one");
    rig.api.presses(555, 9, "two");
    rig.api.says(555, "after");
    bot.next().await;
    bot.next().await;
    assert_eq!(bot.text().await, "after");
    bot.stop().await;
}

#[tokio::test]
async fn owners_are_told_the_commands_once_and_after_polling_has_begun() {
    let rig = Rig::new().await;
    let mut bot = rig.run();
    // Nobody has written yet.
    for owner in [1, 2] {
        let call = rig.api.called("setMyCommands").await;
        assert_eq!(
            call.params,
            json!({
                "commands": [{ "command": "pair", "description": "Pair a device" }],
                "scope": { "type": "chat", "chat_id": owner },
            })
        );
    }
    assert!(rig.api.count("getUpdates") > 0);
    rig.api.says(555, "hello");
    bot.text().await;
    rig.api.confirmed().await;
    assert_eq!(rig.api.count("setMyCommands"), 2);
    bot.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_about_commands_holds_nothing_up() {
    let rig = Rig::new().await;
    rig.api.answers("setMyCommands", Answer::Silence);
    let mut bot = rig.run();
    rig.api.called("setMyCommands").await;
    rig.api.says(555, "hello");
    assert_eq!(bot.text().await, "hello");
    bot.stop().await;
}

#[tokio::test]
async fn where_there_is_no_owner_nobody_is_told_commands() {
    let rig = Rig::new().await;
    let mut bot = Bot::run(rig.adapter().commands([("pair", "Pair a device")], []), 16);
    for text in ["one", "two"] {
        rig.api.says(555, text);
        assert_eq!(bot.text().await, text);
    }
    rig.api.confirmed().await;
    assert_eq!(rig.api.count("setMyCommands"), 0);
    bot.stop().await;
}

#[tokio::test]
async fn a_server_that_knows_no_commands_is_a_log_line() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    rig.api.answers(
        "setMyCommands",
        Answer::Error(404, "Not Found: method not found"),
    );
    let mut bot = rig.run();
    for text in ["one", "two"] {
        rig.api.says(555, text);
        assert_eq!(bot.text().await, text);
    }
    rig.api.called("setMyCommands").await;
    logs.until("method=\"setMyCommands\"", 1).await;
    rig.api.says(555, "three");
    assert_eq!(bot.text().await, "three");
    assert_eq!(
        logs.count("ERROR") + logs.count("WARN"),
        0,
        "{}",
        logs.text()
    );
    assert_eq!(rig.api.count("setMyCommands"), 1);
    bot.stop().await;
}

#[tokio::test]
async fn another_bot_starts_anew() {
    let rig = Rig::new().await;
    fs::create_dir(rig.state.path().join("telegram")).unwrap();
    let others = r#"{"version":2,"lastUpdateId":1000,"botId":"1"}"#;
    fs::write(rig.offsets(), others).unwrap();
    rig.api.says(555, "first");
    let mut bot = rig.run();
    assert_eq!(bot.text().await, "first");
    assert!(BOT_TOKEN.starts_with("4242:"));
    bot.stop().await;
}

fn message(text: &str) -> Value {
    json!({
        "message_id": 1, "date": 1_795_353_726, "text": text,
        "from": { "id": 555, "is_bot": false }, "chat": { "id": 555, "type": "private" },
    })
}
