//! The table of a watcher, and the request that a key applies to.

use serde_json::json;

use super::{Item, Watched};
use crate::Failure;
use crate::console::{Key, Rows, Screen};

/// The requests that are shown, each with a number.
///
/// A number is never used twice, and a selection stays until its request ends. A key therefore applies to the
/// request that was shown when it was pressed, even if others have arrived.
pub(super) struct Board<T, const N: usize> {
    decides: bool,
    json: bool,
    shown: Vec<(usize, Item<T, N>)>,
    next: usize,
    chosen: Option<usize>,
    said: Option<String>,
    started: bool,
}

impl<T, const N: usize> Board<T, N> {
    pub(super) fn new(decides: bool, json: bool) -> Self {
        Self {
            decides,
            json,
            shown: Vec::new(),
            next: 1,
            chosen: None,
            said: None,
            started: false,
        }
    }

    /// Shows changes.
    pub(super) fn update<W: Watched<N, Subject = T>>(
        &mut self,
        waiting: Vec<Item<T, N>>,
        screen: &mut Screen<'_, '_>,
    ) -> Result<(), Failure> {
        let people = screen.has_tables() && !self.json;
        let before = std::mem::take(&mut self.shown);
        let (stays, ended): (Vec<_>, Vec<_>) = before
            .into_iter()
            .partition(|(_, item)| waiting.iter().any(|now| now.id == item.id));
        let known = |item: &Item<T, N>| stays.iter().find(|(_, known)| known.id == item.id);
        let mut shown = Vec::new();
        let mut new = Vec::new();
        for item in waiting {
            let number = if let Some((number, _)) = known(&item) {
                *number
            } else {
                new.push(shown.len());
                self.next += 1;
                self.next - 1
            };
            shown.push((number, item));
        }
        self.shown = shown;
        let is_there = |number: &usize| self.shown.iter().any(|(shown, _)| shown == number);
        self.chosen = self.chosen.filter(is_there);
        if people {
            return self.draw::<W>(screen);
        }
        for (_, item) in &ended {
            if self.json {
                screen.json_line(&json!({ "event": "ended", "id": item.id }))?;
            } else {
                screen.line(format_args!("ended\t{}", pairing_core::escape(&item.id)))?;
            }
        }
        for at in new {
            let Some((_, item)) = self.shown.get(at) else {
                continue;
            };
            if self.json {
                let event = json!({ "event": "requested", "id": item.id, "request": item.json });
                screen.json_line(&event)?;
            } else {
                screen.line(format_args!("requested\t{}", item.cells.join("\t")))?;
            }
        }
        screen.flush()?;
        Ok(())
    }

    /// Handles a key. Returns `false` to quit.
    pub(super) fn press<W: Watched<N, Subject = T>>(&mut self, key: Key, watched: &W) -> bool {
        self.said = None;
        match key {
            Key::Char('q') => return false,
            Key::Char('a') => self.decide(true, watched),
            Key::Char('r') => self.decide(false, watched),
            Key::Char('j') | Key::Down => self.move_by(true),
            Key::Char('k') | Key::Up => self.move_by(false),
            Key::Char(digit) => {
                let number = digit.to_digit(10).map(|number| number as usize);
                let is_there = |number: &usize| self.shown.iter().any(|(shown, _)| shown == number);
                if let Some(number) = number.filter(is_there) {
                    self.chosen = Some(number);
                }
            }
            Key::Other => {}
        }
        true
    }

    fn decide<W: Watched<N, Subject = T>>(&mut self, approve: bool, watched: &W) {
        let chosen = self.chosen.and_then(|chosen| {
            let mut shown = self.shown.iter();
            shown.find(|(number, _)| *number == chosen)
        });
        let Some((_, item)) = chosen else {
            self.said = Some("Choose one first.".to_owned());
            return;
        };
        self.said = Some(match watched.decide(&item.subject, approve) {
            Ok(done) => done,
            Err(failure) => pairing_core::Chain(&failure).unescaped(),
        });
    }

    fn move_by(&mut self, down: bool) {
        let at = self.chosen.and_then(|chosen| {
            let mut shown = self.shown.iter();
            shown.position(|(number, _)| *number == chosen)
        });
        let last = self.shown.len().saturating_sub(1);
        let at = match (at, down) {
            (None, true) => 0,
            (None, false) => last,
            (Some(at), true) => last.min(at + 1),
            (Some(at), false) => at.saturating_sub(1),
        };
        self.chosen = self.shown.get(at).map(|(number, _)| *number);
    }

    fn draw<W: Watched<N, Subject = T>>(
        &mut self,
        screen: &mut Screen<'_, '_>,
    ) -> Result<(), Failure> {
        if self.started {
            screen.clear()?;
        }
        self.started = true;
        if self.shown.is_empty() {
            screen.line(W::NOBODY)?;
        } else {
            screen.title(W::TITLE)?;
            let cells = self.shown.iter().map(|(number, item)| {
                let mut cells = item.cells.clone();
                let mark = if self.chosen == Some(*number) {
                    ">"
                } else {
                    " "
                };
                if let Some(first) = cells.first_mut() {
                    *first = format!("{mark}{number}  {first}");
                }
                cells
            });
            let rows = Rows {
                header: W::HEADER,
                cells: cells.collect(),
                breakable: W::BREAKABLE,
            };
            screen.rows("", rows)?;
        }
        let chosen = self
            .shown
            .iter()
            .find(|(number, _)| self.chosen == Some(*number));
        if let Some((number, item)) = chosen {
            screen.line(format_args!("Approving {number} lets it"))?;
            for right in &item.rights {
                screen.line(format_args!("  {right}"))?;
            }
        }
        if let Some(said) = &self.said {
            screen.line(pairing_core::escape(said).limit(4096))?;
        }
        if self.decides {
            screen.line("1-9 ↑ ↓ choose   a approve   r reject   q quit")?;
        }
        screen.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Console;

    struct Things;

    impl Watched<1> for Things {
        type Subject = &'static str;

        const TITLE: &'static str = "Things";
        const NOBODY: &'static str = "Nothing.";
        const HEADER: [&'static str; 1] = ["Thing"];
        const BREAKABLE: &'static [usize] = &[];

        fn waiting(&self, _: &mut Screen<'_, '_>) -> Result<Vec<Item<&'static str, 1>>, Failure> {
            Ok(Vec::new())
        }

        fn decide(&self, subject: &&'static str, approve: bool) -> Result<String, Failure> {
            Ok(format!("{subject}: {approve}"))
        }
    }

    fn items(ids: &[&'static str]) -> Vec<Item<&'static str, 1>> {
        let item = |id: &&'static str| Item {
            id: (*id).to_owned(),
            cells: [(*id).to_owned()],
            rights: Vec::new(),
            json: serde_json::Value::Null,
            subject: *id,
        };
        ids.iter().map(item).collect()
    }

    fn update(board: &mut Board<&'static str, 1>, ids: &[&'static str]) -> String {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut stdout, &mut stderr);
        console.tables = board.decides;
        let mut screen = Screen::new(&mut console, true);
        board.update::<Things>(items(ids), &mut screen).unwrap();
        String::from_utf8(stdout).unwrap()
    }

    fn press(board: &mut Board<&'static str, 1>, keys: &str) -> Option<String> {
        for key in keys.chars() {
            assert!(board.press(Key::Char(key), &Things));
        }
        board.said.clone()
    }

    #[test]
    fn t19_a_key_is_about_what_was_chosen_and_never_about_the_newest() {
        let mut board = Board::new(true, false);
        update(&mut board, &["a"]);
        assert_eq!(press(&mut board, "a").unwrap(), "Choose one first.");
        assert_eq!(press(&mut board, "1a").unwrap(), "a: true");
        // Another request arrives, and is shown above it.
        update(&mut board, &["b", "a"]);
        assert_eq!(press(&mut board, "r").unwrap(), "a: false");
        // The selected request ends. The one that takes its place was never selected.
        update(&mut board, &["c", "b"]);
        assert_eq!(press(&mut board, "a").unwrap(), "Choose one first.");
        assert_eq!(press(&mut board, "1a").unwrap(), "Choose one first.");
        assert_eq!(press(&mut board, "3a").unwrap(), "c: true");
        assert_eq!(press(&mut board, "ja").unwrap(), "b: true");
        assert!(!board.press(Key::Char('q'), &Things));
    }

    #[test]
    fn programs_are_told_what_comes_and_what_ends() {
        let mut board = Board::new(false, false);
        assert_eq!(update(&mut board, &["a"]), "requested\ta\n");
        assert_eq!(update(&mut board, &["a"]), "");
        assert_eq!(update(&mut board, &["b"]), "ended\ta\nrequested\tb\n");
        let mut board = Board::new(false, true);
        update(&mut board, &["a"]);
        assert_eq!(
            update(&mut board, &[]),
            "{\"event\":\"ended\",\"id\":\"a\"}\n"
        );
    }
}
