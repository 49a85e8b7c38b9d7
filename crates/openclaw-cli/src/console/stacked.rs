//! Records as lines of `label: value`, one below the other, for terminals that are too narrow for a table.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// Width below which tables are stacked.
pub(super) const NARROW: usize = 80;

/// The columns that a table needs beside its cells: for each cell a border and two spaces, and the last border.
pub(super) const fn borders(cells: usize) -> usize {
    3 * cells + 1
}

/// Width of the longest word, which is not to be broken.
pub(super) fn longest_word(text: &str) -> usize {
    let words = text.split_whitespace();
    words
        .map(unicode_width::UnicodeWidthStr::width)
        .max()
        .unwrap_or(0)
}

/// Writes records one below the other, separated by empty lines. Empty values are left out. Only words that are longer
/// than the terminal is wide leave it to the terminal where they go on.
pub(super) fn stacked<const N: usize>(
    header: [&str; N],
    records: &[[String; N]],
    columns: usize,
) -> String {
    let label = header.iter().map(|label| label.width()).max().unwrap_or(0) + 2;
    let mut text = String::new();
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        for (name, value) in header.iter().zip(record) {
            if value.trim().is_empty() {
                continue;
            }
            // A column without a heading is a mark or a number.
            let name = if name.is_empty() {
                String::new()
            } else {
                format!("{name}:")
            };
            let indent = if longest_word(value) + label <= columns {
                label
            } else {
                2
            };
            let mut lines = wrapped(value, columns.saturating_sub(indent)).into_iter();
            let first = if indent == label {
                let pad = label.saturating_sub(name.as_str().width());
                format!("{name}{:pad$}{}", "", lines.next().unwrap_or_default())
            } else {
                name
            };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", first.trim_end());
            for line in lines {
                let _ = writeln!(text, "{:indent$}{line}", "");
            }
        }
    }
    text
}

/// Breaks a text between its words.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_values_stay_within_the_terminal() {
        let record = [
            "M8NGT2AA".to_owned(),
            String::new(),
            "firstName=Ann, 我们我们我们我们 lastName=of-the-north".to_owned(),
            format!("https://{}", "x".repeat(60)),
        ];
        for columns in 30..80 {
            let text = stacked(
                ["Code", "Nothing", "Meta", "From"],
                std::slice::from_ref(&record),
                columns,
            );
            assert!(!text.contains("Nothing"), "{text}");
            for word in record.iter().flat_map(|value| value.split_whitespace()) {
                assert!(text.contains(word), "{columns}: {text}");
            }
            for line in text.lines().filter(|line| !line.contains("https")) {
                assert!(line.width() <= columns, "{columns}: {line}");
            }
        }
    }
}
