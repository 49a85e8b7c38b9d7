//! What is sent, and what becomes of it.

use std::time::Duration;

use channel_kit::{Adapter as _, MessageId, Outgoing, ProbeError, SendError, Target};
use serde_json::json;
use test_support::imsg::ANN;

use crate::rig::{Rig, Running};

#[tokio::test]
async fn texts_go_to_handles_and_chats() {
    let rig = Rig::new().await;
    let account = rig.account(rig.imsg.program()).region(Some("DE".into()));
    let running = Running::run(account, 16);
    rig.imsg.watching(1).await;
    let sent = running
        .adapter
        .send(&Target::chat(ANN), &Outgoing::text("*hi*"))
        .await
        .unwrap();
    assert_eq!(sent, MessageId("GUID-1".into()));
    let call = rig.imsg.called("send").await;
    assert_eq!(
        call,
        json!({ "to": ANN, "text": "*hi*", "service": "auto", "region": "DE" })
    );
    let long = "word ".repeat(1000);
    let sent = running
        .adapter
        .send(&Target::chat("chat_id:7"), &Outgoing::text(&long))
        .await
        .unwrap();
    assert_eq!(sent, MessageId("GUID-2,GUID-3".into()));
    assert_eq!(rig.imsg.called("send").await["chat_id"], 7);
    let nowhere = running
        .adapter
        .send(&Target::chat("ann"), &Outgoing::text("x"))
        .await;
    assert!(matches!(nowhere, Err(SendError::Chat { .. })));
    running.stop().await;
}

#[tokio::test]
async fn failures_say_what_to_do_and_whether_it_may_have_been_sent() {
    let mut rig = Rig::new().await;
    rig.pace.send = Duration::from_millis(200);
    let running = rig.watching(1).await;
    let adapter = &running.adapter;
    let (to, what) = (Target::chat(ANN), Outgoing::text("a secret"));
    for (code, message, named) in [
        (
            -32000,
            "Not authorized to send Apple events to Messages. (-1743)",
            "Automation",
        ),
        (-32602, "Invalid params", "cannot be written to"),
        (-32603, "a\u{1b}[31mb", "cannot be reached"),
    ] {
        rig.imsg.refuse(code, message);
        let error = adapter.send(&to, &what).await.unwrap_err().to_string();
        assert!(
            error.contains(named) && !error.contains('\u{1b}') && !error.contains("may have"),
            "{error}"
        );
    }
    rig.imsg.set_silent(true);
    let error = adapter.send(&to, &what).await.unwrap_err().to_string();
    assert!(
        error.contains("does not answer: it may have been sent"),
        "{error}"
    );
    rig.imsg.set_silent(false);
    rig.imsg.refuse(-32603, "no");
    assert!(matches!(
        adapter.probe().await,
        Err(ProbeError::Refused { .. })
    ));
    running.stop().await;
    let account = rig.account(rig.imsg.program());
    let error = account.send(&to, &what).await.unwrap_err().to_string();
    assert!(error.contains("imsg does not run"), "{error}");
}
