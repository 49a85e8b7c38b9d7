//! Hostile text on its way to a terminal. The first byte of the input is the limit.

use pairing_core::escape;

target!(|input: (u8, &str)| {
    let (limit, text) = (usize::from(input.0), input.1);
    let shown = escape(text).limit(limit).to_string();
    let (kept, cut): (Vec<char>, bool) = (
        text.chars().take(limit).collect(),
        text.chars().count() > limit,
    );

    assert!(!shown.chars().any(commands_or_hides), "{shown:?}");
    let body = if cut {
        shown.strip_suffix('…').expect("what is cut says so")
    } else {
        &shown
    };

    // What is shown is what was there, character by character: itself or its escape.
    let mut rest = body;
    for c in kept {
        rest = match rest.strip_prefix(c) {
            Some(rest) => rest,
            None => rest
                .strip_prefix(&c.escape_unicode().to_string())
                .unwrap_or_else(|| panic!("{c:?} is missing before {rest:?}")),
        };
        if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() && !fills(c) {
            assert!(body.contains(c));
        }
    }
    assert_eq!(rest, "");
});

/// Letters that are nothing but empty space.
fn fills(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

/// A list of its own, not the one it checks.
fn commands_or_hides(c: char) -> bool {
    matches!(u32::from(c),
        0..=0x1f | 0x7f..=0x9f // controls
        | 0x61c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069 // direction
        | 0xad | 0x200b..=0x200d | 0x2060 | 0xfeff // zero width
        | 0x2028 | 0x2029 // line and paragraph
        | 0xe0000..=0xe007f // tags
    )
}
