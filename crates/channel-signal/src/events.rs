//! Server-sent events, out of the bytes of a stream.

/// The longest event, in bytes. A text has at most 64 KiB, and each of its characters at most six bytes in JSON.
const LONGEST: usize = 1 << 20;

/// Splits a stream into events, however it is cut into pieces. An event that is too long is left out.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The line that has begun.
    line: Vec<u8>,
    /// Whether a part of that line was left out.
    line_is_cut: bool,
    /// The data of the event that has begun; `None` if it has none so far.
    data: Option<Vec<u8>>,
    is_too_long: bool,
    /// The last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
}

impl Events {
    /// The data of the events that these bytes end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut ended = Vec::new();
        for &byte in bytes {
            let was_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if was_return => {}
                b'\n' | b'\r' => ended.extend(self.end_line()),
                _ if self.held() >= LONGEST => {
                    self.line_is_cut = true;
                    self.is_too_long = true;
                }
                _ => self.line.push(byte),
            }
        }
        ended
    }

    /// The number of bytes that are kept.
    fn held(&self) -> usize {
        self.line.len() + self.data.as_ref().map_or(0, Vec::len)
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.line_is_cut);
        if line.is_empty() && !is_cut {
            return self.end_event();
        }
        if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                data @ None => *data = Some(value.to_vec()),
            }
        }
        None
    }

    fn end_event(&mut self) -> Option<String> {
        let data = self.data.take();
        let is_whole = !std::mem::take(&mut self.is_too_long);
        String::from_utf8(data.filter(|_| is_whole)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_comments_and_other_fields() {
        let stream = ":\n\nevent:receive\ndata:{\"a\":1}\n\nid: 7\r\ndata: one\r\ndata:two\r\n\r\nretry:3\n\ndata";
        let mut events = Events::default();
        assert_eq!(events.push(stream.as_bytes()), ["{\"a\":1}", "one\ntwo"]);
        assert!(events.push(b": lost\n").is_empty());
        assert_eq!(events.push(b"\n"), ["lost"]);
    }

    #[test]
    fn what_is_too_long_is_left_out_and_takes_no_room() {
        let mut events = Events::default();
        let long = vec![b'x'; LONGEST];
        assert!(events.push(b"data:").is_empty());
        for _ in 0..3 {
            assert!(events.push(&long).is_empty());
            assert!(events.held() <= LONGEST);
        }
        assert!(events.push(b"\ndata:more\n\n").is_empty());
        assert_eq!(events.push(b"data:short\n\n"), ["short"]);
        assert!(events.push(b"data:\xff\n\n").is_empty());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_stream_is_cut(
            stream in "(data:|event:|:|[a-z]|\n|\r\n|\r){0,60}",
            cut in 1usize..7,
        ) {
            let whole = Events::default().push(stream.as_bytes());
            let mut pieces = Events::default();
            let cut: Vec<_> = stream.as_bytes().chunks(cut).flat_map(|piece| pieces.push(piece)).collect();
            prop_assert_eq!(cut, whole);
        }
    }
}
