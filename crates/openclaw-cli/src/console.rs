//! Where answers and remarks go: tables for people, tab-separated lines for pipes, JSON on request.

use std::fmt::{self, Display};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::builder::StyledStr;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use pairing_core::{Chain, Problem, escape};
use serde::Serialize;

use crate::Failure;
use crate::failure::UsageError;

/// Two streams, and what is known of them.
pub struct Console<'a> {
    /// For the answer.
    pub stdout: &'a mut dyn Write,
    /// For errors and remarks.
    pub stderr: &'a mut dyn Write,
    /// Tables with borders and headers on standard output: a person looks at it.
    pub tables: bool,
    /// How wide tables may be, where that is known.
    pub columns: Option<u16>,
    /// Whether the answer may be coloured. `NO_COLOR` and `--no-color` override it.
    pub color_stdout: bool,
    /// Whether errors and remarks may be coloured.
    pub color_stderr: bool,
    /// Reads a key as soon as it is pressed, where a person may.
    pub keys: Option<Keys>,
}

/// Waits for a key. Called from a thread of its own.
pub type Keys = Box<dyn FnMut() -> io::Result<Key> + Send>;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The arrow that points up.
    Up,
    /// The arrow that points down.
    Down,
    /// A character.
    Char(char),
    /// One that means nothing here.
    Other,
}

impl<'a> Console<'a> {
    /// For a program: no tables, no colours, no keys.
    pub fn new(stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Self {
        Self {
            stdout,
            stderr,
            tables: false,
            columns: None,
            color_stdout: false,
            color_stderr: false,
            keys: None,
        }
    }
}

impl fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("tables", &self.tables)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

const TITLE: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The longest line that an error or a remark may fill, in characters.
const LONGEST: usize = 4096;

/// A [`Console`] in use.
pub(crate) struct Screen<'s, 'c> {
    console: &'s mut Console<'c>,
    plain: bool,
}

/// A table: what its columns are called, and the cells, escaped already.
pub(crate) struct Rows<'h, const N: usize> {
    pub(crate) header: [&'h str; N],
    pub(crate) cells: Vec<[String; N]>,
    /// Columns that may be broken into lines where the terminal is narrow.
    pub(crate) breakable: &'static [usize],
}

impl<'s, 'c> Screen<'s, 'c> {
    /// `plain` forbids colour.
    pub(crate) fn new(console: &'s mut Console<'c>, plain: bool) -> Self {
        Self { console, plain }
    }

    /// Whether standard output is a terminal that a person looks at.
    pub(crate) fn has_tables(&self) -> bool {
        self.console.tables
    }

    /// Whether a person may decide by pressing a key.
    pub(crate) fn has_keys(&self) -> bool {
        self.console.keys.is_some()
    }

    /// The keyboard, for whoever asks first.
    pub(crate) fn take_keys(&mut self) -> Option<Keys> {
        self.console.keys.take()
    }

    /// Begins anew on an empty screen.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        write!(self.console.stdout, "\x1b[2J\x1b[H")
    }

    /// Whether a line of this many characters fits, as far as the width is known.
    pub(crate) fn fits(&self, characters: usize) -> bool {
        let columns = self.console.columns.filter(|columns| *columns > 0);
        columns.is_none_or(|columns| characters <= usize::from(columns))
    }

    /// Whether the answer may be coloured.
    pub(crate) fn may_color(&self) -> bool {
        self.console.color_stdout && !self.plain
    }

    /// Whether errors and remarks may be coloured.
    pub(crate) fn may_color_remarks(&self) -> bool {
        self.console.color_stderr && !self.plain
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.console.stdout.flush()
    }

    /// Hands out standard output itself.
    pub(crate) fn raw(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        write(self.console.stdout)
    }

    pub(crate) fn help(&mut self, text: &StyledStr) -> io::Result<()> {
        if self.may_color() {
            write!(self.console.stdout, "{}", text.ansi())
        } else {
            write!(self.console.stdout, "{text}")
        }
    }

    /// The answer as JSON.
    pub(crate) fn json(&mut self, answer: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(answer)?;
        self.json_text(&text)
    }

    /// An event as JSON, in one line.
    pub(crate) fn json_line(&mut self, event: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(event)?;
        self.json_text(&text)
    }

    fn json_text(&mut self, text: &str) -> io::Result<()> {
        // Control characters that JSON leaves as they are would still reach the terminal. They occur
        // in strings only, where an escape means the same.
        for c in text.chars() {
            match c {
                '\u{7f}'..='\u{9f}' => write!(self.console.stdout, "\\u{:04x}", u32::from(c))?,
                c => write!(self.console.stdout, "{c}")?,
            }
        }
        writeln!(self.console.stdout)
    }

    /// A line of the answer; what came from outside is escaped already.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.console.stdout, "{text}")
    }

    /// A heading above a table; nothing in a pipe.
    pub(crate) fn title(&mut self, text: impl Display) -> io::Result<()> {
        if !self.console.tables {
            return Ok(());
        }
        let text = paint(self.may_color(), TITLE, text);
        self.line(text)
    }

    /// The rows: a table for people, otherwise lines of `key` and the cells with tabs between.
    pub(crate) fn rows<const N: usize>(&mut self, key: &str, rows: Rows<'_, N>) -> io::Result<()> {
        let Rows {
            header,
            cells,
            breakable,
        } = rows;
        if !self.console.tables {
            for row in cells {
                self.line(format_args!("{key}\t{}", row.join("\t")))?;
            }
            return Ok(());
        }
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_header(header)
            .add_rows(cells);
        if let Some(columns) = self.console.columns.filter(|columns| *columns > 0) {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(columns);
        }
        // The rest stays in one piece: it is typed off the screen, or pasted from it.
        for (at, column) in table.column_iter_mut().enumerate() {
            if !breakable.contains(&at) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self.line(table)
    }

    /// A line beside the answer: below a table, but never among lines that a program reads.
    pub(crate) fn remark(&mut self, text: impl Display) -> io::Result<()> {
        if self.console.tables {
            self.line(text)
        } else {
            self.note(text);
            Ok(())
        }
    }

    /// A line on standard error. That nobody reads it changes nothing.
    pub(crate) fn note(&mut self, text: impl Display) {
        // What was said before belongs before it. Should that fail, it fails again at the end.
        let _ = self.console.stdout.flush();
        let _ = writeln!(self.console.stderr, "{text}");
    }

    /// What a person should do next.
    pub(crate) fn hint(&mut self, text: &str) {
        self.marked("hint:", HINT, text);
    }

    /// Something stored that was passed over.
    pub(crate) fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            let text = format!("{}: {}", problem.resource, problem.detail);
            self.marked("warning:", WARNING, &text);
        }
    }

    /// What happened and why, then what to do next.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if let Failure::Usage(form @ UsageError::Form(_)) = failure {
            // This has its own label, and several lines.
            for line in form.to_string().trim_end().lines() {
                self.note(escape(line).limit(LONGEST));
            }
            return;
        }
        self.marked("error:", ERROR, &Chain(failure).unescaped());
        if let Some(advice) = failure.advice() {
            self.hint(&advice);
        }
    }

    /// A failure that did not keep the command from being done.
    pub(crate) fn warning(&mut self, failure: &Failure) {
        self.marked("warning:", WARNING, &Chain(failure).unescaped());
    }

    /// Something that the owner may not expect.
    pub(crate) fn caution(&mut self, text: &str) {
        self.marked("warning:", WARNING, text);
    }

    fn marked(&mut self, mark: &str, style: Style, text: &str) {
        let mark = paint(self.may_color_remarks(), style, mark);
        self.note(format_args!("{mark} {}", escape(text).limit(LONGEST)));
    }
}

fn paint(colored: bool, style: Style, text: impl Display) -> String {
    if colored {
        format!("{style}{text}{style:#}")
    } else {
        text.to_string()
    }
}
