use pairing_core::{
    Approver, Entropy, EntropyError, ManualClock, MemoryStore, Pairing, Requested, Timestamp,
};

/// An entropy source with which every code is `AAAAAAAA`.
struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(0);
        Ok(())
    }
}

#[test]
fn debug_shows_no_code() {
    let clock = ManualClock::new(Timestamp::from_millis(0));
    let pairing = Pairing::new(MemoryStore::new(), clock, Zeros);
    let channel = pairing.channel("telegram").unwrap();
    let gate = channel.account("default").unwrap();

    let created = gate.request_or_reuse("12345").unwrap();
    let Requested::Created(request) = &created else {
        panic!("{created:?}");
    };
    assert!(request.reply.contains("AAAAAAAA"));
    let waiting = gate.request_or_reuse("12345").unwrap();
    let pending = gate.pending().unwrap();
    let wrong = gate
        .approve("AAAAAAAB", &Approver::terminal("ann"))
        .unwrap_err();
    let approved = gate
        .approve("AAAAAAAA", &Approver::terminal("ann"))
        .unwrap();
    for shown in [
        format!("{created:?}"),
        format!("{waiting:?}"),
        format!("{pending:?}"),
        format!("{wrong:?} {wrong}"),
        format!("{approved:?} {gate:?} {pairing:?}"),
    ] {
        assert!(!shown.contains("AAAAAAA"), "{shown}");
    }
}
