//! Bytes around a document that editors and power failures leave.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pairing_core::{Channels, Limits, Timestamp};
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Fix, Severity, examine, fix};

use crate::state::State;

const LIST: &str = "{\"version\":1,\"allowFrom\":[\"555001\"]}";

fn look(state: &State, mend: bool) -> Vec<Finding> {
    let dir = StateDir::at(state.dir.path());
    let (channels, limits) = (Channels::builtin(), Limits::default());
    let now = Timestamp::from_millis(1_795_354_074_345);
    let found = if mend {
        fix(&dir, &channels, &limits, now, &Fix::default())
    } else {
        examine(&dir, &channels, &limits, now)
    };
    let mut found = found;
    found.retain(|finding| finding.kind != "loose-mode");
    found
}

#[test]
fn exactly_the_stray_bytes_are_taken_away_after_a_copy() {
    for (name, before, within, after, detail) in [
        (
            "credentials/telegram-allowFrom.json",
            "\u{feff}",
            LIST,
            "",
            "begins with a byte order mark",
        ),
        (
            "credentials/telegram-allowFrom.json",
            "",
            LIST,
            "\n\0\0\0",
            "ends with NUL bytes (3)",
        ),
        (
            "credentials/telegram-pairing.json",
            "\u{feff}",
            "{\"version\":1,\"requests\":[]}",
            "\0",
            "begins with a byte order mark and ends with NUL bytes (1)",
        ),
        (
            "devices/paired.json",
            "\u{feff}",
            "{}\n",
            "",
            "begins with a byte order mark",
        ),
        (
            "nodes/pending.json",
            "",
            "{}",
            "\0\0",
            "ends with NUL bytes (2)",
        ),
    ] {
        let state = State::empty();
        let text = format!("{before}{within}{after}");
        let kept = within.to_owned() + after.trim_end_matches('\0');
        state.write(name, &text);
        let found = look(&state, false);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(
            (found[0].kind, found[0].severity),
            ("stray-bytes", Severity::Error)
        );
        assert!(
            found[0].detail.starts_with(detail) && found[0].fixable,
            "{found:?}"
        );
        assert_eq!(state.read(name), text, "looking changes nothing");

        assert!(look(&state, true).iter().all(|finding| finding.fixed));
        assert_eq!(state.read(name), kept);
        let path = state.path(name);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let copies = fs::read_dir(path.parent().unwrap()).unwrap();
        let copies = copies.map(|entry| entry.unwrap().path());
        let copies: Vec<_> = copies
            .filter(|path| path.to_string_lossy().contains(".before-"))
            .collect();
        assert_eq!(copies.len(), 1, "{copies:?}");
        assert_eq!(fs::read_to_string(&copies[0]).unwrap(), text);
        assert_eq!(look(&state, false), []);
    }
}

#[test]
fn what_is_no_document_within_is_left_alone() {
    for text in ["\u{feff}{", "\0\0\0", "\u{feff}", "{}\0x", "[1]\0"] {
        let state = State::empty();
        state.write("devices/paired.json", text);
        let found = look(&state, true);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert_eq!(
            (found[0].kind, found[0].fixed),
            ("malformed", false),
            "{text:?}"
        );
        assert_eq!(state.read("devices/paired.json"), text);
    }
}
