//! Sender ids under every channel's rules: one spelling, and the same when granting and matching.

use pairing_core::{
    Approver, ChannelId, ChannelRules, Channels, Entropy, EntropyError, Limits, ManualClock,
    MemoryStore, Pairing, SenderId, Timestamp,
};

target!(|text: &str| {
    let custom = ChannelId::parse("custom").expect("a channel name");
    let custom = ChannelRules::new(custom).prefixes(&["custom", "c"]);
    let channels = Channels::builtin().with(custom);
    let pairing = Pairing::with(
        MemoryStore::new(),
        ManualClock::new(Timestamp::from_millis(0)),
        NoEntropy,
        channels.clone(),
        Limits::default(),
    );
    for rules in channels.iter() {
        let Ok(sender) = rules.sender(text) else {
            continue;
        };
        one_spelling(rules, text, &sender);
        in_any_case(rules, &sender);
        looks_like_one(rules.id().as_str(), sender.as_str());
        who_is_granted_gets_in(&pairing, rules.id().as_str(), text, &sender);
    }
});

fn one_spelling(rules: &ChannelRules, text: &str, sender: &SenderId) {
    let spelled = sender.as_str();
    assert!((1..=SenderId::MAX_BYTES).contains(&spelled.len()));
    assert!(spelled != "*" && spelled.trim() == spelled && !spelled.contains(char::is_control));
    assert_eq!(rules.sender(spelled).as_ref(), Ok(sender));
    assert_eq!(SenderId::try_from(spelled.to_owned()).as_ref(), Ok(sender));
    let id = rules.id();
    for written in [
        format!(" {text}\n"),
        format!("{id}:{text}"),
        format!("{} : {spelled}", id.as_str().to_uppercase()),
    ] {
        assert_eq!(rules.sender(&written).as_ref(), Ok(sender), "{written:?}");
    }
}

/// Numbers and addresses have no case.
fn in_any_case(rules: &ChannelRules, sender: &SenderId) {
    if ["telegram", "whatsapp", "signal", "imessage", "bluebubbles"].contains(&rules.id().as_str())
    {
        let upper = sender.as_str().to_ascii_uppercase();
        assert_eq!(rules.sender(&upper).as_ref(), Ok(sender));
    }
}

fn looks_like_one(channel: &str, spelled: &str) {
    let phone = spelled.strip_prefix('+').is_some_and(|digits| {
        (5..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    });
    let uuid = spelled
        .strip_prefix("uuid:")
        .is_some_and(|uuid| uuid.len() == 36 && uuid.to_ascii_lowercase() == uuid);
    let e_mail = spelled.split('@').filter(|part| !part.is_empty()).count() == 2;
    assert!(match channel {
        "telegram" => spelled.bytes().all(|b| b.is_ascii_digit()),
        "whatsapp" => phone,
        "signal" => phone || uuid,
        "imessage" | "bluebubbles" => phone || e_mail,
        _ => true,
    });
}

fn who_is_granted_gets_in(pairing: &Pairing, channel: &str, text: &str, sender: &SenderId) {
    let gate = pairing
        .channel(channel)
        .expect("a known channel")
        .account("default")
        .expect("an account");
    let owner = Approver::terminal("fuzz");
    assert!(!gate.is_allowed(text).expect("a readable store"));
    assert!(gate.allow(text, &owner).expect("a store"));
    for spelling in [text, sender.as_str()] {
        assert!(gate.is_allowed(spelling).expect("a readable store"));
    }
    let revoked = gate.revoke(sender.as_str(), &owner).expect("a store");
    assert_eq!(revoked.map(|entry| entry.entry).as_ref(), Some(sender));
    assert!(!gate.is_allowed(text).expect("a readable store"));
}

/// Nothing here draws a code.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::new("nothing here draws a code"))
    }
}
