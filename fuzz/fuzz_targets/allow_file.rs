//! `<channel>-allowFrom.json`: read whatever is in it, and changed no further than it has to be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pairing_core::store::AllowEntry;
use pairing_core::{AccountId, Record};
use pairing_fs::fuzzing::Format;
use pairing_fuzz::rewriting;

fuzz_target!(|text: &str| {
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
