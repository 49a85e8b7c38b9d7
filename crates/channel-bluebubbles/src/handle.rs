//! Handles: the e-mail addresses and phone numbers by which iMessage names persons.

use std::sync::LazyLock;

use pairing_core::{ChannelId, Channels};

static CHANNELS: LazyLock<Channels> = LazyLock::new(Channels::builtin);

/// The normal form of a handle: an e-mail address in lower case, or a phone number as E.164. `None` for everything else.
///
/// A number has its country. Those without are the short codes of services, and would be taken for somebody's number.
pub(crate) fn handle(text: &str) -> Option<String> {
    let text = text.trim();
    let has_shape = text.starts_with('+') || text.contains('@');
    // A prefix would be left out, so that `sms:` and the like would name somebody else.
    if !has_shape || text.contains([':', ';']) {
        return None;
    }
    let rules = CHANNELS.get(&ChannelId::parse("bluebubbles").ok()?)?;
    rules.sender(text).ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_any_case_and_numbers_with_their_country() {
        for (text, kept) in [
            ("Ann@Example.ORG", "ann@example.org"),
            (" +1 (555) 000-1111 ", "+15550001111"),
            ("+15550001111", "+15550001111"),
        ] {
            assert_eq!(handle(text).as_deref(), Some(kept));
        }
        for none in [
            "",
            "262966",
            "15550001111",
            "Amazon",
            "+0555",
            "urn:biz:b2d3",
            "sms:ann@example.org",
            "imessage:+15550001111",
            "iMessage;-;ann@example.org",
            "ann@a@b",
            "@",
            "*",
        ] {
            assert_eq!(handle(none), None, "{none}");
        }
    }
}
