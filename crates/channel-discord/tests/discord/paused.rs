//! The usual pace, on a clock that jumps to the next thing that is due: nothing here takes as long as it says.
//!
//! The clock also jumps while something is on its way between the sockets, so it is stopped only while the bot waits.

use std::time::Duration;

use channel_discord::Pace;
use channel_kit::Adapter as _;
use test_support::discord::Answer;
use tokio::time::{pause, resume, sleep};

use crate::rig::{ANN, Rig};

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
async fn hearts_beat_every_41_seconds_and_the_connection_stays() {
    let rig = usual().await;
    let mut bot = rig.connected().await;
    rig.discord.says(ANN, "hello");
    bot.message().await;
    minutes(60).await;
    let counts = rig.discord.counts();
    assert_eq!(counts.connections, 1);
    // 3600 / 41.25, and the first one somewhere in its interval.
    assert!((86..=89).contains(&counts.heartbeats), "{counts:?}");
    rig.discord.says(ANN, "still there?");
    assert_eq!(bot.text().await, "still there?");
}

#[tokio::test]
async fn a_dead_connection_is_noticed_within_two_intervals() {
    let rig = usual().await;
    rig.discord
        .behave(|behaviour| behaviour.acknowledges = false);
    let mut bot = rig.connected().await;
    rig.discord.says(ANN, "hello");
    bot.message().await;
    pause();
    sleep(Duration::from_secs(83)).await;
    resume();
    rig.discord
        .until_counts("it is resumed", |counts| counts.resumes >= 1)
        .await;
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_less_and_less() {
    let rig = usual().await;
    for _ in 0..1000 {
        rig.discord
            .answers("GET /gateway/bot", Answer::HangUp { done: false });
    }
    let _bot = rig.run();
    minutes(60).await;
    let asked = rig.discord.count("GET /gateway/bot");
    // At first twice a second, and once a minute in the end; with jitter, at most twice that.
    assert!((40..=130).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_daily_number_that_is_used_up_is_waited_for() {
    let rig = usual().await;
    rig.discord.behave(|behaviour| {
        behaviour.sessions_left = 0;
        behaviour.sessions_again = Duration::from_secs(3 * 3600);
    });
    let bot = rig.run();
    rig.discord.called("GET /gateway/bot").await;
    minutes(170).await;
    assert_eq!(rig.discord.count("GET /gateway/bot"), 1);
    let error = bot.adapter.status().last_error.unwrap();
    assert!(error.contains("no more sessions"), "{error}");
    rig.discord
        .behave(|behaviour| behaviour.sessions_left = 1000);
    minutes(12).await;
    rig.discord.connected().await;
}

#[tokio::test]
async fn a_limit_of_the_whole_bot_holds_the_gateway_up_too() {
    let rig = usual().await;
    rig.discord
        .answers("GET /gateway/bot", Answer::Later(7200.0, true));
    let _bot = rig.run();
    rig.discord.called("GET /gateway/bot").await;
    minutes(118).await;
    assert_eq!(rig.discord.count("GET /gateway/bot"), 1);
    minutes(4).await;
    rig.discord.connected().await;
}

#[tokio::test]
async fn a_command_that_nobody_answers_does_not_think_for_ever() {
    let rig = usual().await;
    let mut bot = rig.connected().await;
    rig.discord.commands(ANN, "pair", None);
    bot.message().await;
    rig.discord
        .called("POST /interactions/{}/{}/callback")
        .await;
    minutes(1).await;
    let withdrawn = "DELETE /webhooks/{}/{}/messages/@original";
    rig.discord.called(withdrawn).await;
}
