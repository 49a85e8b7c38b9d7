//! Output: tables for people, lines with tabs for pipes, JSON on request.

mod stacked;

use std::fmt::{self, Display};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::builder::StyledStr;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use pairing_core::{Chain, Problem, escape};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::Failure;
use crate::failure::UsageError;
use stacked::{NARROW, borders, longest_word, stacked, wrapped};

/// The two output streams, and their properties.
pub struct Console<'a> {
    /// For the answer.
    pub stdout: &'a mut dyn Write,
    /// For errors and remarks.
    pub stderr: &'a mut dyn Write,
    /// Whether standard output gets tables with borders and headings, because a person reads it.
    pub tables: bool,
    /// Maximum width of tables, if it is known.
    pub columns: Option<u16>,
    /// Whether standard output may be coloured. `NO_COLOR` and `--no-color` override it.
    pub color_stdout: bool,
    /// Whether standard error may be coloured.
    pub color_stderr: bool,
    /// Reads single keys, if a person may press them.
    pub keys: Option<Keys>,
}

/// Waits for a key. Called on a thread of its own.
pub type Keys = Box<dyn FnMut() -> io::Result<Key> + Send>;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The up arrow.
    Up,
    /// The down arrow.
    Down,
    /// A character.
    Char(char),
    /// A key without a meaning here.
    Other,
}

impl<'a> Console<'a> {
    /// A console for a program: without tables, colours and keys.
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

/// Maximum length of a line of errors and remarks, in characters.
const LONGEST: usize = 4096;

/// A [`Console`] in use.
pub(crate) struct Screen<'s, 'c> {
    console: &'s mut Console<'c>,
    plain: bool,
}

/// A table: the headings, and the cells, which are escaped already.
pub(crate) struct Rows<'h, const N: usize> {
    pub(crate) header: [&'h str; N],
    pub(crate) cells: Vec<[String; N]>,
    /// Columns that may be wrapped on a narrow terminal.
    pub(crate) breakable: &'static [usize],
}

impl<'s, 'c> Screen<'s, 'c> {
    /// Creates a screen. `plain` forbids colour.
    pub(crate) fn new(console: &'s mut Console<'c>, plain: bool) -> Self {
        Self { console, plain }
    }

    /// Whether standard output is a terminal that a person reads.
    pub(crate) fn has_tables(&self) -> bool {
        self.console.tables
    }

    /// Whether a person may decide by pressing keys.
    pub(crate) fn has_keys(&self) -> bool {
        self.console.keys.is_some()
    }

    /// Returns the keyboard to the first caller.
    pub(crate) fn take_keys(&mut self) -> Option<Keys> {
        self.console.keys.take()
    }

    /// Clears the screen.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        write!(self.console.stdout, "\x1b[2J\x1b[H")
    }

    /// Whether a line of this length fits, as far as the width is known.
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

    /// Returns standard output itself.
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

    /// Writes the answer as JSON.
    pub(crate) fn json(&mut self, answer: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(answer)?;
        self.json_text(&text)
    }

    /// Writes an event as one line of JSON.
    pub(crate) fn json_line(&mut self, event: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(event)?;
        self.json_text(&text)
    }

    fn json_text(&mut self, text: &str) -> io::Result<()> {
        // Control characters that JSON leaves unescaped would reach the terminal. They occur in strings only,
        // where an escape means the same.
        for c in text.chars() {
            match c {
                '\u{7f}'..='\u{9f}' => write!(self.console.stdout, "\\u{:04x}", u32::from(c))?,
                c => write!(self.console.stdout, "{c}")?,
            }
        }
        writeln!(self.console.stdout)
    }

    /// Writes a line of the answer. Text from outside has to be escaped already.
    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.console.stdout, "{text}")
    }

    /// Writes a heading above a table; nothing in a pipe.
    pub(crate) fn title(&mut self, text: impl Display) -> io::Result<()> {
        if !self.console.tables {
            return Ok(());
        }
        let text = paint(self.may_color(), TITLE, text);
        self.line(text)
    }

    /// Writes rows: a table for people, otherwise lines of `key` and the cells, separated by tabs. On a narrow
    /// terminal, and where a table would have to break a word, each row becomes a record of lines.
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
        let least = least_widths(header, &cells, breakable);
        let columns = self.console.columns.filter(|columns| *columns > 0);
        if let Some(columns) = columns.map(usize::from)
            && (columns < NARROW || least.iter().sum::<usize>() + borders(N) > columns)
        {
            let text = stacked(header, &cells, columns);
            return write!(self.console.stdout, "{text}");
        }
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_header(header)
            .add_rows(cells);
        if let Some(columns) = columns {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(columns);
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            // Other columns are not wrapped, because people type them or copy them.
            column.set_constraint(if breakable.contains(&at) {
                let padded = u16::try_from(least[at] + 2).unwrap_or(u16::MAX);
                ColumnConstraint::LowerBoundary(Width::Fixed(padded))
            } else {
                ColumnConstraint::ContentWidth
            });
        }
        self.line(table)
    }

    /// Writes a text beside a label of this width, wrapped between words where the width of the terminal is known.
    pub(crate) fn labelled(&mut self, label: &str, width: usize, text: &str) -> io::Result<()> {
        let columns = self.console.columns.filter(|columns| *columns > 0);
        let columns = columns.map_or(usize::MAX, usize::from);
        let lines = wrapped(text, columns.saturating_sub(width + 1));
        for (at, line) in lines.iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            writeln!(self.console.stdout, "{label:<width$} {line}")?;
        }
        Ok(())
    }

    /// Writes a line that belongs to a table; nothing in a pipe, where it would be among data.
    pub(crate) fn remark(&mut self, text: impl Display) -> io::Result<()> {
        if self.console.tables {
            self.line(text)
        } else {
            self.note(text);
            Ok(())
        }
    }

    /// Writes a line to standard error. A failed write is ignored.
    pub(crate) fn note(&mut self, text: impl Display) {
        // Output that was written before comes first. If flushing fails, it fails again at the end.
        let _ = self.console.stdout.flush();
        let _ = writeln!(self.console.stderr, "{text}");
    }

    /// Writes what a person should do next.
    pub(crate) fn hint(&mut self, text: &str) {
        self.marked("hint:", HINT, text);
    }

    /// Reports stored data that was ignored.
    pub(crate) fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            let text = format!("{}: {}", problem.resource, problem.detail);
            self.marked("warning:", WARNING, &text);
        }
    }

    /// Reports an error with its causes, and then what to do.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        if let Failure::Usage(form @ UsageError::Form(_)) = failure {
            // The error has a label of its own, and several lines.
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

    /// Reports a failure that did not prevent the command.
    pub(crate) fn warning(&mut self, failure: &Failure) {
        self.marked("warning:", WARNING, &Chain(failure).unescaped());
    }

    /// Reports something that the owner may not expect.
    pub(crate) fn caution(&mut self, text: &str) {
        self.marked("warning:", WARNING, text);
    }

    fn marked(&mut self, mark: &str, style: Style, text: &str) {
        let mark = paint(self.may_color_remarks(), style, mark);
        self.note(format_args!("{mark} {}", escape(text).limit(LONGEST)));
    }
}

/// The width that each column needs at least: whole cells, or whole words where cells may be wrapped.
fn least_widths<const N: usize>(
    header: [&str; N],
    cells: &[[String; N]],
    breakable: &[usize],
) -> [usize; N] {
    std::array::from_fn(|at| {
        let texts = cells.iter().map(|row| row[at].as_str());
        let texts = texts.chain([header[at]]);
        let width = |text: &str| {
            if breakable.contains(&at) {
                longest_word(text)
            } else {
                text.width()
            }
        };
        texts.map(width).max().unwrap_or(0)
    })
}

fn paint(colored: bool, style: Style, text: impl Display) -> String {
    if colored {
        format!("{style}{text}{style:#}")
    } else {
        text.to_string()
    }
}
