//! No secret in what is logged, shown, saved or returned.

use channel_kit::{Adapter as _, Outgoing, SavedText as _, Target};
use test_support::Logs;
use test_support::discord::{Answer, BOT_SECRET, BOT_TOKEN};

use crate::rig::{ANN, Rig};

#[tokio::test]
async fn the_token_and_what_was_said_are_nowhere() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut running = rig.connected().await;
    rig.discord.says(ANN, "between us");
    let inbound = running.message().await;
    rig.discord.commands(ANN, "pair", Some("between-us"));
    running.message().await;
    let chat = Target::chat(rig.discord.chat_with(ANN));
    let mut shown = format!("{inbound:?} {:?}", running.adapter);
    let what = Outgoing::text("between us");
    shown += &format!("{what:?}");
    // A server that repeats the token.
    for (status, code) in [(400, 1), (403, 50007), (500, 0)] {
        let create = "POST /channels/{}/messages";
        for _ in 0..3 {
            rig.discord
                .answers(create, Answer::Error(status, code, BOT_TOKEN));
        }
        let sent = running.adapter.send(&chat, &what).await;
        shown += &format!("{sent:?}");
        if let Err(error) = sent {
            shown += &error.to_string();
        }
    }
    rig.discord.close(4004);
    running.ended().await;
    shown += &logs.text();
    shown += &rig.saved.load().unwrap();
    assert!(!shown.contains(BOT_SECRET), "{shown}");
    assert!(!shown.contains("between"), "{shown}");
    assert!(!shown.contains("aW50ZXJhY3Rpb246"), "{shown}");
}
