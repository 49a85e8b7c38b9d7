//! Lines of a stream that comes in pieces, each of them bounded.

/// Splits a stream into lines.
///
/// A line that is longer than the bound is left out, and so is what follows the last line break.
#[derive(Debug)]
pub(crate) struct Lines {
    most: usize,
    line: Vec<u8>,
    /// Whether the current line is too long already.
    is_skipping: bool,
}

impl Lines {
    /// Lines of at most `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            is_skipping: false,
        }
    }

    /// The lines that a piece completes, without their ends. Empty ones are left out.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Vec<Vec<u8>> {
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
}
