//! No secret in what is logged, shown, saved or returned.

use channel_kit::{Adapter as _, Outgoing, SavedText as _, Target};
use test_support::Logs;
use test_support::feishu::{APP_SECRET, Answer};

use crate::rig::{ANN, Rig};

#[tokio::test]
async fn the_secret_the_tokens_and_what_was_said_are_nowhere() {
    let logs = Logs::default();
    let _guard = logs.listen();
    let rig = Rig::new().await;
    let mut running = rig.connected().await;
    rig.feishu.says(ANN, "between us");
    let inbound = running.message().await;
    let chat = Target::chat(ANN);
    let mut shown = format!("{inbound:?} {:?}", running.adapter);
    let what = Outgoing::text("between us");
    shown += &format!("{what:?}");
    running.adapter.send(&chat, &what).await.unwrap();
    // A server that repeats the secret and the token.
    let token: &str = rig.feishu.tokens().remove(0).leak();
    for text in [APP_SECRET, token] {
        rig.feishu.answers("send", Answer::Code(230_001, text));
        let error = running.adapter.send(&chat, &what).await.unwrap_err();
        shown += &format!("{error} {error:?}");
    }
    rig.feishu
        .answers("endpoint", Answer::Code(514, APP_SECRET));
    rig.feishu.close();
    running.ended().await;
    shown += &logs.text();
    shown += &rig.saved.load().unwrap();
    for secret in [APP_SECRET, "between", "ticket", token] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
