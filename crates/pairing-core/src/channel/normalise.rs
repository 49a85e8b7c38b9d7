//! The normal form of a sender's id, for each kind of id.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The rule of an adapter's author.
pub(super) type Normaliser = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The kind of ids of a channel.
#[derive(Clone)]
pub(super) enum Shape {
    /// Any text, compared unchanged.
    Any,
    /// Digits only.
    Digits,
    /// A phone number, or the JID of one.
    WhatsApp,
    /// A phone number or a UUID.
    Signal,
    /// A phone number or an e-mail address.
    IMessage,
    /// The rule of an adapter's author.
    Custom {
        normalise: Arc<Normaliser>,
        expected: Cow<'static, str>,
    },
}

impl Shape {
    /// Returns the normal form of `id`, which is trimmed and without prefixes, or a description of a
    /// valid id.
    pub(super) fn normalise<'t>(&self, id: &'t str) -> Result<Cow<'t, str>, Cow<'static, str>> {
        match self {
            Self::Any => Ok(id.into()),
            Self::Digits => id
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then_some(id.into())
                .ok_or("a numeric id, such as 12345".into()),
            Self::WhatsApp => whatsapp(id)
                .map(Cow::from)
                .ok_or("a phone number, such as +15551234567".into()),
            Self::Signal => phone(id)
                .or_else(|| uuid(id))
                .map(Cow::from)
                .ok_or("a phone number, such as +15551234567, or a UUID".into()),
            Self::IMessage => phone(id)
                .or_else(|| e_mail(id))
                .map(Cow::from)
                .ok_or("a phone number, such as +15551234567, or an e-mail address".into()),
            Self::Custom {
                normalise,
                expected,
            } => normalise(id).map(Cow::from).ok_or_else(|| expected.clone()),
        }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "Any",
            Self::Digits => "Digits",
            Self::WhatsApp => "WhatsApp",
            Self::Signal => "Signal",
            Self::IMessage => "IMessage",
            Self::Custom { .. } => "Custom",
        })
    }
}

/// Normalises a phone number to E.164: `+`, then 5 to 15 digits, the first not 0. Drops punctuation;
/// rejects letters.
fn phone(text: &str) -> Option<String> {
    let mut number = String::from("+");
    for (at, c) in text.chars().enumerate() {
        match c {
            '0'..='9' => number.push(c),
            '+' if at == 0 => {}
            '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    let digits = &number[1..];
    let plausible = (5..=15).contains(&digits.len()) && !digits.starts_with('0');
    plausible.then_some(number)
}

/// Normalises a phone number, or the JID of one, such as `15551234567:3@s.whatsapp.net`.
///
/// A `@lid` is not a phone number, although it looks like one without its suffix; a group is not one
/// either.
fn whatsapp(text: &str) -> Option<String> {
    match text.split_once('@') {
        None => phone(text),
        Some((user, server)) => {
            let is_person = ["s.whatsapp.net", "c.us"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(server));
            let number = user
                .split_once([':', '.'])
                .map_or(user, |(number, _)| number);
            is_person.then(|| phone(number)).flatten()
        }
    }
}

/// Normalises a UUID, with or without `uuid:` and dashes, to `uuid:` and lower case.
fn uuid(text: &str) -> Option<String> {
    let bare = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("uuid:") => text[5..].trim(),
        _ => text,
    };
    let hex: String = bare
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let groups: Vec<usize> = bare.split('-').map(str::len).collect();
    let well_formed = (groups == [8, 4, 4, 4, 12] || groups == [32])
        && hex.bytes().all(|b| b.is_ascii_hexdigit());
    well_formed.then(|| {
        let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| &hex[group]);
        format!("uuid:{}", groups.join("-"))
    })
}

/// Normalises an e-mail address to lower case: a non-empty text before the only `@`, and one after it,
/// with or without a dot.
fn e_mail(text: &str) -> Option<String> {
    let (user, host) = text.split_once('@')?;
    let plausible = !user.is_empty()
        && !host.is_empty()
        && !host.contains('@')
        // `chat_guid:…` and similar prefixes name a conversation, not a person.
        && !user.contains(':')
        && !text.contains(char::is_whitespace)
        && !text.contains(is_lookalike);
    plausible.then(|| text.to_lowercase())
}

/// Whether a letter outside of ASCII becomes one of ASCII in lower case, as the Kelvin sign becomes `k`: its address or name
/// would become that of another person.
pub(super) fn is_lookalike(letter: char) -> bool {
    !letter.is_ascii() && letter.to_lowercase().any(|lower| lower.is_ascii())
}
