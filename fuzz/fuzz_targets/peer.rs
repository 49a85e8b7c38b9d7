//! Whatever another gateway sends or publishes is refused, or read as it is written; and nobody signs for a
//! gateway whose key they do not have.

use openclaw_gateway::fuzzing::{peer_answer, peer_body, peer_call, peer_value};
use pairing_core::DeviceKey;

/// Its private half has been thrown away.
const KEY: &str = "_5ewtfValsgeqVLqyXAUQUM5lUNiUJD3Pe6Ris22KHQ";

target!(|bytes: &[u8]| {
    let key = DeviceKey::parse(KEY).expect("a key");
    if let Some((written, is_signed)) = peer_call(bytes, &key) {
        assert!(!is_signed, "signed by nobody");
        let again = peer_call(&written, &key).expect("what is written is read");
        assert_eq!(again.0, written);
    }
    if let Some(written) = peer_value(bytes) {
        assert_eq!(peer_value(&written).as_ref(), Some(&written));
    }
    // Numbers in what a node is asked, or says, may be rounded.
    for read in [peer_body, peer_answer] {
        if let Some(written) = read(bytes) {
            assert!(read(&written).is_some());
        }
    }
});
