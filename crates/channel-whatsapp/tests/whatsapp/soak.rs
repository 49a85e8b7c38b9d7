//! A long time of messages that are delivered again and again, with restarts: each comes through once.

use std::time::{Duration, Instant};

use channel_kit::Delivery;
use test_support::soak_seconds;
use test_support::whatsapp::ANN;

use crate::rig::{Rig, deliver};

#[tokio::test]
async fn every_message_is_received_once_and_in_order() {
    let rig = Rig::new().await;
    let until = Instant::now() + Duration::from_secs(soak_seconds().unwrap_or(2));
    let (mut number, mut last) = (0_u64, None);
    while Instant::now() < until {
        let mut running = rig.listening().await;
        for _ in 0..50 {
            number += 1;
            let note = rig.whatsapp.note(ANN, &number.to_string());
            // Every third is delivered again at once, and every one after a restart.
            for _ in 0..=u64::from(number % 3 == 0) {
                assert_eq!(deliver(&running, &note), Delivery::Taken);
            }
            if let Some(last) = &last {
                assert_eq!(deliver(&running, last), Delivery::Taken);
            }
            assert_eq!(running.text().await, number.to_string());
            last = Some(note);
        }
        assert!(running.is_quiet());
        running.stop().await;
    }
    let saved = channel_kit::SavedText::load(&*rig.saved).unwrap();
    assert!(
        saved.len() < 256 << 10,
        "{} bytes after {number} messages",
        saved.len()
    );
}
