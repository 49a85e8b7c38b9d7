//! A socket that is read one WebSocket frame at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Never reads beyond the end of a frame, so that a reader of WebSocket messages has nothing buffered once a
/// message is complete. The WebSocket library fixes its limits when it wraps a socket. This makes it possible
/// to unwrap the socket after the first message and to wrap it again with the limits of an admitted
/// connection, without losing what the client sent next.
///
/// Costs two or three short reads for each frame, of which there are few before `hello-ok`.
#[derive(Debug)]
pub(crate) struct Stepped<S> {
    inner: S,
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// In the first bytes of a frame's head, of which so many are known.
    Head { known: [u8; 10], len: usize },
    /// Bytes left until the end of the frame.
    Rest(u64),
}

impl At {
    const START: Self = Self::Head {
        known: [0; 10],
        len: 0,
    };

    /// How much may be read without passing the end of the frame.
    fn may_read(self) -> usize {
        match self {
            Self::Head { known, len } => head_len(&known, len) - len,
            Self::Rest(rest) => usize::try_from(rest).unwrap_or(usize::MAX),
        }
    }

    fn advance(self, read: &[u8]) -> Self {
        let next = match self {
            Self::Head { mut known, len } => {
                let end = len + read.len();
                known[len..end].copy_from_slice(read);
                if end < head_len(&known, end) {
                    return Self::Head { known, len: end };
                }
                Self::Rest(rest_of(&known))
            }
            Self::Rest(rest) => Self::Rest(rest.saturating_sub(read.len() as u64)),
        };
        match next {
            Self::Rest(0) => Self::START,
            next => next,
        }
    }
}

/// The length of a head without its mask, as far as `len` bytes of it tell.
pub(super) fn head_len(known: &[u8; 10], len: usize) -> usize {
    match known[1] & 0x7f {
        _ if len < 2 => 2,
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// What follows a head: mask and payload.
pub(super) fn rest_of(known: &[u8; 10]) -> u64 {
    let mask = if known[1] & 0x80 == 0 { 0 } else { 4 };
    let payload = match known[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes([known[2], known[3]])),
        127 => {
            let mut length = [0; 8];
            length.copy_from_slice(&known[2..]);
            u64::from_be_bytes(length)
        }
        short => u64::from(short),
    };
    payload.saturating_add(mask)
}

impl<S> Stepped<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            at: At::START,
        }
    }

    /// The socket, with everything unread that follows the last frame.
    pub(crate) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stepped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = this.at.may_read().min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        this.at = this.at.advance(part.filled());
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stepped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A frame with a mask, or a head that only says so much.
    fn frame(payload: usize) -> Vec<u8> {
        let mut frame = vec![0x81];
        match payload {
            0..126 => frame.push(0x80 | u8::try_from(payload).unwrap()),
            126..0x1_0000 => {
                frame.push(0x80 | 0x7e);
                frame.extend(u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 0x7f);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend(vec![7; payload + 4]);
        frame
    }

    fn read_once(stepped: &mut Stepped<&[u8]>, room: usize) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(stepped.read(&mut vec![0; room])).unwrap()
    }

    proptest! {
        /// However much may be read at once, every frame ends where a read ends.
        #[test]
        fn no_read_passes_the_end_of_a_frame(
            payloads in proptest::collection::vec(prop_oneof![0_usize..300, 65_500_usize..65_600], 1..6),
            room in 1_usize..70_000,
        ) {
            let frames: Vec<_> = payloads.iter().map(|payload| frame(*payload)).collect();
            let all = frames.concat();
            let mut stepped = Stepped::new(all.as_slice());
            let mut at = 0;
            for frame in &frames {
                let end = at + frame.len();
                while at < end {
                    at += read_once(&mut stepped, room);
                }
                prop_assert_eq!(at, end);
            }
            prop_assert!(stepped.into_inner().is_empty());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, room in 1_usize..50) {
            let mut stepped = Stepped::new(bytes.as_slice());
            while read_once(&mut stepped, room) > 0 {}
        }
    }
}
