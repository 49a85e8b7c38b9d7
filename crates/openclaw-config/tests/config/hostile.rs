//! Whatever the file holds: an answer, in time and on the stack there is.

use openclaw_config::{Config, Document, KeyPath};
use proptest::prelude::*;

use crate::message;

#[test]
fn depth_bombs() {
    let table = [
        "[".repeat(1_000_000),
        "{a:".repeat(1_000_000),
        format!("{{ gateway: {} }}", "[".repeat(1_000_000)),
        format!(
            "{{ other: {}{} }}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
        format!("{{ /* ' */ other: {} }}", "[{'a':".repeat(50_000)),
    ];
    for text in table {
        let message = message(&text);
        assert!(
            message.starts_with("brackets are nested more than 64 deep, line 1"),
            "{message}"
        );
    }
    // As deep as may be, in a section of ours and in another.
    for section in ["gateway", "other"] {
        let (open, close) = ("[".repeat(62), "]".repeat(62));
        assert!(Config::parse(&format!("{{ {section}: {{ x: {open}{close} }} }}")).is_ok());
    }
}

#[test]
fn brackets_in_texts_and_comments_are_not_nested() {
    let many = "[{".repeat(1000);
    let text = format!("{{ // {many}\n a: '{many}', b: \"\\\"{many}\", /* {many} */ }}");
    assert!(Config::parse(&text).is_ok());
}

#[test]
fn size_bombs() {
    let text = format!("{{}}{}", " ".repeat(16 << 20));
    assert_eq!(message(&text), "the file is larger than 16 MiB");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("openclaw.json");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = Config::load(&path, |_| None).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "the file is larger than 16 MiB");
}

#[test]
fn many_wrong_entries_take_no_longer_than_many_right_ones() {
    // Were each of them told with its line, this would be quadratic.
    let wrong = "true,".repeat(200_000);
    let text = format!("{{ channels: {{ telegram: {{ allowFrom: [{wrong}] }} }} }}");
    assert_eq!(Config::parse(&text).unwrap().faults().count(), 20);
    let right = "'10.0.0.1',".repeat(200_000);
    let text = format!("{{ gateway: {{ trustedProxies: [{right}] }} }}");
    let config = Config::parse(&text).unwrap();
    let last = config.place("gateway.trustedProxies[199999]").unwrap();
    assert_eq!(last.column, 31 + 11 * 199_999);
}

/// Pieces of which configurations are made, for texts that get past the first character.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "'",
        "\"",
        "\\",
        "/*",
        "*/",
        "//",
        "\n",
        "\r\n",
        " ",
        "\u{feff}",
        "gateway",
        "port",
        "auth",
        "token",
        "channels",
        "telegram",
        "allowFrom",
        "accounts",
        "dmPolicy",
        "1",
        "0x",
        "-",
        ".",
        "e9",
        "NaN",
        "null",
        "true",
        "'*'",
        "'lan'",
        "\u{2028}",
        "ä",
        "\\u0041",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_has_an_answer(text: String) {
        let _ = Config::parse(&text);
    }

    #[test]
    fn any_pieces_have_an_answer(text in pieces()) {
        if let Err(error) = Config::parse(&text) {
            let lines = text.split(['\n', '\r', '\u{2028}', '\u{2029}']).count();
            let fault = error.fault();
            prop_assert!(fault.at.is_some_and(|at| at.line <= lines), "{fault}");
        }
    }

    #[test]
    fn faults_are_told_where_they_are(before in "[ \n]{0,20}", key in "[a-z]{1,8}", within in "[ \n\t]{0,9}") {
        let text = format!("{before}{{ {key}: [{{}}, 'x', -1],{within}gateway:{within}{{ port:{within}true }} }}");
        let config = Config::parse(&text).unwrap();
        let at = config.faults().next().unwrap().at.unwrap();
        let line = text.lines().nth(at.line - 1).unwrap();
        prop_assert_eq!(&line[at.column - 1..][..4], "true");
    }
}

/// Space and comments.
fn trivia() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        " ",
        "\n  ",
        "\r\n",
        " // ] } ,\n",
        "/* { , */",
        "\t",
    ])
}

/// Objects as people write them, with comments anywhere.
fn object() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1", "-0x1F", "'it\\'s'", "\"a: {\"", "null", "true", "[]", "{}",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop::sample::select(vec!["a", "'b'", "\"c\"", "$d", "'e f'"]);
        let member = (trivia(), key, trivia(), trivia(), inner.clone(), trivia());
        let member =
            member.prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        let table = (prop::collection::vec(member, 0..4), any::<bool>(), trivia());
        let table = table.prop_map(|(members, has_comma, end)| {
            let comma = if has_comma && !members.is_empty() {
                ","
            } else {
                ""
            };
            format!("{{{}{comma}{end}}}", members.join(","))
        });
        let list = prop::collection::vec((trivia(), inner), 0..4);
        let list = list.prop_map(|items| {
            let items: Vec<_> = items
                .into_iter()
                .map(|(space, item)| space.to_owned() + &item)
                .collect();
            format!("[{}]", items.join(","))
        });
        prop_oneof![3 => table, 1 => list]
    });
    (trivia(), value, trivia()).prop_map(|(before, value, after)| {
        if value.starts_with('{') {
            format!("{before}{value}{after}")
        } else {
            format!("{before}{{ a: {value} }}{after}")
        }
    })
}

proptest! {
    #[test]
    fn a_key_that_is_set_is_there_and_can_be_taken_away(
        text in object(), key in prop::sample::select(vec!["a", "b.a", "a.b.c", "[\"e f\"]", "$d.a", "new.er"]),
    ) {
        let key: KeyPath = key.replace("[\"", "a[\"").parse().unwrap();
        let mut document = Document::parse(&text).unwrap();
        if document.set(&key, "[7, // seven\n]").is_ok() {
            prop_assert!(Document::parse(document.as_str()).is_ok(), "{}", document.as_str());
            prop_assert_eq!(document.get(&key), Some("[7, // seven\n]"));
            prop_assert!(document.unset(&key));
        } else {
            prop_assert_eq!(document.as_str(), &text);
            document.unset(&key);
        }
        prop_assert!(Document::parse(document.as_str()).is_ok(), "{}", document.as_str());
        prop_assert_eq!(document.get(&key), None);
    }
}
