//! One run of `imsg rpc`, with its three streams.

use std::sync::Arc;
use std::time::Duration;

use channel_kit::child::{Lines, relay};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::IMessage;
use crate::frame::{self, Frame, Message};
use crate::trouble::ListenError;

/// How long the child may take to end by itself.
const GOODBYE: Duration = Duration::from_secs(2);

/// The number of messages that wait until they are handed on. Answers are read meanwhile.
const QUEUE: usize = 256;

/// A child that runs.
pub(crate) struct Child {
    imessage: Arc<IMessage>,
    process: tokio::process::Child,
    messages: mpsc::Receiver<Message>,
    reader: JoinHandle<Option<ListenError>>,
    writer: JoinHandle<()>,
    errors: JoinHandle<String>,
}

impl Child {
    /// Starts one. Requests go to it from now on.
    pub(crate) fn start(imessage: &Arc<IMessage>) -> Result<Self, ListenError> {
        let mut process = imessage
            .imsg
            .command()
            .spawn()
            .map_err(|error| ListenError::Start {
                reason: error.to_string(),
            })?;
        let pipes = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            // All three are asked for.
            let reason = "it has no standard streams".to_owned();
            return Err(ListenError::Start { reason });
        };
        let (sender, messages) = mpsc::channel(QUEUE);
        let lines = imessage.calls.open();
        Ok(Self {
            process,
            messages,
            reader: tokio::spawn(read(stdout, Arc::clone(imessage), sender)),
            writer: tokio::spawn(write(stdin, lines)),
            errors: tokio::spawn(listen(stderr, Arc::clone(imessage))),
            imessage: Arc::clone(imessage),
        })
    }

    /// The next message; `None` when the child writes no more.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }

    /// Ends it, if it has not ended. Why it wrote no more.
    pub(crate) async fn end(mut self) -> ListenError {
        // This ends its standard input, at which the program ends.
        self.imessage.calls.close();
        let status = if let Ok(status) = timeout(GOODBYE, self.process.wait()).await {
            status.map_or_else(|error| error.to_string(), |status| status.to_string())
        } else {
            let _ = self.process.kill().await;
            "it had to be ended".to_owned()
        };
        // Another process may have inherited the streams: they are not waited for without end.
        let said = timeout(GOODBYE, &mut self.errors).await;
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        let failed = timeout(GOODBYE, &mut self.reader).await;
        let failed = failed.ok().and_then(Result::ok).flatten();
        failed.unwrap_or(ListenError::Ended { status, said })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.imessage.calls.close();
        self.reader.abort();
        self.writer.abort();
        self.errors.abort();
    }
}

/// Reads until the child writes no more; returns what else was wrong.
async fn read(
    mut stdout: ChildStdout,
    imessage: Arc<IMessage>,
    messages: mpsc::Sender<Message>,
) -> Option<ListenError> {
    let mut lines = Lines::new(frame::LINE);
    let mut piece = vec![0; 16 << 10];
    loop {
        let size = stdout.read(&mut piece).await.unwrap_or(0);
        if size == 0 {
            return None;
        }
        for line in lines.push(&piece[..size]) {
            match frame::parse(&line) {
                None => {}
                Some(Frame::Answer { id, outcome }) => imessage.calls.answered(id, outcome),
                Some(Frame::WatchFailed(reason)) => return Some(ListenError::Watch { reason }),
                Some(Frame::Message(message)) => match messages.try_send(*message) {
                    Ok(()) => {}
                    // This does not wait for room in the queue: the task that empties it may itself wait for the answer to
                    // a request, and answers are read here.
                    Err(mpsc::error::TrySendError::Full(_)) => return Some(ListenError::Flood),
                    Err(mpsc::error::TrySendError::Closed(_)) => return None,
                },
            }
        }
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        // A child that has closed its input ends, which is seen where it is read.
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// Logs what the child says until it says no more; returns the last line.
async fn listen(stderr: ChildStderr, imessage: Arc<IMessage>) -> String {
    let account = imessage.account.as_str();
    let said = |line: &str| tracing::debug!(account, line, "imessage: imsg says");
    relay(stderr, said).await
}
