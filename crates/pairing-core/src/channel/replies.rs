//! What senders are told.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ChannelRules;
use crate::{Metadata, PairingCode, SenderId};

/// The texts for senders: to one who asks, to one who was approved, and to one who presented a wrong claim code.
///
/// The default is what OpenClaw says, word for word. An embedder puts in its own name and command, or texts of
/// its own, in as many languages as it likes:
///
/// ```
/// use pairing_core::{ChannelId, ChannelRules, PairingCode, Replies, Texts};
///
/// let replies = Replies::default()
///     .product("Acme")
///     .command("acme")
///     .profile("work")
///     .language("de", Texts::new("{product}: Kein Zugang. Code: {code}", "{product}: Freigeschaltet.")
///         .wrong_code("Dieser Code gilt nicht."));
/// let rules = ChannelRules::new(ChannelId::parse("irc")?);
/// let (sender, code) = (rules.sender("ann")?, PairingCode::parse("M8NGT2AA")?);
/// assert!(replies.request(&rules, &sender, code, None).ends_with("acme --profile work pairing approve irc M8NGT2AA"));
/// assert_eq!(replies.request(&rules, &sender, code, Some("de-AT")), "Acme: Kein Zugang. Code: M8NGT2AA");
/// assert_eq!(replies.approved(Some("de")), "Acme: Freigeschaltet.");
/// assert_eq!(replies.wrong_code(Some("de")), "Dieser Code gilt nicht.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Replies {
    product: Cow<'static, str>,
    command: Cow<'static, str>,
    /// With a space and the option before it; empty without a profile.
    profile: Cow<'static, str>,
    texts: Texts,
    languages: BTreeMap<String, Texts>,
}

/// The texts in one language, with places for what differs.
///
/// - In all: `{product}`, `{command}`, and `{profile}`, which is empty or ` --profile <name>`.
/// - In the text to one who asks, also: `{channel}`, `{label}` (the channel's words before an id), `{id}` and
///   `{code}`.
///
/// Other text in braces stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    request: Cow<'static, str>,
    approved: Cow<'static, str>,
    wrong_code: Cow<'static, str>,
}

impl Texts {
    /// Makes the texts of a language: to one who asks, and to one who was approved. The text to one who presented
    /// a wrong claim code is the English one, unless [`wrong_code`](Self::wrong_code) sets another.
    pub fn new(
        request: impl Into<Cow<'static, str>>,
        approved: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            request: request.into(),
            approved: approved.into(),
            wrong_code: "This code is not valid. Ask for a new one.".into(),
        }
    }

    /// Sets the text to a sender whose claim code is wrong, spent or expired.
    #[must_use]
    pub fn wrong_code(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.wrong_code = text.into();
        self
    }
}

impl Default for Texts {
    /// The texts of OpenClaw.
    fn default() -> Self {
        Self::new(
            "{product}: access not configured.\n\n\
             {label}{id}\n\n\
             Pairing code: {code}\n\n\
             Ask the bot owner to approve with:\n\
             {command}{profile} pairing approve {channel} {code}",
            "{product}: access approved. Send a message to start.",
        )
    }
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            product: "OpenClaw".into(),
            command: "openclaw".into(),
            profile: "".into(),
            texts: Texts::default(),
            languages: BTreeMap::new(),
        }
    }
}

impl Replies {
    /// The member of a sender's [`Metadata`] that has their language.
    pub const LANGUAGE_KEY: &str = "language";

    /// Sets the name of the program, as senders know it.
    #[must_use]
    pub fn product(mut self, product: impl Into<Cow<'static, str>>) -> Self {
        self.product = product.into();
        self
    }

    /// Sets the command that owners approve with.
    #[must_use]
    pub fn command(mut self, command: impl Into<Cow<'static, str>>) -> Self {
        self.command = command.into();
        self
    }

    /// Sets the profile that the command has to be told.
    #[must_use]
    pub fn profile(mut self, name: &str) -> Self {
        self.profile = format!(" --profile {name}").into();
        self
    }

    /// Sets the texts for senders whose language is not known or has no texts.
    #[must_use]
    pub fn texts(mut self, texts: Texts) -> Self {
        self.texts = texts;
        self
    }

    /// Sets the texts of a language, by its tag (`de`, `pt-BR`). A sender's is the member
    /// [`language`](Self::LANGUAGE_KEY) of their metadata.
    #[must_use]
    pub fn language(mut self, tag: &str, texts: Texts) -> Self {
        self.languages.insert(tag.to_lowercase(), texts);
        self
    }

    /// Returns the text for a sender who asked, with their code.
    pub fn request(
        &self,
        rules: &ChannelRules,
        sender: &SenderId,
        code: PairingCode,
        language: Option<&str>,
    ) -> String {
        let [product, command, profile] = self.places();
        let words = [
            product,
            command,
            profile,
            ("{channel}", rules.id().as_str()),
            ("{label}", rules.sender_line()),
            ("{id}", sender.as_str()),
            ("{code}", code.as_str()),
        ];
        fill_places(&self.in_language(language).request, &words)
    }

    /// Returns the text for a sender who was approved.
    pub fn approved(&self, language: Option<&str>) -> String {
        fill_places(&self.in_language(language).approved, &self.places())
    }

    /// Returns the text for a sender whose claim code is wrong, spent or expired.
    pub fn wrong_code(&self, language: Option<&str>) -> String {
        fill_places(&self.in_language(language).wrong_code, &self.places())
    }

    /// Returns the language that a sender's metadata names.
    pub fn language_of(meta: &Metadata) -> Option<&str> {
        meta.text(Self::LANGUAGE_KEY)
    }

    fn places(&self) -> [(&'static str, &str); 3] {
        [
            ("{product}", &self.product),
            ("{command}", &self.command),
            ("{profile}", &self.profile),
        ]
    }

    /// Returns the texts of a language, of the language without its region, or else the usual ones.
    fn in_language(&self, tag: Option<&str>) -> &Texts {
        let Some(tag) = tag.filter(|_| !self.languages.is_empty()) else {
            return &self.texts;
        };
        let tag = tag.to_lowercase().replace('_', "-");
        let mut tag = tag.as_str();
        loop {
            if let Some(texts) = self.languages.get(tag) {
                return texts;
            }
            match tag.rsplit_once('-') {
                Some((shorter, _)) => tag = shorter,
                None => return &self.texts,
            }
        }
    }
}

/// Returns the text with these words in their places. What is put in is not looked at again: it may hold what
/// looks like another place.
pub fn fill_places(text: &str, words: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let word = words.iter().find(|(place, _)| from.starts_with(place));
        let (put, length) = word.map_or(("{", 1), |(place, word)| (*word, place.len()));
        filled.push_str(put);
        rest = &from[length..];
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChannelId;

    #[test]
    fn the_default_notice() {
        assert_eq!(
            Replies::default().approved(None),
            "OpenClaw: access approved. Send a message to start."
        );
    }

    #[test]
    fn a_senders_id_is_never_taken_for_a_place() {
        let rules = ChannelRules::new(ChannelId::parse("irc").unwrap());
        let sender = rules.sender("{code}").unwrap();
        let code = PairingCode::parse("M8NGT2AA").unwrap();
        let replies = Replies::default().texts(Texts::new("{id} {unknown} {code}", ""));
        let text = replies.request(&rules, &sender, code, None);
        assert_eq!(text, "{code} {unknown} M8NGT2AA");
    }

    #[test]
    fn the_nearest_language() {
        let texts = |name: &'static str| Texts::new("", name);
        let replies = Replies::default()
            .texts(texts("usual"))
            .language("pt", texts("pt"))
            .language("pt-BR", texts("br"));
        for (asked, told) in [
            (None, "usual"),
            (Some("en"), "usual"),
            (Some("pt"), "pt"),
            (Some("pt-PT"), "pt"),
            (Some("pt_br"), "br"),
            (Some("PT-BR-x-1"), "br"),
            (Some("-"), "usual"),
        ] {
            assert_eq!(replies.approved(asked), told, "{asked:?}");
        }
    }

    #[test]
    fn only_the_given_words_are_places() {
        let words = [("{code}", "ABCD"), ("{id}", "{code}{{id}"), ("{x}", "")];
        for (text, expected) in [
            ("", ""),
            ("no place", "no place"),
            ("{code}", "ABCD"),
            ("a {id} b {code}", "a {code}{{id} b ABCD"),
            ("{ {unknown} {{code} {code", "{ {unknown} {ABCD {code"),
            ("ä{x}ö{", "äö{"),
        ] {
            assert_eq!(fill_places(text, &words), expected);
        }
    }
}
