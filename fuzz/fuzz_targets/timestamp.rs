//! RFC 3339 times: what is read can be written and read again, and adding never wraps.

use std::time::Duration;

use pairing_core::Timestamp;

target!(|text: &str| {
    let Ok(at) = Timestamp::parse(text) else {
        assert!(!canonical(text), "{text:?} is a time");
        return;
    };
    let written = at.to_string();
    assert_eq!(Timestamp::parse(&written), Ok(at));
    assert_eq!(Timestamp::from_millis(at.as_millis()), at);
    if canonical(text) {
        assert_eq!(written, text);
    }
    assert!(has_shape(&written));

    for millis in [0, 1, 3_600_000, u64::MAX] {
        let step = Duration::from_millis(millis);
        let later = at + step;
        assert!(later >= at && has_shape(&later.to_string()));
        assert!(later.since(at).is_some_and(|passed| passed <= step));
        assert_eq!(at.since(later), (later == at).then_some(Duration::ZERO));
    }
});

/// A time as OpenClaw writes it, on a day that every month has and without a leap second.
fn canonical(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text[range].parse().unwrap_or(99);
    has_shape(text)
        && (1..=12).contains(&number(5..7))
        && (1..=28).contains(&number(8..10))
        && number(11..13) < 24
        && number(14..16) < 60
        && number(17..19) < 60
}

fn has_shape(text: &str) -> bool {
    let shape = b"0000-00-00T00:00:00.000Z";
    text.len() == shape.len()
        && std::iter::zip(text.bytes(), shape).all(|(found, expected)| match expected {
            b'0' => found.is_ascii_digit(),
            fixed => found == *fixed,
        })
}
