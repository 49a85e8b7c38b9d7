use super::*;

fn path(text: &str) -> KeyPath {
    text.parse().unwrap()
}

fn set(text: &str, key: &str, value: &str) -> String {
    let mut document = Document::parse(text).unwrap();
    document.set(&path(key), value).unwrap();
    Document::parse(document.as_str()).unwrap();
    assert_eq!(document.get(&path(key)), Some(value));
    document.as_str().to_owned()
}

fn unset(text: &str, key: &str) -> String {
    let mut document = Document::parse(text).unwrap();
    assert!(document.unset(&path(key)));
    Document::parse(document.as_str()).unwrap();
    assert_eq!(document.get(&path(key)), None);
    document.as_str().to_owned()
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    for (text, key, value, expected) in [
        ("{ a: 1 /* one */ }", "a", "2", "{ a: 2 /* one */ }"),
        (
            "{'a': {b:[1, 0x2 , 3]},}",
            "a.b[1]",
            "\"x\"",
            "{'a': {b:[1, \"x\" , 3]},}",
        ),
        ("{a:1,a:2}", "a", "3", "{a:1,a:3}"),
        ("\u{feff}{ä: 1}", "ä", "2", "\u{feff}{ä: 2}"),
        ("{ \\u0061: 1 }", "a", "2", "{ \\u0061: 2 }"),
        ("{ a: {\n  b: 1\n} }", "a", "[ ]", "{ a: [ ] }"),
    ] {
        assert_eq!(set(text, key, value), expected, "{text}");
    }
}

#[test]
fn a_member_is_added_in_the_manner_of_the_others() {
    for (text, key, expected) in [
        ("{}", "a", "{ a: 1 }"),
        ("{}", "a.b-c.d", "{ a: { \"b-c\": { d: 1 } } }"),
        ("{ // none\n}\n", "a", "{ a: 1 // none\n}\n"),
        ("{ b: 2 }", "a", "{ b: 2, a: 1 }"),
        ("{ b: 2, }", "a", "{ b: 2, a: 1, }"),
        ("{\n  b: 2\n}", "a", "{\n  b: 2,\n  a: 1\n}"),
        (
            "{\n\tb: 2, // two\n\n\t// the end\n}",
            "a",
            "{\n\tb: 2, // two\n\ta: 1,\n\n\t// the end\n}",
        ),
        ("{\n  b: 2 // two\n}", "a", "{\n  b: 2, // two\n  a: 1\n}"),
        (
            "{\n  b: 2 /* two\n lines */\n}",
            "a",
            "{\n  b: 2,\n  a: 1 /* two\n lines */\n}",
        ),
        (
            "{\r\n  \"b\": {}\r\n}",
            "b.a",
            "{\r\n  \"b\": { \"a\": 1 }\r\n}",
        ),
        (
            "{\r\n  \"b\": 2\r\n}",
            "a",
            "{\r\n  \"b\": 2,\r\n  \"a\": 1\r\n}",
        ),
        (
            "{ g: {\n    b: 2 } }",
            "g.a",
            "{ g: {\n    b: 2,\n    a: 1 } }",
        ),
    ] {
        assert_eq!(set(text, key, "1"), expected, "{text}");
    }
}

#[test]
fn a_member_goes_with_its_comma_and_its_line() {
    for (text, key, expected) in [
        ("{ a: 1 }", "a", "{ }"),
        ("{ a: 1, b: 2 }", "a", "{ b: 2 }"),
        ("{ a: 1, b: 2 }", "b", "{ a: 1 }"),
        ("{\n  a: 1,\n  b: 2\n}", "b", "{\n  a: 1\n}"),
        ("{\n  a: 1, // one\n  b: 2\n}", "b", "{\n  a: 1, // one\n}"),
        (
            "{\n  a: 1,\n  // two\n  b: 2,\n}",
            "b",
            "{\n  a: 1,\n  // two\n}",
        ),
        ("{ x: { a: { b: 1 }, c: 2 } }", "x.a", "{ x: { c: 2 } }"),
        ("{ x: [1, 2, 3] }", "x[1]", "{ x: [1, 3] }"),
        ("{ x: [1, 2, 3] }", "x[2]", "{ x: [1, 2] }"),
        ("{ a: 1, b: 2, a: 3 }", "a", "{ b: 2 }"),
    ] {
        if text.contains('[') {
            let mut document = Document::parse(text).unwrap();
            let range = document.found(&path(key)).unwrap();
            document.text.replace_range(range, "");
            assert_eq!(document.as_str(), expected, "{text}");
        } else {
            assert_eq!(unset(text, key), expected, "{text}");
        }
    }
    assert!(!Document::parse("{ a: 1 }").unwrap().unset(&path("a.b")));
}

#[test]
fn comments_around_a_value_are_not_taken_over() {
    let mut document = Document::parse("{ a: 1, b: 2 }").unwrap();
    document
        .set(&path("a"), "/* x */ [ 3 // three\n ] // y")
        .unwrap();
    assert_eq!(document.as_str(), "{ a: [ 3 // three\n ], b: 2 }");
}

#[test]
fn what_cannot_be_changed_is_refused_and_stays() {
    for (text, key, value, error) in [
        ("{ a: 1 }", "a.b", "1", "a is neither an object nor a list"),
        ("{ a: [1] }", "a[1]", "1", "a has no such entry"),
        ("{ a: [1] }", "a.b", "1", "a has no such entry"),
        ("{ a: {} }", "a.b[0]", "1", "a has no such entry"),
        ("{ a: 1 }", "a", "1 2", "the value is not JSON5"),
        ("{ a: 1 }", "a", "}", "the value is not JSON5"),
    ] {
        let mut document = Document::parse(text).unwrap();
        let refused = document.set(&path(key), value).unwrap_err();
        assert_eq!(refused.to_string(), error);
        assert_eq!(document.as_str(), text);
    }
    for bad in [
        "", ".", "a.", ".a", "a..b", "[0]", "a[x]", "a[\"x]", "a]b[", "a[0]b",
    ] {
        let parsed = bad.parse::<KeyPath>();
        assert!(parsed.is_err() || bad == "a]b[", "{bad}: {parsed:?}");
    }
}
