//! Codes as people type them: accepted exactly if they are one, and never shown by accident.

use pairing_core::{PairingCode, ParseCodeError};

const ALPHABET: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

target!(|typed: &str| {
    let meant: Vec<char> = typed
        .chars()
        .filter(|c| !c.is_whitespace() && !"-‐‑‒–—―".contains(*c))
        .collect();
    let foreign = |c: &&char| !ALPHABET.contains(c.to_ascii_uppercase());
    match PairingCode::parse(typed) {
        Ok(code) => {
            let upper: String = meant.iter().map(char::to_ascii_uppercase).collect();
            assert_eq!(code.as_str(), upper);
            assert!(upper.len() == 8 && upper.chars().all(|c| ALPHABET.contains(c)));

            let (left, right) = upper.split_at(4);
            for spelling in [
                upper.to_lowercase(),
                format!(" {left}-{right}\n"),
                format!("{left} {right}"),
            ] {
                assert_eq!(PairingCode::parse(&spelling), Ok(code), "{spelling:?}");
            }
            assert_eq!(PairingCode::try_from(String::from(code)), Ok(code));
            assert!(!format!("{code:?}").contains(&upper));
        }
        Err(ParseCodeError::Length { found }) => {
            assert_ne!(found, PairingCode::LENGTH);
            assert_eq!(found, meant.len());
        }
        Err(ParseCodeError::Character { found }) => {
            assert_eq!(meant.len(), PairingCode::LENGTH);
            assert_eq!(meant.iter().find(foreign), Some(&found));
        }
        Err(other) => panic!("an error nobody has described: {other}"),
    }
});
