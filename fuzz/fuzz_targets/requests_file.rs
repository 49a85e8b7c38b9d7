//! `<channel>-pairing.json`: read whatever is in it, and changed no further than it has to be.

use pairing_core::store::PendingRequest;
use pairing_core::{AccountId, Metadata, PairingCode, Record, Timestamp};
use pairing_fs::fuzzing::Format;
use pairing_fuzz::rewriting;

target!(|text: &str| {
    rewriting(Format::Requests, text, |rules| {
        let mut meta = Metadata::default();
        meta.insert("username", "ann");
        meta.insert("tags", vec!["a", "\"b\\"]);
        Record::Request(PendingRequest {
            channel: rules.id().clone(),
            account: AccountId::parse("work").expect("an account name"),
            sender: rules.sender("67890").expect("a sender"),
            code: PairingCode::parse("KKKKKKKK").expect("a code"),
            created_at: Some(Timestamp::from_millis(1_795_000_000_000)),
            last_seen_at: Some(Timestamp::from_millis(1_795_000_060_000)),
            meta,
        })
    });
});
