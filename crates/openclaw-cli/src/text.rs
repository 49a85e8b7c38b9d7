//! Words for people.

use std::time::Duration;

use pairing_core::{Metadata, Timestamp, escape};

/// `3 min ago`; what lies in the future by a clock that is behind is `just now`.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    match now.since(at) {
        Some(age) if age >= Duration::from_secs(1) => format!("{} ago", span(age)),
        _ => "just now".to_owned(),
    }
}

/// The time left until `at`.
pub(crate) fn left(now: Timestamp, at: Timestamp) -> String {
    span(at.since(now).unwrap_or_default())
}

/// A length of time to its largest unit, cut off.
fn span(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86400),
    }
}

/// `username=ann, name=Ann`.
pub(crate) fn meta(meta: &Metadata) -> String {
    let pairs: Vec<_> = meta
        .iter()
        .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
        .collect();
    pairs.join(", ")
}

/// `1 sender`, `2 senders`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ];
        for (seconds, text) in table {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn clocks_that_disagree() {
        let (now, later) = (Timestamp::from_millis(0), Timestamp::from_millis(90_000));
        assert_eq!(ago(now, later), "just now");
        assert_eq!(ago(later, now), "1 min ago");
        assert_eq!(left(later, now), "0 s");
    }
}
