//! No secret in what is logged, shown, saved or returned.

use channel_kit::{Adapter as _, Outgoing, SavedText as _, Target};
use test_support::Logs;
use test_support::slack::{Answer, BOT_TOKEN, SECRET};

use crate::rig::{ANN, Rig};

#[tokio::test]
async fn the_tokens_and_what_was_said_are_nowhere() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut running = rig.connected().await;
    rig.slack.says(ANN, "between us");
    let inbound = running.message().await;
    rig.slack.commands(ANN, "/pair", "between-us");
    running.message().await;
    let chat = Target::chat(rig.slack.chat_with(ANN));
    let mut shown = format!("{inbound:?} {:?}", running.adapter);
    let what = Outgoing::text("between us");
    shown += &format!("{what:?}");
    // A server that repeats the token.
    for method in ["chat.postEphemeral", "chat.postMessage"] {
        rig.slack.answers(method, Answer::Error(BOT_TOKEN));
        let sent = running.adapter.send(&chat, &what).await;
        shown += &format!("{sent:?}");
        if let Err(error) = sent {
            shown += &error.to_string();
        }
        rig.slack.says(ANN, "between us");
        running.message().await;
    }
    rig.slack.disconnects("link_disabled");
    running.ended().await;
    shown += &logs.text();
    shown += &rig.saved.load().unwrap();
    for secret in [SECRET, "between", "ticket"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
