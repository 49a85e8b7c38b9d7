//! Plain text for Slack, which reads `&`, `<` and `>` in what an app sends; and what people typed, out of what it
//! makes of that.

use channel_kit::TextLimit;

/// The longest text of a message, in characters.
pub(crate) const TEXT: TextLimit = TextLimit::chars(4000);

/// The longest text of a part of a message with buttons, in characters.
pub(crate) const PART: TextLimit = TextLimit::chars(3000);

/// The texts of the messages that a text takes, each escaped. Blank ones are left out.
pub(crate) fn messages(text: &str) -> Vec<String> {
    parts(text, TEXT)
}

/// The parts of a message with buttons, each escaped.
pub(crate) fn parts(text: &str, limit: TextLimit) -> Vec<String> {
    limit.split_as(text, escape)
}

/// The text of the one message that the beginning of a text takes.
pub(crate) fn first_message(text: &str) -> String {
    let mut messages = messages(text).into_iter();
    messages.next().unwrap_or_else(|| "…".to_owned())
}

/// Escapes a text.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What was typed: links and mentions as text, and nothing escaped.
pub(crate) fn typed(text: &str) -> String {
    let mut typed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        typed.push_str(before);
        let used = if from.starts_with('<') {
            angled(from, &mut typed)
        } else {
            entity(from, &mut typed)
        };
        rest = from.get(used..).unwrap_or_default();
    }
    typed.push_str(rest);
    typed
}

fn entity(from: &str, typed: &mut String) -> usize {
    for (entity, c) in [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')] {
        if from.starts_with(entity) {
            typed.push(c);
            return entity.len();
        }
    }
    typed.push('&');
    1
}

/// A link, a mention or the like: `<https://example.org|example.org>`, `<@U1>`, `<#C1|general>`, `<!here>`.
fn angled(from: &str, typed: &mut String) -> usize {
    let end = from
        .find(['>', '\n'])
        .filter(|end| from.as_bytes().get(*end) == Some(&b'>'));
    let Some(end) = end else {
        typed.push('<');
        return 1;
    };
    let inner = from.get(1..end).unwrap_or_default();
    let (what, label) = match inner.split_once('|') {
        Some((what, label)) => (what, Some(label)),
        None => (inner, None),
    };
    let mut plain = |text: &str| {
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            let (before, from) = rest.split_at(at);
            typed.push_str(before);
            let used = entity(from, typed);
            rest = from.get(used..).unwrap_or_default();
        }
        typed.push_str(rest);
    };
    match (what.chars().next(), label) {
        (Some('@'), label) => {
            plain("@");
            plain(label.unwrap_or_else(|| what.trim_start_matches('@')));
        }
        (Some('#'), label) => {
            plain("#");
            plain(label.unwrap_or_else(|| what.trim_start_matches('#')));
        }
        (Some('!'), label) => plain(label.unwrap_or_else(|| what.get(1..).unwrap_or_default())),
        (_, Some(label)) if is_same(what, label) => plain(label),
        (_, Some(label)) => {
            plain(label);
            plain(" (");
            plain(what);
            plain(")");
        }
        (_, None) => plain(what),
    }
    end + 1
}

/// Whether a link was typed as it is shown.
fn is_same(link: &str, label: &str) -> bool {
    let bare = ["https://", "http://", "mailto:", "tel:"]
        .iter()
        .find_map(|scheme| link.strip_prefix(scheme));
    let trim = |text: &str| text.trim_end_matches('/').to_owned();
    trim(link) == trim(label) || bare.is_some_and(|bare| trim(bare) == trim(label))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_characters_are_escaped() {
        assert_eq!(
            escape("a < b && c > d *e* _f_"),
            "a &lt; b &amp;&amp; c &gt; d *e* _f_"
        );
        assert_eq!(escape("<@U1> <!channel>"), "&lt;@U1&gt; &lt;!channel&gt;");
    }

    #[test]
    fn links_and_mentions_are_what_was_typed() {
        for (text, meant) in [
            ("", ""),
            ("a &lt; b &amp;amp; c", "a < b &amp; c"),
            (
                "see <https://x.example/a?b&amp;c>",
                "see https://x.example/a?b&c",
            ),
            ("<http://x.example|x.example>", "x.example"),
            ("<mailto:a@x.example|a@x.example>", "a@x.example"),
            ("<https://evil.example|bank>", "bank (https://evil.example)"),
            (
                "<@U1> <@U1|ann> <#C1|general> <!here>",
                "@U1 @ann #general here",
            ),
            ("1 < 2 & 3", "1 < 2 & 3"),
            ("<\n>", "<\n>"),
            ("<>", ""),
        ] {
            assert_eq!(typed(text), meant, "{text}");
        }
    }

    #[test]
    fn escaped_texts_fit_too() {
        let parts = messages(&"&".repeat(4000));
        assert!(parts.iter().all(|part| TEXT.fits(part)));
        assert_eq!(parts.concat(), "&amp;".repeat(4000));
        assert_eq!(messages(&"x".repeat(4001)).len(), 2);
        assert!(messages(" \n").is_empty());
        assert_eq!(first_message(" "), "…");
    }

    #[test]
    fn t113_hostile_names_are_shown_as_they_are() {
        for name in test_support::HOSTILE_NAMES {
            let notice = format!("telegram sender 9 (name={})", pairing_core::quoted(name));
            let sent = escape(&notice);
            assert!(!sent.contains(['<', '>']), "{sent}");
            assert_eq!(sent.lines().count(), 1, "{sent}");
            assert_eq!(typed(&sent), notice);
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_was_meant(text in "[a<>&;|@#!lgtmp\n ]{0,60}") {
            prop_assert_eq!(typed(&escape(&text)), text.clone());
            // And nothing makes it fail.
            typed(&text);
        }
    }
}
