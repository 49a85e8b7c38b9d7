//! Phone numbers, and Meta's ids for them.

/// Meta's id of a business number, such as `106540352242922`. It is not the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneNumberId(Box<str>);

impl PhoneNumberId {
    /// Parses an id; `None` if the text cannot be one. Space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_id = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person's number as E.164, from the digits that WhatsApp names them by, which begin with the country. `None` for
/// anything else.
pub(crate) fn person(digits: &str) -> Option<String> {
    let is_number = (5..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| format!("+{digits}"))
}

/// The digits of a number as it is shown to people, such as `+1 555-078-3881`.
pub(crate) fn digits(shown: &str) -> String {
    let digits = shown.chars().filter(char::is_ascii_digit);
    digits.take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers() {
        let id = PhoneNumberId::parse(" 106540352242922\n").unwrap();
        assert_eq!(id.as_str(), "106540352242922");
        let long = "1".repeat(33);
        for wrong in ["", "+1555", "1 2", "12a", "../me", &long] {
            assert!(PhoneNumberId::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(person("15550001111").as_deref(), Some("+15550001111"));
        for wrong in [
            "",
            "1234",
            "0155500011",
            "+15550001111",
            "US.13491208655302741918",
            "1234567890123456",
        ] {
            assert_eq!(person(wrong), None, "{wrong}");
        }
        assert_eq!(digits("+1 (555) 078-3881"), "15550783881");
    }
}
