//! `pairing-meta/<channel>.counters.json`: read whatever is in it; a change of one counter leaves the
//! others as they are.

use pairing_core::store::{Attempts, SeenSender, TurnedAway};
use pairing_core::{AccountId, Approver, Record, Timestamp};
use pairing_fs::fuzzing::Format;
use pairing_fuzz::rewriting;

target!(|text: &str| {
    let at = Timestamp::from_millis(1_795_000_000_000);
    rewriting(Format::Counters, text, |rules| {
        Record::Attempts(Attempts {
            channel: rules.id().clone(),
            approver: Approver::terminal("ann").id().clone(),
            failed_at: vec![at],
            locked_until: Some(at),
        })
    });
    rewriting(Format::Counters, text, |rules| {
        Record::TurnedAway(TurnedAway {
            channel: rules.id().clone(),
            account: AccountId::parse("work").expect("an account name"),
            count: 7,
            since: at,
            recent: vec![SeenSender {
                sender: rules.sender("67890").expect("a sender"),
                at,
            }],
        })
    });
});
