//! Output of `imsg rpc`: however it is cut, it means the same, and nothing is taken for a message of a person that has no proper
//! sender.

use channel_imessage::fuzzing::output;

target!(|bytes: &[u8]| {
    let (size, bytes) = match bytes.split_first() {
        Some((size, bytes)) => (usize::from(*size), bytes),
        None => return,
    };
    let whole = output(bytes, usize::MAX);
    let cut = output(bytes, size);
    assert_eq!(format!("{whole:?}"), format!("{cut:?}"));
    let (messages, failures) = whole;
    for failure in failures {
        assert!(!failure.contains(|c: char| c.is_control()));
    }
    for message in messages {
        assert!(message.sender.starts_with('+') || message.sender.contains('@'));
        assert!(!message.from_me && !message.from_bot && message.also.is_empty());
        assert!(message.text.len() <= 64 << 10 && message.id.len() <= 256);
        let is_group = ["chat_id:", "chat_guid:"]
            .iter()
            .any(|prefix| message.chat.chat.starts_with(prefix));
        assert_eq!(message.is_direct, !is_group);
        if message.is_direct {
            assert_eq!(message.chat.chat, message.sender);
        }
    }
});
