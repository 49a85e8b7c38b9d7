//! Bodies, signatures and answers of WhatsApp's Cloud API: nothing is taken for a message of anybody but the person whom it
//! names by a number, nothing of another number is taken, and no signature is found right that is not written out in full.

use channel_kit::Incoming;
use channel_whatsapp::fuzzing::{answer, delivered, is_signed};
use serde_json::Value;

const NUMBER: &str = "106540352242922";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

target!(|bytes: &[u8]| {
    let _ = answer(bytes);
    if let Some(end) = bytes.iter().position(|b| *b == b'\n')
        && let Ok(header) = std::str::from_utf8(&bytes[..end])
    {
        let body = &bytes[end + 1..];
        assert!(!is_signed(header, body, SECRET) || header.len() == "sha256=".len() + 64);
    }
    let Some((events, failures)) = delivered(bytes, NUMBER) else {
        return;
    };
    for failure in failures {
        assert!(!failure.contains(|c: char| c.is_control()));
    }
    if events.is_empty() {
        return;
    }
    let body: Value = serde_json::from_slice(bytes).expect("it was read");
    let text = body.to_string();
    assert!(text.contains("whatsapp_business_account") && text.contains(NUMBER));
    for event in events {
        let (sender, chat) = match &event {
            Incoming::Message(said) => {
                assert!(said.authenticated && !said.from_me && !said.from_bot && !said.historical);
                assert!(said.text.len() <= 16 << 10 && said.also.is_empty());
                assert!(said.is_direct == (said.chat.chat == said.sender));
                (&said.sender, &said.chat.chat)
            }
            Incoming::Pressed(pressed) => {
                assert!(pressed.data.len() <= 64);
                (&pressed.sender, &pressed.chat.chat)
            }
        };
        let digits = sender.strip_prefix('+').expect("a number");
        assert!((5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
        assert!(text.contains(&format!("\"{digits}\"")));
        assert!(!chat.contains(|c: char| c.is_control()));
    }
});
