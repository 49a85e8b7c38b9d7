//! The audit log: read from its end whatever is in it, the same however it is cut into blocks, and what is
//! understood is written as it was read.

use pairing_fs::fuzzing;

target!(|text: &[u8]| {
    let page = fuzzing::audit(text, text.len());
    for block in [1, 7, 64] {
        assert_eq!(fuzzing::audit(text, block), page);
    }
    let lines = text.split(|byte| *byte == b'\n').count();
    assert!(page.events.len() as u64 + page.problems <= lines as u64);
    let mut written = String::new();
    for event in page.events.iter().rev() {
        written += &serde_json::to_string(event).expect("it is written as any");
        written.push('\n');
    }
    let again = fuzzing::audit(written.as_bytes(), 64);
    assert_eq!((again.events, again.problems), (page.events, 0));
});
