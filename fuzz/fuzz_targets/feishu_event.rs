//! Frames and events of Feishu's long connection: parts are joined within bounds, nothing is taken for speech of anybody but
//! the person whom the event names, and what is sent back holds no tag.

use channel_feishu::fuzzing::{event, joined, plain};
use channel_kit::Incoming;
use serde_json::Value;

target!(|bytes: &[u8]| {
    let (mut frames, mut rest) = (Vec::new(), bytes);
    while let Some((size, after)) = rest.split_first() {
        let (frame, after) = after.split_at(usize::from(*size).min(after.len()));
        frames.push(frame);
        rest = after;
    }
    let whole = joined(frames);
    assert!(whole.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    whole.iter().for_each(|payload| check(payload));
    check(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for message in plain(text) {
        assert!(!message.trim().is_empty() && message.chars().count() <= 4000);
        let mut pairs = message.chars().zip(message.chars().skip(1));
        let is_tag = |(a, b): (char, char)| a == '<' && (b.is_alphabetic() || b == '/' || b == '!');
        assert!(!pairs.any(is_tag), "{message:?}");
    }
});

fn check(payload: &[u8]) {
    let Some((id, what)) = event(payload) else {
        return;
    };
    let Ok(written) = serde_json::from_slice::<Value>(payload) else {
        // Numbers that are out of range, somewhere in what is not looked at.
        return;
    };
    // Objects may be written as lists of their values; those are not looked at again.
    if !written.is_object() || !written["header"].is_object() || !written["event"].is_object() {
        return;
    }
    assert_eq!(written["header"]["event_id"], *id);
    let sender = match &what {
        None => return,
        Some(Incoming::Message(said)) => &said.sender,
        Some(Incoming::Pressed(pressed)) => &pressed.sender,
    };
    assert!(sender.starts_with("ou_"), "{sender}");
    let event = &written["event"];
    let named = match &what {
        Some(Incoming::Message(_)) => &event["sender"]["sender_id"]["open_id"],
        _ => &event["operator"]["open_id"],
    };
    if event["sender"]["sender_id"].is_object() || event["operator"].is_object() {
        assert_eq!(named, sender);
    }
}
