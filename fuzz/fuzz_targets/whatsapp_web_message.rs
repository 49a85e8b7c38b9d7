//! Messages to a personal WhatsApp account, each value on a line of its own: nothing is handed on as anybody's but the person
//! whom WhatsApp names by a number, and nothing that is not from a direct chat.

use channel_whatsapp_web::said::{Me, Said, Verdict};

const MINE: &str = "15559990000";
const MY_LID: &str = "999999999999999";

target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let (flags, chat, sender, alt, known) = (next(), next(), next(), next(), next());
    let (id, name) = (next(), next());
    let from_me = flags.contains('m');
    let self_chat = flags.contains('s');
    let said = Said {
        id,
        chat: chat.clone(),
        sender: sender.clone(),
        sender_alt: flags.contains('a').then(|| alt.clone()),
        known_number: flags.contains('k').then(|| known.clone()),
        from_me,
        text: flags.contains('t').then(|| lines.collect::<Vec<_>>().join("\n")),
        name,
        at_ms: 1_795_000_000_000,
    };
    let me = Me {
        number: Some(format!("{MINE}:7@s.whatsapp.net")),
        lid: Some(format!("{MY_LID}:7@lid")),
    };
    let Verdict::HandOn(inbound) = said.judge(&me, self_chat) else {
        return;
    };
    assert!(inbound.is_direct && inbound.authenticated && !inbound.from_bot && !inbound.historical);
    assert!(inbound.also.is_empty() && inbound.text.len() <= 64 << 10);
    let digits = inbound.sender.strip_prefix('+').expect("a number");
    assert!((5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
    // Whoever it is, WhatsApp has named them: as the account itself, or as the sender.
    let is_named = [&sender, &alt, &known].into_iter().any(|named| {
        let only_digits: String = named.chars().filter(char::is_ascii_digit).collect();
        only_digits.starts_with(digits)
    });
    assert!(is_named || digits == MINE);
    for other in ["@g.us", "@broadcast", "@newsletter", "@bot"] {
        assert!(!chat.ends_with(other) && !sender.ends_with(other));
    }
    if inbound.from_me {
        assert_eq!(digits, MINE);
    } else {
        // An answer goes to the sender, who is the account itself only where that was asked for.
        assert_eq!(inbound.chat.chat, inbound.sender);
        assert!(self_chat || (!from_me && digits != MINE));
    }
});
