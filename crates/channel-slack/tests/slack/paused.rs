//! The usual pace, on a clock that jumps to the next thing that is due: nothing here takes as long as it says.
//!
//! The clock also jumps while something is on its way between the sockets, so it is stopped only while the app waits.

use std::time::Duration;

use channel_kit::Adapter as _;
use channel_slack::Pace;
use test_support::slack::Answer;
use tokio::time::{pause, resume, sleep};

use crate::rig::{ANN, Rig};

const OPEN: &str = "apps.connections.open";

async fn usual() -> Rig {
    let mut rig = Rig::new().await;
    rig.pace = Pace::default();
    rig
}

/// So many minutes pass.
async fn minutes(minutes: u64) {
    pause();
    sleep(Duration::from_secs(minutes * 60)).await;
    resume();
}

#[tokio::test]
async fn a_quiet_connection_stays() {
    let rig = usual().await;
    let mut app = rig.connected().await;
    rig.slack.says(ANN, "hello");
    app.message().await;
    minutes(60).await;
    assert_eq!(rig.slack.counts().connections, 1);
    rig.slack.says(ANN, "still there?");
    assert_eq!(app.text().await, "still there?");
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_less_and_less() {
    let rig = usual().await;
    for _ in 0..1000 {
        rig.slack.answers(OPEN, Answer::HangUp { done: false });
    }
    let _app = rig.run();
    minutes(60).await;
    let asked = rig.slack.count(OPEN);
    // At first twice a second, and once a minute in the end; with jitter, at most twice that.
    assert!((40..=130).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_connection_that_ends_at_once_each_time_is_opened_less_and_less() {
    let rig = usual().await;
    rig.slack.behave(|behaviour| behaviour.says_hello = false);
    let _app = rig.run();
    rig.slack
        .until_counts("it is opened", |counts| counts.connections == 1)
        .await;
    minutes(60).await;
    let opened = rig.slack.count(OPEN);
    assert!((30..=130).contains(&opened), "{opened}");
}

#[tokio::test]
async fn hours_are_waited_for_where_slack_asks_for_them() {
    let rig = usual().await;
    rig.slack.answers(OPEN, Answer::Later("7200"));
    let app = rig.run();
    rig.slack.called(OPEN).await;
    minutes(118).await;
    assert_eq!(rig.slack.count(OPEN), 1);
    let error = app.adapter.status().last_error.unwrap();
    assert!(error.contains("too many requests"), "{error}");
    minutes(4).await;
    rig.slack.connected().await;
}

#[tokio::test]
async fn a_wait_that_is_no_number_is_short() {
    let rig = usual().await;
    rig.slack.answers(OPEN, Answer::Later("tomorrow"));
    let _app = rig.run();
    rig.slack.called(OPEN).await;
    minutes(1).await;
    rig.slack.connected().await;
}
