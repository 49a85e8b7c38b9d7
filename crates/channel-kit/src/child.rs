//! Child processes: the lines that they write, each of them bounded.

use pairing_core::escape;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest line of standard error that is read, in bytes, and that is passed on, in characters.
const SAID: usize = 4096;
const SHOWN: usize = 300;

/// Splits a stream into lines.
///
/// A line that is longer than the bound is left out, and so is what follows the last line break.
#[derive(Debug)]
pub struct Lines {
    most: usize,
    line: Vec<u8>,
    /// Whether the current line is too long already.
    is_skipping: bool,
}

impl Lines {
    /// Lines of at most `most` bytes.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            is_skipping: false,
        }
    }

    /// The lines that a piece completes, without their ends. Empty ones are left out.
    pub fn push(&mut self, mut piece: &[u8]) -> Vec<Vec<u8>> {
        let mut done = Vec::new();
        while let Some(at) = piece.iter().position(|&byte| byte == b'\n') {
            self.add(&piece[..at]);
            piece = &piece[at + 1..];
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !std::mem::take(&mut self.is_skipping) && !line.is_empty() {
                done.push(line);
            }
        }
        self.add(piece);
        done
    }

    fn add(&mut self, bytes: &[u8]) {
        self.is_skipping |= self.line.len() + bytes.len() > self.most;
        if self.is_skipping {
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }
}

/// Reads the standard error of a child until it ends. Each line is passed to `said`, shortened and escaped. Returns the
/// last line, which usually says why a program has ended; the frames of a stack trace are not taken for it.
///
/// A child that is killed may have passed its standard error on to a process of its own, so wait for this with a limit.
pub async fn relay(mut stderr: impl AsyncRead + Unpin, mut said: impl FnMut(&str)) -> String {
    let mut lines = Lines::new(SAID);
    let mut piece = vec![0; SAID];
    let mut last = String::new();
    loop {
        let size = stderr.read(&mut piece).await.unwrap_or(0);
        // The last line may have no end.
        let complete = if size == 0 {
            lines.push(b"\n")
        } else {
            lines.push(&piece[..size])
        };
        for line in complete {
            let line = String::from_utf8_lossy(&line);
            let shown = escape(line.trim_end()).limit(SHOWN).to_string();
            said(&shown);
            let rest = line.trim_start();
            let is_frame = rest != line && (rest.starts_with("at ") || rest.starts_with("... "));
            if !is_frame {
                last = shown;
            }
        }
        if size == 0 {
            return last;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_too_long_and_half_lines_are_left_out() {
        let mut lines = Lines::new(4);
        assert_eq!(
            lines.push(b"abcd\nabcde\n\n\r\nx\r\nha"),
            [&b"abcd"[..], b"x"]
        );
        assert!(lines.push(b"lf").is_empty());
        assert!(lines.push(&[b'x'; 1000]).is_empty());
        assert!(lines.line.is_empty());
        assert_eq!(lines.push(b"\nnext\n"), [b"next"]);
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_it_has_the_same_lines(text in "[ab\r\n]{0,40}", size in 1_usize..9) {
            let whole = Lines::new(5).push(text.as_bytes());
            let mut lines = Lines::new(5);
            let cut: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| lines.push(piece)).collect();
            prop_assert_eq!(whole, cut);
        }
    }

    #[tokio::test]
    async fn what_a_child_says_is_shortened_and_escaped_and_the_last_line_is_told() {
        let text = [
            "one\u{1b}[31m\r\n".as_bytes(),
            "x".repeat(1000).as_bytes(),
            b"\n",
            "y".repeat(5000).as_bytes(),
            b"\nError: a linkage error\n\tjava.lang.Error: why\n\tat a.b.c(D.java:1)\n\n",
            b"\t... 12 more, half a line",
        ]
        .concat();
        let mut all = Vec::new();
        let last = relay(&text[..], |line| all.push(line.to_owned())).await;
        assert!(last.contains("java.lang.Error: why"), "{last}");
        assert_eq!(all[0], "one\\u{1b}[31m");
        assert!(all[1].starts_with("xxx") && all[1].chars().count() <= SHOWN + 1);
        assert_eq!(all.len(), 6, "{all:?}");
        assert!(all[5].contains("half a line"));
        assert_eq!(relay(&b""[..], |_| {}).await, "");
    }
}
