use proptest::prelude::*;

use super::*;

fn sender(channel: &str, text: &str) -> Result<String, SenderError> {
    let channels = Channels::builtin();
    let rules = channels.get(&ChannelId::parse(channel).unwrap()).unwrap();
    rules.sender(text).map(String::from)
}

#[test]
fn one_spelling_for_every_way_to_write_a_sender() {
    let table = [
        ("telegram", "12345", "12345"),
        ("telegram", " TG:12345 ", "12345"),
        ("telegram", "telegram: 12345", "12345"),
        ("telegram", "telegram:tg:5", "5"),
        ("telegram", "99999999999999999999", "99999999999999999999"),
        ("discord", "discord:42", "42"),
        ("discord", "user:42", "42"),
        ("discord", "Ann#1234", "Ann#1234"),
        ("slack", "slack:U012AB3CD", "U012AB3CD"),
        ("slack", "user:U999", "U999"),
        ("feishu", "open_id:ou_7d8a", "ou_7d8a"),
        ("feishu", "feishu:user:ou_7d8a", "ou_7d8a"),
        ("signal", "signal:+15559990000", "+15559990000"),
        ("signal", "+1 (555) 999-0000", "+15559990000"),
        (
            "signal",
            "7B0AB3C4-6F3C-4E0E-9A51-0F1B2C3D4E5F",
            "uuid:7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f",
        ),
        (
            "signal",
            "signal:uuid:7b0ab3c46f3c4e0e9a510f1b2c3d4e5f",
            "uuid:7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f",
        ),
        ("whatsapp", "whatsapp:+1 (555) 222-3333", "+15552223333"),
        ("whatsapp", "15552223333@s.whatsapp.net", "+15552223333"),
        ("whatsapp", "15552223333:12@s.whatsapp.net", "+15552223333"),
        ("whatsapp", "15552223333.0:12@c.us", "+15552223333"),
        ("imessage", "imessage:Me@Example.ORG", "me@example.org"),
        ("imessage", "sms:+1 555 123 4567", "+15551234567"),
        ("imessage", "auto:15551234567", "+15551234567"),
        (
            "bluebubbles",
            "bluebubbles:Me@Example.ORG",
            "me@example.org",
        ),
        ("bluebubbles", "sms:+1 555 123 4567", "+15551234567"),
    ];
    for (channel, written, meant) in table {
        assert_eq!(
            sender(channel, written).as_deref(),
            Ok(meant),
            "{channel} {written:?}"
        );
    }
}

#[test]
fn what_could_never_match_a_sender_is_refused() {
    let table = [
        ("telegram", "@ann"),
        ("telegram", "-100123"),
        ("whatsapp", "123456789012345@lid"),
        ("whatsapp", "123456789-987654@g.us"),
        ("whatsapp", "+1555CALLME"),
        ("signal", "group:abc"),
        ("signal", "+0123456789"),
        ("imessage", "chat_guid:iMessage;-;me@example.org"),
        ("imessage", "somebody"),
        ("bluebubbles", "chat_guid:iMessage;-;me@example.org"),
    ];
    for (channel, written) in table {
        assert!(
            matches!(sender(channel, written), Err(SenderError::Shape { .. })),
            "{channel} {written:?}"
        );
    }
}

#[test]
fn no_letter_of_another_alphabet_becomes_one_of_ascii() {
    for channel in ["imessage", "bluebubbles"] {
        // The Kelvin sign, and the capital I with a dot.
        for lookalike in [
            "an\u{212a}@example.org",
            "ann@\u{130}.example",
            "\u{212A}@x",
        ] {
            assert!(
                matches!(sender(channel, lookalike), Err(SenderError::Shape { .. })),
                "{lookalike:?}"
            );
        }
        // The long s, full-width letters and an umlaut are what they are, and nobody else's.
        for (written, meant) in [
            ("ro\u{17f}e@example.org", "ro\u{17f}e@example.org"),
            ("\u{ff21}nn@example.org", "\u{ff41}nn@example.org"),
            ("M\u{dc}LLER@example.org", "m\u{fc}ller@example.org"),
        ] {
            assert_eq!(sender(channel, written).as_deref(), Ok(meant));
        }
    }
    assert_eq!(super::username("@An\u{212a}"), None);
    assert_eq!(super::username("@AnK").as_deref(), Some("ank"));
}

#[test]
fn nothing_and_everybody_are_no_senders() {
    for rules in Channels::builtin().iter() {
        let prefixed = format!("{}: ", rules.id());
        for empty in ["", "  ", &prefixed] {
            assert_eq!(rules.sender(empty), Err(SenderError::Empty), "{empty:?}");
        }
        let prefixed = format!("{}:*", rules.id());
        for all in ["*", " * ", &prefixed] {
            assert_eq!(rules.sender(all), Err(SenderError::Wildcard), "{all:?}");
        }
        assert!(rules.sender(&"9".repeat(10_000)).is_err());
        assert!(rules.sender("a\0b").is_err());
    }
}

#[test]
fn the_reply_to_a_stranger() {
    let channels = Channels::builtin();
    let code = PairingCode::parse("M8NGT2AA").unwrap();
    let rules = channels.get(&ChannelId::builtin("telegram")).unwrap();
    let reply = rules.pairing_reply(&rules.sender("67890").unwrap(), code);
    insta::assert_snapshot!(reply, @r"
    OpenClaw: access not configured.

    Your Telegram user id: 67890

    Pairing code: M8NGT2AA

    Ask the bot owner to approve with:
    openclaw pairing approve telegram M8NGT2AA
    ");
}

#[test]
fn every_channel_has_its_words() {
    let words: Vec<_> = Channels::builtin()
        .iter()
        .map(|rules| {
            format!(
                "{}\t{}\t{}",
                rules.id(),
                rules.id_label(),
                rules.sender_line
            )
        })
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r"
    bluebubbles	bluebubblesSenderId	Your BlueBubbles sender id: 
    discord	discordUserId	Your Discord user id: 
    feishu	feishuUserId	Your Feishu user id: 
    imessage	imessageSenderId	Your iMessage sender id: 
    signal	signalNumber	Your Signal number: 
    slack	slackUserId	Your Slack user id: 
    telegram	telegramUserId	Your Telegram user id: 
    whatsapp	whatsappSenderId	Your WhatsApp phone number: 
    ");
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(
        text in "((?i)tg|telegram|user|discord|signal|uuid|sms|imessage|whatsapp|open_id)?:? ?[ -~]{0,24}(@s.whatsapp.net)?",
    ) {
        for rules in Channels::builtin().iter() {
            if let Ok(once) = rules.sender(&text) {
                prop_assert_eq!(rules.sender(once.as_str()), Ok(once.clone()), "{}", rules.id());
            }
        }
    }

    #[test]
    fn normalising_never_panics(text: String) {
        for rules in Channels::builtin().iter() {
            let _ = rules.sender(&text);
        }
    }
}
