//! Plain text for Feishu, whose text messages know tags (`<at …>`, `<b>`), links (`[text](address)`) and emoji (`[smile]`).
//!
//! Feishu documents no way to escape them. A space without width takes their meaning away, and nobody sees it.

use channel_kit::TextLimit;

/// The longest text of a message, in characters. Feishu takes 150 kB for a text and 30 kB for a card, which this fills if
/// every character is written as an escape sequence.
pub(crate) const TEXT: TextLimit = TextLimit::chars(4000);

/// A space without width.
const NOTHING: char = '\u{200b}';

/// The texts of the messages that a text takes, with nothing in them that means something to Feishu. Blank ones are left out.
pub(crate) fn messages(text: &str) -> Vec<String> {
    TEXT.split_as(text, escape)
}

/// The text of the one message that the beginning of a text takes.
pub(crate) fn first_message(text: &str) -> String {
    let mut messages = messages(text).into_iter();
    messages.next().unwrap_or_else(|| "…".to_owned())
}

/// Takes away the meaning of everything that has one.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut before = None;
    for c in text.chars() {
        let is_meant = match before {
            Some('<') => c.is_alphabetic() || matches!(c, '/' | '!'),
            Some('[') => c.is_alphabetic(),
            Some(']') => c == '(',
            _ => false,
        };
        if is_meant {
            escaped.push(NOTHING);
        }
        escaped.push(c);
        before = Some(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mentions_styles_links_and_emoji_lose_their_meaning() {
        for (text, sent) in [
            ("a < b && c > d", "a < b && c > d"),
            ("x <3, a[0] and [1, 2]", "x <3, a[0] and [1, 2]"),
            (
                "<at user_id=\"all\">all</at>",
                "<\u{200b}at user_id=\"all\">all<\u{200b}/at>",
            ),
            ("<<b>", "<<\u{200b}b>"),
            ("[1](https://x.example)", "[1]\u{200b}(https://x.example)"),
            ("[微笑]", "[\u{200b}微笑]"),
        ] {
            assert_eq!(escape(text), sent);
        }
    }

    #[test]
    fn escaped_texts_fit_too() {
        let parts = messages(&"<b".repeat(2000));
        assert!(parts.len() == 2 && parts.iter().all(|part| TEXT.fits(part)));
        assert_eq!(messages(&"x".repeat(4001)).len(), 2);
        assert!(messages(" \n").is_empty());
        assert_eq!(first_message(" "), "…");
    }

    #[test]
    fn t113_hostile_names_are_shown_as_they_are() {
        for name in test_support::HOSTILE_NAMES {
            let notice = format!("telegram sender 9 (name={})", pairing_core::quoted(name));
            let sent = escape(&notice);
            assert!(
                !sent.contains("<a") && !sent.contains("</") && !sent.contains("]("),
                "{sent}"
            );
            assert_eq!(sent.lines().count(), 1, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_meant(text in "[a<>/!()\\[\\]b é\n]{0,60}") {
            let sent = escape(&text);
            prop_assert_eq!(sent.replace(NOTHING, ""), text);
            prop_assert!(!sent.contains("<a") && !sent.contains("</") && !sent.contains("](") && !sent.contains("[b"));
        }
    }
}
