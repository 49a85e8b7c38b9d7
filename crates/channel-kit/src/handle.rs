//! Phone numbers and e-mail addresses, by which chat systems of phones name people.
//!
//! A number has its country: one without it is a local number or a service's short code, and guessing the country could make
//! it another person's. So its rules are about digits alone, and no table of countries is needed. Where an owner names a
//! country (`region` for iMessage), the chat system's own program applies it.

use std::fmt;

/// The longest e-mail address, in bytes.
const LONGEST: usize = 254;

/// A phone number as E.164 has it: `+`, then 7 to 15 digits, of which the first is not 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(Box<str>);

/// A text is no phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a phone number is + and 7 to 15 digits, with the country first")]
pub struct PhoneNumberError;

/// A phone number, or an e-mail address in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(Box<str>);

impl PhoneNumber {
    /// Checks a number. Spaces, hyphens, dots and parentheses are left out; no country is guessed.
    pub fn parse(text: &str) -> Result<Self, PhoneNumberError> {
        let is_filling = |c: &char| !matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')');
        let text: String = text.trim().chars().filter(is_filling).collect();
        let digits = text.strip_prefix('+').ok_or(PhoneNumberError)?;
        let is_number = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit());
        is_number
            .then(|| Self(text.into_boxed_str()))
            .ok_or(PhoneNumberError)
    }

    /// The number, as E.164 has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Handle {
    /// Checks a handle. `None` for everything else, also for one with a prefix such as `sms:`, which would name somebody else
    /// where the prefix is left out.
    pub fn parse(text: &str) -> Option<Self> {
        let number = PhoneNumber::parse(text).ok();
        number
            .map(|number| Self(number.0))
            .or_else(|| address(text.trim()))
    }

    /// The handle, in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a letter outside of ASCII becomes one of ASCII in lower case, as the sign of Kelvin becomes `k`: its address
/// would become that of another person.
fn is_lookalike(c: char) -> bool {
    !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii())
}

fn address(text: &str) -> Option<Handle> {
    let (user, host) = text.split_once('@')?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | ';' | '@');
    let is_address = text.len() <= LONGEST
        && !user.is_empty()
        && !user.starts_with('-')
        && !host.is_empty()
        && !user.contains(is_odd)
        && !host.contains(is_odd)
        && !text.contains(is_lookalike);
    is_address.then(|| Handle(text.to_lowercase().into()))
}

#[cfg(test)]
mod tests {
    use pairing_core::{ChannelId, Channels};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_their_country() {
        let number = |text| PhoneNumber::parse(text).map(|n| n.to_string()).ok();
        for text in [" +1 (555) 999-0000 ", "+1\u{a0}555.999.0000"] {
            assert_eq!(number(text).as_deref(), Some("+15559990000"));
        }
        for none in [
            "",
            "15559990000",
            "5559990000",
            "262966",
            "+05559990000",
            "+123456",
            "+1555999000012345",
            "+1555999O000",
            "++15559990000",
        ] {
            assert_eq!(number(none), None, "{none}");
            assert_eq!(Handle::parse(none), None, "{none}");
        }
    }

    #[test]
    fn addresses_are_in_lower_case_and_have_no_prefix() {
        let handle = |text: &str| Handle::parse(text).map(|handle| handle.to_string());
        for (text, kept) in [
            (" Ann@Example.ORG ", "ann@example.org"),
            ("+1 (555) 000-1111", "+15550001111"),
        ] {
            assert_eq!(handle(text).as_deref(), Some(kept));
        }
        for none in [
            "ann",
            "Amazon",
            "*",
            "@",
            "@example.org",
            "ann@",
            "a@b@c",
            "a b@example.org",
            "chat_id:1@x",
            "-x@example.org",
            "urn:biz:b2d3",
            "sms:ann@example.org",
            "imessage:+15550001111",
            "iMessage;-;ann@example.org",
            "ann@ex\nample.org",
            "\u{212a}ate@example.org",
            "ann@\u{130}.example.org",
        ] {
            assert_eq!(handle(none), None, "{none}");
        }
        assert_eq!(handle(&format!("{}@example.org", "a".repeat(300))), None);
    }

    proptest! {
        /// Whoever is named here is the same for pairing, which has rules of its own for what owners type.
        #[test]
        fn pairing_knows_a_handle_by_the_same_name(
            text in prop_oneof!["\\+?[0-9 ().-]{5,20}", "[A-Za-z0-9._+-]{1,8}@[A-Za-z0-9.-]{1,8}"]
        ) {
            let Some(handle) = Handle::parse(&text) else { return Ok(()) };
            let channels = Channels::builtin();
            for channel in ["imessage", "bluebubbles"] {
                let rules = channels.get(&ChannelId::parse(channel).unwrap()).unwrap();
                let sender = rules.sender(handle.as_str()).unwrap();
                prop_assert_eq!(sender.as_str(), handle.as_str());
            }
            if let Ok(number) = PhoneNumber::parse(&text) {
                let rules = channels.get(&ChannelId::parse("signal").unwrap()).unwrap();
                let sender = rules.sender(number.as_str()).unwrap();
                prop_assert_eq!(sender.as_str(), number.as_str());
            }
        }
    }
}
