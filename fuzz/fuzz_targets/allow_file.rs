//! `<channel>-allowFrom.json`: read whatever is in it, and changed no further than it has to be.

use pairing_core::store::AllowEntry;
use pairing_core::{AccountId, Record};
use pairing_fs::fuzzing::Format;
use pairing_fuzz::rewriting;

target!(|text: &str| {
    rewriting(Format::Allowed, text, |rules| {
        Record::Allow(AllowEntry {
            channel: rules.id().clone(),
            account: AccountId::default(),
            entry: rules.sender("67890").expect("a sender"),
            written: Some("67890".to_owned()),
            grant: None,
        })
    });
});
