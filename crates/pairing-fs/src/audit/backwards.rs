//! Reads the lines of a file from the last to the first, without reading all of it.

use std::io::{self, Read, Seek, SeekFrom};

/// A line of a file that is read backwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its line break.
    Whole(Vec<u8>),
    /// Text after the last line break: a line that is still being written, or was cut off.
    Unended(Vec<u8>),
    /// A line longer than the limit.
    Long,
}

/// Reads a file in blocks from its end. Empty lines are skipped.
pub(crate) struct Backwards<R> {
    source: R,
    block: usize,
    longest: usize,
    /// Offset of the earliest byte that has been read.
    start: u64,
    /// Bytes from `start` on that were read but not yet returned.
    held: Vec<u8>,
    /// Whether the last line in `held` is over-long, so that its beginning is skipped.
    is_long: bool,
    /// Whether no line break has been seen yet.
    is_last: bool,
}

impl<R: Read + Seek> Backwards<R> {
    /// Starts at the current end of the file. Lines over `longest` bytes are not kept.
    pub(crate) fn new(mut source: R, block: usize, longest: usize) -> io::Result<Self> {
        Ok(Self {
            start: source.seek(SeekFrom::End(0))?,
            source,
            block: block.max(1),
            longest,
            held: Vec::new(),
            is_long: false,
            is_last: true,
        })
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.held_line() {
                return Ok(Some(line));
            }
            if self.start == 0 {
                // This is the first line of the file.
                let text = std::mem::take(&mut self.held);
                return Ok(self.line(text));
            }
            self.read_block()?;
        }
    }

    /// Returns the last line of the held bytes, if its beginning has been read.
    fn held_line(&mut self) -> Option<Line> {
        while let Some(at) = self.held.iter().rposition(|byte| *byte == b'\n') {
            let text = self.held.split_off(at + 1);
            self.held.truncate(at);
            let line = self.line(text);
            self.is_last = false;
            if line.is_some() {
                return line;
            }
        }
        if self.held.len() > self.longest {
            self.held.clear();
            self.is_long = true;
        }
        None
    }

    fn line(&mut self, text: Vec<u8>) -> Option<Line> {
        if std::mem::take(&mut self.is_long) || text.len() > self.longest {
            Some(Line::Long)
        } else if text.is_empty() {
            None
        } else if self.is_last {
            Some(Line::Unended(text))
        } else {
            Some(Line::Whole(text))
        }
    }

    fn read_block(&mut self) -> io::Result<()> {
        let block = u64::try_from(self.block).unwrap_or(u64::MAX);
        let length = usize::try_from(self.start.min(block)).unwrap_or(self.block);
        let start = self.start - length as u64;
        self.source.seek(SeekFrom::Start(start))?;
        let mut read = vec![0; length];
        self.source.read_exact(&mut read)?;
        read.append(&mut self.held);
        self.start = start;
        self.held = read;
        Ok(())
    }
}

impl<R: Read + Seek> Iterator for Backwards<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const LONGEST: usize = 12;

    fn backwards(text: &[u8], block: usize) -> Vec<Line> {
        let lines = Backwards::new(Cursor::new(text), block, LONGEST).unwrap();
        lines.map(Result::unwrap).collect()
    }

    /// Returns the same lines, read forwards.
    fn forwards(text: &[u8]) -> Vec<Line> {
        let mut lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        let last = lines.pop().unwrap_or_default();
        let line = |text: &[u8], line: fn(Vec<u8>) -> Line| match text.len() {
            0 => None,
            length if length > LONGEST => Some(Line::Long),
            _ => Some(line(text.to_vec())),
        };
        let whole = lines
            .iter()
            .rev()
            .filter_map(|text| line(text, Line::Whole));
        line(last, Line::Unended).into_iter().chain(whole).collect()
    }

    #[test]
    fn the_borders_of_blocks_are_nowhere() {
        for text in [
            "",
            "\n",
            "\n\n",
            "a",
            "a\n",
            "\na",
            "a\nb\n",
            "a\n\nb",
            "ä\nöü\n",
            "ein Wörtchen\nnoch eins: ein zu langes\nß\n",
            "zu lang, von Anfang bis Ende",
            "zu lang, von Anfang bis Ende\nhalb",
        ] {
            for block in 1..=text.len() + 2 {
                let bytes = text.as_bytes();
                assert_eq!(backwards(bytes, block), forwards(bytes), "{text:?} {block}");
            }
        }
    }

    #[test]
    fn the_newest_of_a_large_file_costs_a_block() {
        struct Counted(Cursor<Vec<u8>>, usize);
        impl Read for &mut Counted {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let read = self.0.read(into)?;
                self.1 += read;
                Ok(read)
            }
        }
        impl Seek for &mut Counted {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }
        let mut file = Counted(Cursor::new(b"0123456\n".repeat(100_000)), 0);
        let lines = Backwards::new(&mut file, 4096, LONGEST).unwrap();
        assert_eq!(lines.take(100).count(), 100);
        assert_eq!(file.1, 4096);
    }

    proptest! {
        #[test]
        fn it_is_what_is_read_forwards(text in "[ab\u{fc}\u{1f600}\n]{0,60}", block in 1_usize..20) {
            let bytes = text.as_bytes();
            prop_assert_eq!(backwards(bytes, block), forwards(bytes));
        }
    }
}
