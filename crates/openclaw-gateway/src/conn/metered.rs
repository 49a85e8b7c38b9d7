//! A socket whose unfinished messages are counted, and have a deadline.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::heard::Heard;
use super::stepped::{head_len, rest_of};
use crate::budget::Share;

/// Time in which a message has to be there as a whole, and besides a second for each [`A_SECOND`] of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes for which a slow link is given a second.
const A_SECOND: usize = 64 << 10;

/// Counts the bytes of messages of which the end is missing: those are what a client can make the gateway keep
/// without asking anything of it.
///
/// - Reading fails with [`io::ErrorKind::QuotaExceeded`] if there are too many such bytes, of this client or of all.
/// - Reading fails with [`io::ErrorKind::TimedOut`] if the rest of a message does not come in time. Time in which
///   nobody reads from this is the gateway's own, and does not count.
///
/// Costs a few instructions for each frame. A message that comes at once is not counted, and has no timer.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    inner: S,
    share: Share,
    heard: Heard,
    frames: Frames,
    /// When the message began whose end is missing, by the time that the client has had.
    began: Option<Instant>,
    /// When the last read ended that returned something.
    idle_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Follows the heads of frames.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; 10],
    known: usize,
    /// Bytes left of the present frame, once its head is known.
    rest: u64,
    /// Whether a message has begun in a frame before this one.
    is_within: bool,
    /// Bytes since the beginning of the message, or frame, of which the end is missing.
    unfinished: usize,
}

impl Frames {
    fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((first, others)) = bytes.split_first() {
            if self.rest > 0 {
                let here = usize::try_from(self.rest).unwrap_or(usize::MAX);
                let here = here.min(bytes.len());
                self.rest -= here as u64;
                self.unfinished += here;
                bytes = &bytes[here..];
            } else {
                self.head[self.known] = *first;
                self.known += 1;
                self.unfinished += 1;
                bytes = others;
                if self.known < head_len(&self.head, self.known) {
                    continue;
                }
                self.rest = rest_of(&self.head);
            }
            if self.rest == 0 {
                self.end();
            }
        }
    }

    /// A frame has ended, and with it a message, unless more frames of it follow. Control frames come in between.
    fn end(&mut self) {
        let (is_last, is_control) = (self.head[0] & 0x80 != 0, self.head[0] & 0x08 != 0);
        if !is_control {
            self.is_within = !is_last;
        }
        if !self.is_within {
            self.unfinished = 0;
        }
        self.known = 0;
    }
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, share: Share, heard: Heard) -> Self {
        Self {
            inner,
            share,
            heard,
            frames: Frames::default(),
            began: None,
            idle_since: None,
            timer: None,
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.inner
    }

    fn took(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.heard.note();
        self.frames.advance(bytes);
        let unfinished = self.frames.unfinished;
        if unfinished == 0 {
            (self.began, self.idle_since, self.timer) = (None, None, None);
            self.share.hold(0);
            return Ok(());
        }
        let now = Instant::now();
        self.began.get_or_insert(now);
        self.idle_since = Some(now);
        if self.share.hold(unfinished) {
            Ok(())
        } else {
            Err(io::ErrorKind::QuotaExceeded.into())
        }
    }

    /// Fails once the client has had its time.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(began) = self.began else {
            return Poll::Pending;
        };
        let seconds = self.frames.unfinished / A_SECOND;
        let deadline = began + PATIENCE + Duration::from_secs(seconds as u64);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let (Some(began), Some(since)) = (&mut this.began, this.idle_since.take()) {
            *began += since.elapsed();
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(this.took(&buf.filled()[before..])),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.wait(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::budget::{InFlight, Subject};

    /// A frame with a mask. Of a message in parts, the last one is marked as such.
    fn frame(code: u8, is_last: bool, payload: usize) -> Vec<u8> {
        let mut frame = vec![code | if is_last { 0x80 } else { 0 }];
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

    fn metered(most: usize) -> (InFlight, Metered<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(1 << 20);
        let bytes = InFlight::new(most, most);
        let metered = Metered::new(ours, bytes.share(Subject::Owner), Heard::new());
        (bytes, metered, theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn t105_a_message_has_to_be_finished_in_time() {
        let (bytes, mut ours, mut theirs) = metered(1 << 20);
        theirs.write_all(&frame(1, true, 10)).await.unwrap();
        theirs.write_all(&frame(1, false, 200_000)).await.unwrap();
        // Something in between does not make it go on.
        theirs.write_all(&frame(9, true, 5)).await.unwrap();
        let mut buffer = vec![0; 1 << 19];
        let began = Instant::now();
        while ours.read(&mut buffer).await.is_ok() {}
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs() + 3);
        assert!(bytes.total() > 200_000);
        drop(ours);
        assert_eq!(bytes.total(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn t105_who_sends_nothing_or_is_not_read_from_has_all_the_time() {
        let (bytes, mut ours, mut theirs) = metered(1 << 20);
        let mut buffer = vec![0; 1000];
        let quiet = tokio::time::timeout(PATIENCE * 10, ours.read(&mut buffer));
        assert!(quiet.await.is_err());
        let whole = frame(1, true, 5000);
        theirs.write_all(&whole[..2000]).await.unwrap();
        ours.read_exact(&mut buffer).await.unwrap();
        // The gateway is busy.
        tokio::time::sleep(PATIENCE * 10).await;
        ours.read_exact(&mut buffer).await.unwrap();
        let late = tokio::time::timeout(PATIENCE / 2, ours.read(&mut buffer));
        assert!(late.await.is_err());
        theirs.write_all(&whole[2000..]).await.unwrap();
        ours.read_exact(&mut vec![0; whole.len() - 2000])
            .await
            .unwrap();
        assert_eq!(bytes.total(), 0);
    }

    #[tokio::test]
    async fn t105_all_unfinished_bytes_together_have_a_bound() {
        let bytes = InFlight::new(100_000, 150_000);
        let mut held = Vec::new();
        for (subject, is_taken) in [("1", true), ("1", false), ("2", true), ("3", false)] {
            let subject = Subject::Address(format!("192.0.2.{subject}").parse().unwrap());
            let (ours, mut theirs) = duplex(100_000);
            let mut ours = Metered::new(ours, bytes.share(subject), Heard::new());
            theirs.write_all(&frame(1, false, 60_000)).await.unwrap();
            let read = ours.read(&mut vec![0; 100_000]).await;
            assert_eq!(read.is_ok(), is_taken);
            held.push((ours, theirs));
        }
        assert!(bytes.total() <= 150_000, "{}", bytes.total());
        held.clear();
        assert_eq!(bytes.total(), 0);
    }

    proptest! {
        /// However messages are cut up, what is unfinished is what follows the last end of one.
        #[test]
        fn what_is_unfinished_follows_the_last_end(
            frames in proptest::collection::vec((any::<bool>(), 0_usize..70_000), 1..6),
            part in 1_usize..70_000,
        ) {
            let (mut followed, mut expected, mut is_within) = (Frames::default(), 0, false);
            for (is_last, payload) in frames {
                let bytes = frame(u8::from(!is_within), is_last, payload);
                bytes.chunks(part).for_each(|part| followed.advance(part));
                expected = if is_last { 0 } else { expected + bytes.len() };
                is_within = !is_last;
                prop_assert_eq!(followed.unfinished, expected);
                let ping = frame(9, true, 3);
                ping.chunks(part).for_each(|part| followed.advance(part));
                expected += if is_within { ping.len() } else { 0 };
                prop_assert_eq!(followed.unfinished, expected);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, part in 1_usize..50) {
            let mut frames = Frames::default();
            bytes.chunks(part).for_each(|part| frames.advance(part));
        }
    }
}
