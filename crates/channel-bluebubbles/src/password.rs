//! The password of a BlueBubbles server, which its webhooks show, too.

use std::fmt;

use channel_kit::WebhookHead;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The headers that may hold it, in the order in which they count; the other program has the same.
const HEADERS: [&str; 4] = [
    "x-guid",
    "x-password",
    "x-bluebubbles-guid",
    "authorization",
];

/// The parameters that may hold it.
const PARAMETERS: [&str; 2] = ["guid", "password"];

/// The password of a server.
///
/// - Not blank; spaces around it are left out.
/// - Has no `Display` and a `Debug` without the value; wiped when dropped.
/// - Compared in constant time, whatever the length of what was presented.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password; `None` if it is blank.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The password as the value of a parameter in a URL.
    pub(crate) fn in_query(&self) -> Zeroizing<String> {
        Zeroizing::new(utf8_percent_encode(&self.0, NON_ALPHANUMERIC).to_string())
    }

    /// Whether a request shows it. One value is compared, so that one request is one guess: the first header that is
    /// there, or else the first parameter.
    pub(crate) fn is_shown_by(&self, head: &WebhookHead<'_>) -> bool {
        if let Some(value) = HEADERS.iter().find_map(|name| head.header(name)) {
            let value = value.trim();
            let bearer = value
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            return self.is(bearer.map_or(value, |(_, token)| token).as_bytes());
        }
        let mut parameters = head.query.unwrap_or_default().split('&');
        let value = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            PARAMETERS.contains(&name).then_some(value)
        });
        value.is_some_and(|value| {
            let plain: Vec<u8> = percent_decode_str(value).collect();
            // In a form, `+` is a space. Whoever types a password into a URL means `+`.
            let form: Vec<u8> = percent_decode_str(&value.replace('+', " ")).collect();
            self.is(&plain) | self.is(&form)
        })
    }

    fn is(&self, presented: &[u8]) -> bool {
        let own = Sha256::digest(self.0.as_bytes());
        let presented = Sha256::digest(presented.trim_ascii());
        own.ct_eq(&presented).into()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(password: &str, query: Option<&str>, headers: &[(&str, &str)]) -> bool {
        let header = |name: &str| {
            let mut headers = headers.iter();
            headers
                .find(|(known, _)| *known == name)
                .map(|(_, value)| *value)
        };
        let password = Password::parse(password).unwrap();
        password.is_shown_by(&WebhookHead::new(query, &header))
    }

    #[test]
    fn a_password_in_the_query_or_a_header() {
        for query in [
            "password=hunter2",
            "guid=hunter2",
            "x=1&password=hunter2&y",
            "password=%68unter2",
        ] {
            assert!(shows("hunter2", Some(query), &[]), "{query}");
        }
        for (name, value) in [
            ("x-password", "hunter2"),
            ("x-guid", " hunter2 "),
            ("x-bluebubbles-guid", "hunter2"),
            ("authorization", "Bearer hunter2"),
        ] {
            assert!(shows("hunter2", None, &[(name, value)]), "{name}");
        }
        let odd = "a +&=#%ä";
        assert!(shows(odd, Some("password=a%20%2B%26%3D%23%25%C3%A4"), &[]));
        let encoded = Password::parse(odd).unwrap().in_query();
        assert!(shows(odd, Some(&format!("password={}", &*encoded)), &[]));
        assert!(shows("a b", Some("password=a+b"), &[]) && shows("a+b", Some("password=a+b"), &[]));
    }

    #[test]
    fn one_request_is_one_guess_and_a_missing_password_is_wrong() {
        for query in [
            None,
            Some(""),
            Some("password="),
            Some("password"),
            Some("Password=hunter2"),
            Some("password=hunter"),
            Some("password=hunter22"),
            Some("password=x&password=hunter2"),
            Some("guid=x&password=hunter2"),
        ] {
            assert!(!shows("hunter2", query, &[]), "{query:?}");
        }
        let wrong = [("x-password", "x")];
        assert!(!shows("hunter2", Some("password=hunter2"), &wrong));
    }

    #[test]
    fn a_password_is_not_blank_and_not_shown() {
        assert!(Password::parse("").is_none() && Password::parse(" \n").is_none());
        let password = Password::parse(" hunter2 ").unwrap();
        assert!(!format!("{password:?}").contains("hunter2"));
        assert_eq!(&**password.in_query(), "hunter2");
    }
}
