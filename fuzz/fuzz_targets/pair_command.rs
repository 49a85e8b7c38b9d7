//! `/pair …` as owners type it: whatever is written is a command, help, or ordinary text.

use openclaw_gateway::fuzzing::PairCommand;

target!(|text: &str| {
    let first = text.split_whitespace().next().unwrap_or_default();
    let begins = first
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("/pair"));
    let parsed = PairCommand::parse(text);
    assert!(parsed.is_none() || begins);
    match &parsed {
        // An id is what was typed, bounded, and one word.
        Some(PairCommand::Approve(id) | PairCommand::Reject(id)) => {
            assert!(text.contains(id.as_str()) && id.len() <= 64);
            assert!(!id.is_empty() && !id.contains(char::is_whitespace));
        }
        _ => {}
    }
    // The bot's name changes nothing.
    if let Some(rest) = text.strip_prefix("/pair ") {
        assert_eq!(parsed, PairCommand::parse(&format!("/pair@bot {rest}")));
        assert!(parsed.is_some());
    }
});
