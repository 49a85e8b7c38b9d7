//! Bodies and queries of BlueBubbles' webhooks: nothing is taken for a message of a person unless the server names a handle and
//! a chat, and a query shows a password only if another reading of it finds the same.

use channel_bluebubbles::fuzzing::{answer, shows, webhook};
use serde_json::Value;

target!(|bytes: &[u8]| {
    if let Some(error) = answer(500, bytes) {
        assert!(!error.contains(|c: char| c.is_control()));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some((password, query)) = text.split_once('\n')
        && let Some(is_shown) = shows(password, query)
    {
        let is_it = |text: &str| text.trim_ascii() == password.trim();
        let parameters = url::form_urlencoded::parse(query.as_bytes());
        let is_found = parameters.into_iter().any(|(_, value)| is_it(&value));
        let literal = query.replace('+', "%2B");
        let mut parameters = url::form_urlencoded::parse(literal.as_bytes());
        assert!(!is_shown || is_found || parameters.any(|(_, value)| is_it(&value)));
    }
    let Some(message) = webhook(bytes) else {
        return;
    };
    let body: Value = serde_json::from_slice(bytes).expect("it was read");
    // An array of the members in their order is read, too.
    let data = body
        .get("data")
        .or_else(|| body.get(1))
        .expect("it has data");
    let sender = &message.sender;
    assert!(sender.starts_with('+') || sender.contains('@'));
    assert!(!sender.contains([':', ';']) && *sender == sender.to_lowercase());
    assert!(message.authenticated && !message.from_me && !message.historical && !message.from_bot);
    assert!(message.text.len() <= 64 << 10 && message.also.is_empty());
    assert!(!message.chat.chat.contains(|c: char| c.is_control()));
    if data.is_object() {
        assert_eq!(data["isFromMe"], false);
        let chats = data["chats"].as_array().expect("it has chats");
        let guids = chats.iter().map(|chat| {
            let guid = chat.get("guid").or_else(|| chat.get(0));
            guid.and_then(Value::as_str).expect("a chat has an id")
        });
        for guid in guids {
            assert!(!message.is_direct || guid.contains(";-;"));
        }
    }
});
