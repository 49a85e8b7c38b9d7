//! Names that become parts of file names and keys: no way out of a directory, one spelling each.

use pairing_core::{AccountId, ChannelId, Key, Range};

target!(|text: &str| {
    let channel = ChannelId::parse(text);
    if let Ok(channel) = &channel {
        let name = channel.as_str();
        assert!((1..=64).contains(&name.len()));
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(
            name.bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        );
        assert_eq!(ChannelId::parse(name).as_ref(), Ok(channel));
        assert_eq!(ChannelId::try_from(text.to_owned()).as_ref(), Ok(channel));
        assert!(text.trim().eq_ignore_ascii_case(name));
    }

    if let Ok(account) = AccountId::parse(text) {
        let name = account.as_str();
        assert!((1..=AccountId::MAX_CHARS).contains(&name.chars().count()));
        assert!(!name.contains(['/', '\\']) && !name.contains(".."));
        assert!(!name.contains(char::is_control));
        assert_eq!(name.trim(), name);
        assert_eq!(AccountId::parse(name).as_ref(), Ok(&account));
        assert_eq!(AccountId::parse(&format!(" {text}\t")), Ok(account.clone()));
        keys_stay_within_their_range(channel.unwrap_or_else(|_| telegram()), account);
    }
});

/// An account, whatever it is called, is in its own range and in the channel's, and in no other.
fn keys_stay_within_their_range(channel: ChannelId, account: AccountId) {
    let key = Key::TurnedAway {
        channel: channel.clone(),
        account: account.clone(),
    };
    assert!(!key.path().contains(char::is_control));
    let whole = Range::TurnedAway { channel };
    assert!(key.path().starts_with(&whole.prefix()) && whole.contains(&key));

    let of = |account: &AccountId| Range::Requests {
        channel: telegram(),
        account: Some(account.clone()),
    };
    let own = of(&account).prefix();
    let default = of(&AccountId::default()).prefix();
    assert_eq!(own == default, account.is_default());
    assert_eq!(own.starts_with(&default), account.is_default());
    assert_eq!(default.starts_with(&own), account.is_default());
}

fn telegram() -> ChannelId {
    ChannelId::parse("telegram").expect("a channel name")
}
