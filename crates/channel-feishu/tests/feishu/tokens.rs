//! Tokens: fetched once, renewed in time, and once more when the server says that one has expired.

use std::time::Duration;

use channel_kit::{Adapter as _, Outgoing, ProbeError, SendError, Target};
use test_support::feishu::{APP_ID, Answer};

use crate::rig::{ANN, Rig};

#[tokio::test]
async fn one_token_serves_many_sends_at_a_time() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let (chat, what) = (Target::chat(ANN), Outgoing::text("x"));
    let (a, b, c) = tokio::join!(
        bot.send(&chat, &what),
        bot.send(&chat, &what),
        bot.send(&chat, &what)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(rig.feishu.counts().tokens, 1);
}

#[tokio::test]
async fn a_token_that_expires_mid_send_is_renewed_once() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    let (chat, what) = (Target::chat(ANN), Outgoing::text("x"));
    bot.send(&chat, &what).await.unwrap();
    rig.feishu.expire_tokens();
    bot.send(&chat, &what).await.unwrap();
    assert_eq!(
        (rig.feishu.counts().tokens, rig.feishu.count_sent()),
        (2, 2)
    );
    // A server that accepts none is not asked for ever.
    for code in [99_991_663, 99_991_664] {
        let before = (rig.feishu.count("send"), rig.feishu.counts().tokens);
        for _ in 0..4 {
            rig.feishu
                .answers("send", Answer::Code(code, "Invalid access token"));
        }
        let sent = bot.send(&chat, &what).await;
        assert!(
            matches!(sent, Err(SendError::Unavailable { .. })),
            "{sent:?}"
        );
        let after = (rig.feishu.count("send"), rig.feishu.counts().tokens);
        assert_eq!((after.0 - before.0, after.1 - before.1), (2, 1));
        for _ in 0..2 {
            rig.feishu
                .answers("send", Answer::Code(code, "Invalid access token"));
        }
        let _ = bot.send(&chat, &what).await;
        let _ = bot.send(&chat, &what).await;
        bot.send(&chat, &what).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let rig = Rig::new().await;
    let bot = rig.bot();
    rig.feishu.behave(|behaviour| behaviour.expires = 0);
    for _ in 0..2 {
        bot.send(&Target::chat(ANN), &Outgoing::text("x"))
            .await
            .unwrap();
    }
    assert_eq!(rig.feishu.counts().tokens, 2);
    rig.feishu.behave(|behaviour| behaviour.expires = 7200);
    for _ in 0..3 {
        bot.send(&Target::chat(ANN), &Outgoing::text("x"))
            .await
            .unwrap();
    }
    assert_eq!(rig.feishu.counts().tokens, 3);
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_named_when_it_is_asked_for() {
    let rig = Rig::new().await;
    assert_eq!(
        rig.bot().probe().await.unwrap().name.as_deref(),
        Some("OpenClaw")
    );
    for (id, code) in [(APP_ID, "10014"), ("cli_other", "10003")] {
        let bot = rig.bot_with(id, "anothersecretanothersecret");
        let Err(ProbeError::Refused { reason }) = bot.probe().await else {
            panic!("it is accepted");
        };
        assert!(
            reason.contains(code) && !reason.contains("anothersecret"),
            "{reason}"
        );
        let sent = bot.send(&Target::chat(ANN), &Outgoing::text("x")).await;
        assert!(
            matches!(sent, Err(SendError::Unavailable { .. })),
            "{sent:?}"
        );
    }
    rig.feishu
        .answers("bot", Answer::Raw(502, "<html>".to_owned()));
    let probed = rig.bot().probe().await;
    assert!(
        matches!(probed, Err(ProbeError::Unavailable { .. })),
        "{probed:?}"
    );
}

#[tokio::test]
async fn a_token_that_is_none_is_not_sent() {
    let mut rig = Rig::new().await;
    rig.pace.patience = Duration::ZERO;
    let bot = rig.bot();
    for token in ["", "a b", "x\\r\\nHost: y"] {
        let body = format!(r#"{{"code":0,"tenant_access_token":"{token}","expire":7200}}"#);
        rig.feishu.answers("token", Answer::Raw(200, body));
        let sent = bot.send(&Target::chat(ANN), &Outgoing::text("x")).await;
        assert!(
            matches!(sent, Err(SendError::Unavailable { .. })),
            "{sent:?}"
        );
    }
    assert_eq!(rig.feishu.count("send"), 0);
}
