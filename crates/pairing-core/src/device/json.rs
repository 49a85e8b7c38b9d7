//! The small part of JSON that a setup code needs: writes strings, and reads any object.
//!
//! Written by hand because this crate uses no JSON library, and because the input is untrusted and
//! contains a token: nesting is limited, and text is wiped from memory.

use std::fmt::Write as _;

use zeroize::Zeroizing;

/// Maximum nesting depth of values that are skipped.
const MAX_DEPTH: usize = 16;

/// Appends a quoted string.
pub(super) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Writing to a `String` cannot fail.
            '\0'..='\u{1f}' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// The value of a member.
pub(super) enum Value<'t> {
    Text(Zeroizing<String>),
    /// A number, as it is written.
    Number(&'t str),
    /// Any other value, which is skipped.
    Other,
}

/// Passes each member of the object in `text` to `each`; returns `None` if `text` is not exactly one
/// object.
pub(super) fn members<'t>(text: &'t str, mut each: impl FnMut(&str, Value<'t>)) -> Option<()> {
    let mut rest = Cursor(text);
    rest.list("{", "}", |rest| {
        let name = rest.name()?;
        each(&name, rest.value(MAX_DEPTH)?);
        Some(())
    })?;
    rest.space();
    rest.0.is_empty().then_some(())
}

/// The text that remains to be read.
struct Cursor<'t>(&'t str);

impl<'t> Cursor<'t> {
    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn eat(&mut self, token: &str) -> Option<()> {
        self.space();
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    /// Takes the first `at` bytes.
    fn take(&mut self, at: usize) -> Option<&'t str> {
        let (taken, rest) = self.0.split_at_checked(at)?;
        self.0 = rest;
        Some(taken)
    }

    fn list(
        &mut self,
        open: &str,
        close: &str,
        mut each: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.eat(open)?;
        if self.eat(close).is_some() {
            return Some(());
        }
        loop {
            each(self)?;
            if self.eat(",").is_none() {
                return self.eat(close);
            }
        }
    }

    fn name(&mut self) -> Option<Zeroizing<String>> {
        let name = self.string()?;
        self.eat(":").map(|()| name)
    }

    fn value(&mut self, depth: usize) -> Option<Value<'t>> {
        let inner = depth.checked_sub(1)?;
        self.space();
        match self.0.bytes().next()? {
            b'"' => return self.string().map(Value::Text),
            b'-' | b'0'..=b'9' => return self.number().map(Value::Number),
            b'{' => self.list("{", "}", |rest| {
                rest.name()?;
                rest.value(inner).map(drop)
            })?,
            b'[' => self.list("[", "]", |rest| rest.value(inner).map(drop))?,
            b't' => self.eat("true")?,
            b'f' => self.eat("false")?,
            _ => self.eat("null")?,
        }
        Some(Value::Other)
    }

    fn number(&mut self) -> Option<&'t str> {
        let no_part = |c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let text = self.take(self.0.find(no_part).unwrap_or(self.0.len()))?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (
                mantissa,
                exponent.strip_prefix(['+', '-']).unwrap_or(exponent),
            ),
            None => (text, "0"),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let whole = whole.strip_prefix('-').unwrap_or(whole);
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        ([whole, fraction, exponent].into_iter().all(digits) && !leading_zero).then_some(text)
    }

    fn string(&mut self) -> Option<Zeroizing<String>> {
        self.eat("\"")?;
        // The result is never longer than the input, so the text is never moved.
        let mut text = Zeroizing::new(String::with_capacity(self.0.len()));
        loop {
            let plain = self.take(self.0.find(|c| c < ' ' || matches!(c, '"' | '\\'))?)?;
            text.push_str(plain);
            match self.take(1)? {
                "\"" => return Some(text),
                "\\" => text.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.take(1)? {
            "\"" => '"',
            "\\" => '\\',
            "/" => '/',
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => match self.unit()? {
                high @ 0xd800..=0xdbff => {
                    self.0 = self.0.strip_prefix("\\u")?;
                    char::decode_utf16([high, self.unit()?]).next()?.ok()?
                }
                unit => char::from_u32(unit.into())?,
            },
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.take(4)?;
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| hex)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the decoded value of the member `a`.
    fn a_of(text: &str) -> Result<Option<String>, ()> {
        let mut found = None;
        members(text, |name, value| {
            if name == "a" {
                found = match value {
                    Value::Text(text) => Some(text.to_string()),
                    Value::Number(text) => Some(text.to_owned()),
                    Value::Other => None,
                };
            }
        })
        .map(|()| found)
        .ok_or(())
    }

    #[test]
    fn the_edges_of_the_grammar() {
        for good in [
            "{}",
            " { } ",
            r#"{"a":"\u00e9\ud83d\ude00\n\/"}"#,
            r#"{"a":-0.5e+7,"b":[1,{"c":null}],"d":true}"#,
        ] {
            assert!(a_of(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "[]",
            "{",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":--1}",
            "{\"a\":\"\n\"}",
            r#"{"a":"\x"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\u+123"}"#,
            r#"{"a":"é"#,
            "{\"a\":tru}",
            "{\"a\":[1 2]}",
        ] {
            assert_eq!(a_of(bad), Err(()), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(a_of(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(a_of(&nested(MAX_DEPTH + 1)), Err(()));
        assert_eq!(a_of(&format!("{{\"a\":{}", "[".repeat(100_000))), Err(()));
    }

    /// Short texts that are almost JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(":"),
            Just(","),
            Just("\"a\""),
            Just("\"\\u0061\""),
            Just("\"\\ud83d\\ude00\""),
            Just("\"é\""),
            Just("0"),
            Just("-1.5e2"),
            Just("1"),
            Just("."),
            Just("e"),
            Just("-"),
            Just("true"),
            Just("null"),
            Just(" "),
            Just("\""),
        ];
        proptest::collection::vec(token, 0..12)
            .prop_map(|tokens| format!("{{\"a\":{}", tokens.concat()))
    }

    proptest! {
        #[test]
        fn what_is_written_is_json(text: String) {
            let mut quoted = String::new();
            quote(&mut quoted, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text.clone());
            prop_assert_eq!(a_of(&format!("{{\"a\":{quoted}}}")), Ok(Some(text)));
        }

        #[test]
        fn reads_what_the_usual_parser_reads(text in nearly_json()) {
            let usual = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            // `serde_json` rejects numbers beyond the range of a float; the JSON grammar has no such
            // limit.
            let limited = |e: &serde_json::Error| e.to_string().contains("out of range");
            prop_assume!(!usual.as_ref().is_err_and(limited));
            let ours = a_of(&text);
            prop_assert_eq!(ours.is_ok(), usual.is_ok(), "{}", text);
            if let Some(serde_json::Value::String(value)) = usual.ok().and_then(|mut m| m.remove("a")) {
                prop_assert_eq!(ours, Ok(Some(value)));
            }
        }

        #[test]
        fn reading_never_panics(text: String) {
            let _ = a_of(&text);
            let _ = a_of(&format!("{{\"a\":\"{text}"));
        }
    }
}
