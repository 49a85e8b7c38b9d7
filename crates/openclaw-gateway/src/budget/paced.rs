//! A socket whose writes have a deadline.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a write may wait for the other side to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// What has to be read within that time, unless less is waiting. Less would be no progress: a client could
/// read a byte now and then for ever.
const PROGRESS: usize = 4096;

/// A socket that fails once the other side has not read for [`PATIENCE`] what was written to it.
///
/// Costs a timer for each time that a write has to wait.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    inner: S,
    /// Set while a write waits.
    late: Option<Pin<Box<Sleep>>>,
    /// Bytes that were written since the deadline was set.
    written: usize,
}

impl<S> Paced<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            late: None,
            written: 0,
        }
    }

    /// What came of a write of so many bytes, unless it is too late.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(written)) if *written >= wanted => {
                (self.late, self.written) = (None, 0);
                return result;
            }
            Poll::Ready(Ok(written)) => {
                self.written += written;
                if self.written >= PROGRESS {
                    (self.late, self.written) = (None, 0);
                }
            }
            Poll::Ready(Err(_)) => return result,
            Poll::Pending => {}
        }
        let deadline = || Box::pin(sleep_until(Instant::now() + PATIENCE));
        let late = self.late.get_or_insert_with(deadline);
        if late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, buf.len(), result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx).map_ok(|()| 0);
        // A flush that is done has written nothing of what waits.
        match result {
            Poll::Ready(result) => Poll::Ready(result.map(drop)),
            Poll::Pending => self.judge(cx, usize::MAX, Poll::Pending).map_ok(drop),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.judge(cx, usize::MAX, Poll::Pending).map_ok(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn t104_what_nobody_reads_is_given_up_in_time() {
        let (ours, _theirs) = duplex(1000);
        let begun = Instant::now();
        let error = Paced::new(ours).write_all(&[0; 5000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn t104_a_byte_now_and_then_is_no_progress_and_a_slow_reader_is() {
        for (at_once, ends) in [(1, false), (2000, true)] {
            let (ours, mut theirs) = duplex(1000);
            let reading = tokio::spawn(async move {
                let mut buffer = vec![0; at_once];
                while theirs.read_exact(&mut buffer).await.is_ok() {
                    sleep(PATIENCE / 4).await;
                }
            });
            let mut paced = Paced::new(ours);
            let written = paced.write_all(&vec![0; 40_000]).await;
            assert_eq!(written.is_ok(), ends);
            drop(paced);
            reading.await.unwrap();
        }
    }
}
