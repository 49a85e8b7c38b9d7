//! Plain text for Discord, which reads Markdown, mentions and masked links in what a bot sends.
//!
//! A backslash goes before each character that would not be shown as it is, and before no other: a text without such
//! characters is sent unchanged, and can be copied as it was meant.

use channel_kit::TextLimit;

/// The longest text of a message: code points, as Discord counts them.
pub(crate) const TEXT: TextLimit = TextLimit::chars(2000);

/// The texts of the messages that a text takes, each escaped. Blank ones are left out.
pub(crate) fn messages(text: &str) -> Vec<String> {
    TEXT.split_as(text, escape)
}

/// The text of the one message that the beginning of a text takes.
pub(crate) fn first_message(text: &str) -> String {
    messages(text)
        .into_iter()
        .next()
        .unwrap_or_else(|| "…".to_owned())
}

/// A single word, such as a setup code, that is to be copied: unchanged, or as code where it would be shown otherwise.
pub(crate) fn word(word: &str) -> String {
    if escape(word) == word || word.contains('`') {
        escape(word)
    } else {
        format!("`{word}`")
    }
}

/// Escapes a text.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let (mut before, mut is_line_start) = ('\n', true);
    for (at, c) in text.char_indices() {
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        if is_special(c, before, rest, is_line_start) {
            escaped.push('\\');
        }
        escaped.push(c);
        is_line_start = c == '\n' || (is_line_start && c.is_whitespace());
        before = c;
    }
    escaped
}

fn is_special(c: char, before: char, rest: &str, is_line_start: bool) -> bool {
    let next = rest.chars().next().unwrap_or('\n');
    match c {
        '\\' => next.is_ascii_punctuation(),
        '`' => true,
        '*' => is_line_start || !(before.is_whitespace() && next.is_whitespace()),
        // Between letters and digits it is shown.
        '_' => !(before.is_alphanumeric() && next.is_alphanumeric()),
        '~' | '|' => before == c || next == c,
        // Mentions, channels, emoji, times, navigation and links without a preview.
        '<' => {
            let name = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            matches!(next, '@' | '#' | ':' | '/')
                || (name.len() < rest.len() && name.starts_with(':'))
        }
        // A masked link shows another address than it leads to.
        '(' => before == ']',
        '>' | '#' => is_line_start,
        '-' => is_line_start && next == '#',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_be_shown_is_left_alone() {
        for text in [
            "",
            "Pairing code: 9GHV98NR",
            "snake_case_words, 2 * 3, a-b, 100 % (or so), ~5, a|b, [x] (y), a > b, #1? no: say #1",
            "/pair approve <id>",
            "https://gateway.example/a_b?c=d",
            "- one\n- two",
            "ä 😀",
        ] {
            assert_eq!(escape(text), text);
        }
    }

    #[test]
    fn what_would_be_markup_is_not() {
        for (text, escaped) in [
            ("**bold**", "\\*\\*bold\\*\\*"),
            ("_x_", "\\_x\\_"),
            ("a__b", "a\\_\\_b"),
            ("~~gone~~", "\\~\\~gone\\~\\~"),
            ("||hidden||", "\\|\\|hidden\\|\\|"),
            ("`code`", "\\`code\\`"),
            ("# title", "\\# title"),
            ("a\n > quote", "a\n \\> quote"),
            ("-# small", "\\-# small"),
            (
                "<@1> <#2> <:a:3> </pair:4> <t:5> <a:b:6> <https://x>",
                "\\<@1> \\<#2> \\<:a:3> \\</pair:4> \\<t:5> \\<a:b:6> \\<https://x>",
            ),
            (
                "[bank](https://evil.example)",
                "[bank]\\(https://evil.example)",
            ),
            ("\\*", "\\\\\\*"),
            ("C:\\dir", "C:\\dir"),
        ] {
            assert_eq!(escape(text), escaped, "{text}");
        }
    }

    #[test]
    fn a_code_is_copied_as_it_is() {
        assert_eq!(word("eyJ1cmwi-abc_def"), "eyJ1cmwi-abc_def");
        assert_eq!(word("a_b_-c"), "`a_b_-c`");
        assert_eq!(word("a`__"), "a\\`\\_\\_");
    }

    #[test]
    fn escaped_texts_fit_too() {
        let stars = "*".repeat(4000);
        let parts = messages(&stars);
        assert!(parts.iter().all(|part| TEXT.fits(part)));
        assert_eq!(parts.concat(), "\\*".repeat(4000));
        assert_eq!(messages(&"x".repeat(4001)).len(), 3);
        assert!(messages(" \n").is_empty());
        assert_eq!(first_message(" "), "…");
    }

    #[test]
    fn t113_hostile_names_are_shown_as_they_are() {
        for name in test_support::HOSTILE_NAMES {
            let notice = format!("telegram sender 9 (name={})", pairing_core::quoted(name));
            let sent = escape(&notice);
            assert_eq!(sent.lines().count(), 1, "{sent}");
            // What Discord shows of it: a backslash before punctuation is left out.
            let (mut shown, mut rest) = (String::new(), sent.chars().peekable());
            while let Some(c) = rest.next() {
                if c == '\\' && rest.peek().is_some_and(char::is_ascii_punctuation) {
                    shown.extend(rest.next());
                } else {
                    shown.push(c);
                }
            }
            assert_eq!(shown, notice);
            for markup in ["<@", "**", "~~", "||", "](", "`"] {
                let bare = sent.match_indices(markup);
                for (at, _) in bare {
                    assert!(sent[..at].ends_with('\\'), "{markup} in {sent}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_but_backslashes_is_added(text in "[a_*~`|<>#@:()\\[\\]\\\\ \n-]{0,60}") {
            let escaped = escape(&text);
            let bare = |text: &str| text.replace('\\', "");
            prop_assert_eq!(bare(&escaped), bare(&text));
            prop_assert!(messages(&text).iter().all(|part| TEXT.fits(part)));
        }
    }
}
