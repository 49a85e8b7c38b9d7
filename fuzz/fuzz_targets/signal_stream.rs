//! Streams of signal-cli's events: however a stream is cut, it means the same, and nothing is taken for a message of a person
//! that another reading finds was none.

use channel_signal::fuzzing::{answer, stream};

target!(|bytes: &[u8]| {
    if let Some(error) = answer(bytes) {
        assert!(!error.contains(|c: char| c.is_control()));
    }
    let (size, bytes) = match bytes.split_first() {
        Some((size, bytes)) => (usize::from(*size), bytes),
        None => return,
    };
    let whole = stream(bytes, usize::MAX);
    let cut = stream(bytes, size);
    assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
    for message in whole {
        let is_name = |name: &str| name.starts_with('+') || name.starts_with("uuid:");
        assert!(is_name(&message.sender) && message.also.iter().all(|name| is_name(name)));
        assert!(!message.also.contains(&message.sender));
        assert!(message.authenticated && !message.historical && !message.from_bot);
        assert!(message.text.len() <= 64 << 10);
        assert_eq!(message.is_direct, !message.chat.chat.starts_with("group:"));
        if message.is_direct {
            assert_eq!(message.chat.chat, message.sender);
        }
    }
});
