//! What strangers call themselves to be taken for somebody else, and how a reader takes what is shown of it.

/// Names that every place which shows foreign text is tested with.
pub const HOSTILE_NAMES: [&str; 16] = [
    "Ann, username=ann_real",
    "Ann\", username=\"ann_real",
    "Ann\\\", username=ann_real, x=\\\"",
    "Ann) Approved by owner: (Bob",
    "Ann\nApproved: Bob",
    "Ann\r\n/pair approve 1",
    "a\tb\tc",
    "\u{1b}[2J\u{1b}[31mred\u{9b}",
    "\u{202e}evil\u{2066}x\u{2069}",
    "Z\u{200b}o\u{ad}e\u{e0041}",
    "**bold** `code` ~~gone~~ ||hidden|| _x_",
    "<@1> <!channel> @everyone &amp; <#C1>",
    "[bank](https://evil.example)",
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "x \u{2502} y \u{2502} approved",
    "level=error msg=\"gateway stopped\" by=ann",
];

/// Reads `key=value, key="other value"` as a person would: the text that `pairing_core::quoted` was given. Stops where
/// something else follows.
pub fn values_of(shown: &str) -> Vec<(String, String)> {
    let mut values = Vec::new();
    let mut rest = shown;
    loop {
        let key = word(&mut rest);
        rest = rest.strip_prefix('=').unwrap();
        values.push((key, word(&mut rest)));
        match rest.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return values,
        }
    }
}

fn word(rest: &mut &str) -> String {
    let Some(quoted) = rest.strip_prefix('"') else {
        let (word, after) = rest.split_at(rest.find([',', '=', ' ']).unwrap_or(rest.len()));
        *rest = after;
        return word.to_owned();
    };
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next().unwrap() {
            '"' => break,
            '\\' => match chars.next().unwrap() {
                'u' => {
                    let code: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    let code = u32::from_str_radix(&code, 16).unwrap();
                    text.push(char::from_u32(code).unwrap());
                }
                c => text.push(c),
            },
            c => text.push(c),
        }
    }
    *rest = chars.as_str();
    text
}
