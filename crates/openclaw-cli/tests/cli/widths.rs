//! Terminals of several widths: below 80 columns records are stacked, and at no width a word is broken in two.

use std::fmt::Write as _;

use crate::session::Session;

const WIDTHS: [u16; 5] = [40, 60, 79, 80, 120];

/// Commands that show tables, on the recorded install.
const TABLES: [&str; 4] = [
    "pairing list",
    "pairing allowed list telegram",
    "devices list",
    "nodes list",
];

#[test]
fn tables_at_several_widths() {
    for width in WIDTHS {
        let mut session = Session::recorded_whole().columns(width);
        for command in TABLES {
            session.person(command);
        }
        session.person("channels list\nstatus");
        session.finish(&format!("width-{width}"));
    }
}

#[test]
fn every_word_of_a_wide_table_is_whole_in_a_narrow_one() {
    let wide = Session::recorded_whole();
    for command in TABLES {
        let args: Vec<_> = command.split(' ').collect();
        let whole = wide.run(&args).stdout;
        let mut broken = String::new();
        for width in 20..=130 {
            let narrow = Session::recorded_whole().columns(width);
            let shown = narrow.run_as_person(&args).stdout;
            let shown: Vec<_> = shown.split_whitespace().collect();
            for word in whole
                .lines()
                .flat_map(|line| line.split(['\t', ' ']).skip(1))
            {
                // Ids are cut for people, but not in the middle of a line.
                let is_id = word.len() > 30;
                if !word.is_empty() && !is_id && !shown.contains(&word) {
                    writeln!(broken, "{command} at {width}: {word}").unwrap();
                }
            }
        }
        assert_eq!(broken, "");
    }
}
