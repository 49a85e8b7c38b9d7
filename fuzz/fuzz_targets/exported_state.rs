//! A file that says it is an exported state: it is refused, or it is taken in, and then comes out as it went in.

use pairing_core::transfer::{self, Terms};
use pairing_core::{Channels, Limits, MemoryStore, Timestamp};
use pairing_fs::export::{self, Export};
use pairing_fs::fuzzing;

target!(|text: &str| {
    let channels = Channels::builtin();
    // As it is, which no guess gets far with, and as lines behind a digest that is right.
    let sealed = fuzzing::exported(text).expect("it is a text");
    for text in [text, &sealed] {
        if let Ok(export) = export::read(text, &channels) {
            taken_in(&export, &channels);
        }
    }
});

fn taken_in(export: &Export, channels: &Channels) {
    let text = export::write(&export.records, export.exported_at).expect("it was JSON");
    assert_eq!(export::read(&text, channels).as_ref(), Ok(export));
    let limits = Limits::default();
    let terms = Terms {
        limits: &limits,
        now: Timestamp::from_millis(1_795_354_077_013),
        replace: false,
        dry_run: false,
    };
    let store = MemoryStore::new();
    let first = transfer::write(&store, &export.records, &terms).expect("memory does not fail");
    assert!(first.lost.is_empty() && first.differing.is_empty());
    let again = transfer::write(&store, &export.records, &terms).expect("memory does not fail");
    assert_eq!(again.written + again.replaced, 0);
}
