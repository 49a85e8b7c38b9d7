//! `pairing-meta/<channel>.json`: read whatever is in it, and changed no further than it has to be.

use pairing_core::store::{AllowEntry, Grant};
use pairing_core::{AccountId, Approver, Record, Timestamp};
use pairing_fs::fuzzing::Format;
use pairing_fuzz::rewriting;

target!(|text: &str| {
    rewriting(Format::Grants, text, |rules| {
        let owner = Approver::terminal("ann");
        Record::Allow(AllowEntry {
            channel: rules.id().clone(),
            account: AccountId::parse("work").expect("an account name"),
            entry: rules.sender("67890").expect("a sender"),
            written: None,
            grant: Some(
                Grant::new(
                    owner.id().clone(),
                    owner.via(),
                    Timestamp::from_millis(1_795_000_060_000),
                )
                .with_requested_at(Some(Timestamp::from_millis(1_795_000_000_000))),
            ),
        })
    });
});
