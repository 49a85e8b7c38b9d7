//! Disconnections all the time: each message is received once, in order, and memory stays flat.
//!
//! Runs for some seconds; for longer where `SOAK_SECONDS` says so.

use std::time::{Duration, Instant};

use crate::rig::{Rig, Running};

/// Chats that are written in at the same time.
const CHATS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_received_once_and_in_order() {
    let seconds = std::env::var("SOAK_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(10);
    let rig = Rig::new().await;
    let mut bot = Some(Running::run(rig.bot(), 16));
    rig.slack.connected().await;
    let begun = Instant::now();
    let (mut said, mut heard) = ([0_usize; CHATS], [0_usize; CHATS]);
    let (mut round, mut resident) = (0_usize, None);
    while begun.elapsed() < Duration::from_secs(seconds) {
        // What goes wrong, at another point of the stream each time.
        match round % 5 {
            0 => rig.slack.close(),
            1 => rig.slack.tear(),
            2 => rig.slack.disconnects("refresh_requested"),
            3 => rig.slack.disconnects("warning"),
            _ => {
                if let Some(bot) = bot.take() {
                    bot.stop().await;
                }
            }
        }
        for number in 0..40 {
            let chat = (number + round) % CHATS;
            rig.slack.says(&format!("U{chat}"), &said[chat].to_string());
            said[chat] += 1;
        }
        let running = bot.get_or_insert_with(|| rig.run());
        while heard != said {
            let inbound = running.message().await;
            let chat: usize = inbound.sender[1..].parse().unwrap();
            assert_eq!(inbound.text, heard[chat].to_string(), "round {round}");
            heard[chat] += 1;
        }
        rig.slack.acknowledged().await;
        assert!(running.is_quiet());
        rig.slack.trims();
        round += 1;
        // Once everything has been in use.
        if round == 100 {
            resident = resident_kib();
        }
    }
    if let (Some(before), Some(after)) = (resident, resident_kib()) {
        assert!(after < before + 16 * 1024, "{before} KiB, then {after} KiB");
    }
    assert!(round > 10, "{round}");
}

/// The memory of this process.
fn resident_kib() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
