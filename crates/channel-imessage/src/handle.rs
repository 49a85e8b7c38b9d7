//! Handles: the e-mail addresses and phone numbers by which Messages names people.

/// The longest e-mail address, in bytes.
const LONGEST: usize = 254;

/// A handle in its normal form: an e-mail address in lower case, or a phone number as E.164.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handle(String);

impl Handle {
    /// Checks a handle. A number without its country is none: it is a local number or a short code, and guessing the country
    /// could make it another person's.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        number(text).or_else(|| address(text)).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn number(text: &str) -> Option<String> {
    let is_filling = |c: &char| !matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')');
    let text: String = text.chars().filter(is_filling).collect();
    let digits = text.strip_prefix('+')?;
    let is_number = (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(text)
}

fn address(text: &str) -> Option<String> {
    let (user, host) = text.split_once('@')?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | ';' | '@');
    let is_address = text.len() <= LONGEST
        && !user.is_empty()
        && !user.starts_with('-')
        && !host.is_empty()
        && !user.contains(is_odd)
        && !host.contains(is_odd);
    is_address.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_any_case_and_numbers_with_their_country() {
        let handle = |text| Handle::parse(text).map(|handle| handle.0);
        assert_eq!(
            handle(" Ann@Example.ORG ").as_deref(),
            Some("ann@example.org")
        );
        assert_eq!(handle("+1 (555) 000-1111").as_deref(), Some("+15550001111"));
        for none in [
            "",
            "ann",
            "15550001111",
            "262966",
            "5550001111",
            "+0555000111",
            "+123456",
            "@example.org",
            "ann@",
            "a@b@c",
            "a b@example.org",
            "chat_id:1@x",
            "-x@example.org",
            "urn:biz:1",
            "ann@ex\nample.org",
        ] {
            assert_eq!(handle(none), None, "{none}");
        }
        assert_eq!(handle(&format!("{}@example.org", "a".repeat(300))), None);
    }
}
