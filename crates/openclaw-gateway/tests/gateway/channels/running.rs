//! Adapters that run, are turned off and on, give up and end; and the embedder's handler.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gateway_channels::{By, Message};
use tokio::sync::{Notify, mpsc};

use super::fake::{Fake, direct, in_chat, in_group};
use super::{adding, behind, heard, telegram, with};
use crate::support::start_with;

#[tokio::test]
async fn the_configuration_turns_accounts_off_and_on() {
    let (one, work) = (
        Fake::new("telegram", "default"),
        Fake::new("telegram", "work"),
    );
    let off = "accounts: { work: { enabled: false } }";
    let gateway = behind(telegram(off), &[&one, &work]).await;
    let mut operator = gateway.asks(&["operator.messages"]).await;
    one.running(true).await;
    assert_eq!(work.runs.load(Ordering::SeqCst), 0);
    gateway.handle.reload(telegram("allowFrom: [1]"));
    work.running(true).await;
    work.says(direct("1", "hello")).await;
    assert_eq!(heard(&mut operator).await["accountId"], "work");
    gateway.handle.reload(telegram("enabled: false"));
    one.running(false).await;
    work.running(false).await;
    gateway.handle.reload(telegram(""));
    one.running(true).await;
    work.running(true).await;
    gateway.stop().await;
    work.running(false).await;
    assert_eq!(work.runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_that_gave_up_is_tried_again_with_another_configuration() {
    let mut tired = Fake::made("telegram", "tired");
    tired.gives_up = true;
    let tired = Arc::new(tired);
    let fake = Fake::new("telegram", "default");
    let gateway = behind(telegram(""), &[&fake, &tired]).await;
    tired.ran(1).await;
    gateway.handle.reload(telegram(""));
    tired.ran(2).await;
    fake.running(true).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_channel_whose_rules_nobody_knows_is_not_run() {
    let fake = Fake::new("carrier-pigeon", "default");
    let gateway = behind(telegram(""), &[&fake]).await;
    gateway.admin().await;
    gateway.stop().await;
    assert_eq!(fake.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_handler_gets_what_may_come_in_with_its_proof_and_answers() {
    let fake = Fake::new("telegram", "default");
    let (tell, mut told) = mpsc::unbounded_channel();
    let handle = move |message: Message| {
        let tell = tell.clone();
        async move {
            assert_ne!(message.text, "panic", "as a test wants it");
            message
                .reply(format!("you said {}", message.text))
                .await
                .unwrap();
            tell.send(message).unwrap();
        }
    };
    let gateway = start_with(telegram("allowFrom: [1]"), |builder| {
        adding(builder.on_message(handle), &[&fake])
    })
    .await;
    for (message, is_direct) in [
        (direct("1", "hello"), true),
        (in_group("1", "hello"), false),
    ] {
        fake.says(message.clone()).await;
        let got = told.recv().await.unwrap();
        assert_eq!(matches!(got.by, By::Direct(_)), is_direct);
        assert_eq!((got.sender().as_str(), &got.chat), ("1", &message.chat));
        assert!(!format!("{got:?}").contains("hello"));
        assert_eq!(
            fake.next().await,
            (message.chat, "you said hello".to_owned())
        );
    }
    // One that panics over a message gets the next one.
    fake.says(direct("1", "panic")).await;
    fake.says(direct("666", "let me in")).await;
    fake.says(direct("1", "again")).await;
    assert_eq!(told.recv().await.unwrap().text, "again");
    gateway.stop().await;
    assert!(told.recv().await.is_none());
}

#[tokio::test]
async fn a_chat_that_holds_up_its_lane_does_not_hold_up_the_others() {
    let fake = Fake::new("telegram", "default");
    let (tell, mut told) = mpsc::unbounded_channel();
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let handle = move |message: Message| {
        let (tell, opened) = (tell.clone(), opened.clone());
        async move {
            if message.chat.chat == "slow" {
                opened.notified().await;
            }
            tell.send(message.chat.chat).unwrap();
        }
    };
    let gateway = start_with(telegram("allowFrom: [1]"), |builder| {
        adding(builder.on_message(handle), &[&fake])
    })
    .await;
    fake.says(in_chat("slow", direct("1", "hello"))).await;
    // Of a hundred chats, some are not in its lane; the others come once it is done.
    for n in 0..30 {
        fake.says(in_chat(&format!("chat {n}"), direct("1", "hello")))
            .await;
    }
    assert_ne!(told.recv().await.unwrap(), "slow");
    gate.notify_one();
    let mut got = 1;
    while got < 31 {
        told.recv().await.unwrap();
        got += 1;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_taken_in_is_handled_before_the_end() {
    let fake = Fake::new("telegram", "default");
    let (tell, mut told) = mpsc::unbounded_channel();
    let handle = move |message: Message| {
        let tell = tell.clone();
        async move { tell.send(message.text).unwrap() }
    };
    let settings = with("channels: { telegram: { allowFrom: [1] } }");
    let gateway = start_with(settings, |builder| {
        adding(builder.on_message(handle), &[&fake])
    })
    .await;
    for n in 0..50 {
        fake.says(direct("1", &n.to_string())).await;
    }
    gateway.stop().await;
    for n in 0..50 {
        assert_eq!(told.recv().await.unwrap(), n.to_string());
    }
    assert!(told.recv().await.is_none());
}
