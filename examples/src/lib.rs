//! Compiles what the README and the tour of embedding show. The programs are beside this folder.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/tours/embedding.md")]
struct Embedding;

/// Checks that a port and the book say as many lines of glue as are between its marks, and that they need none of what
/// a port should not need.
///
/// # Panics
///
/// If it does not.
#[doc(hidden)]
#[allow(clippy::panic, reason = "for tests")]
pub fn assert_glue(name: &str, source: &str) {
    let lines = source.lines().skip_while(|line| *line != "// Glue begins.");
    let glue: Vec<_> = lines
        .skip(1)
        .take_while(|line| *line != "// Glue ends.")
        .collect();
    let said = format!(" {} lines", glue.len());
    assert!(source.contains(&said), "the port has{said} of glue");
    let said = format!("| `{name}`, {}", glue.len());
    let book = include_str!("../../docs/ports.md");
    assert!(book.contains(&said), "docs/ports.md should have: {said}");
    for unwanted in ["Box::leak", ".unwrap()", ".expect("] {
        let found = glue.iter().find(|line| line.contains(unwanted));
        assert_eq!(found, None, "glue needs no {unwanted}");
    }
}
