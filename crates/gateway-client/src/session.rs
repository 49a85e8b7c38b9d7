//! The task of a connection: reads, writes, and gives up on a silent gateway.

use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use gateway_protocol::hello::HelloOk;
use gateway_protocol::{ServerFrame, close, event};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::client::Shared;
use crate::closed::closed;
use crate::dial::Socket;
use crate::{Client, Closed, Events};

/// Time that either side has for its part of closing.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Range of tick intervals that are accepted; others are clamped to it.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);

pub(crate) fn start(socket: Socket, hello: HelloOk) -> (Client, Events) {
    let interval = Duration::from_millis(hello.policy.tick_interval_ms).clamp(SHORTEST, LONGEST);
    let (client, events, shared, outgoing) = Client::new(hello);
    tokio::spawn(async move {
        let closed = run(socket, &shared, outgoing, 2 * interval).await;
        tracing::debug!(code = closed.code, "connection ended");
        shared.end(closed);
    });
    (client, events)
}

async fn run(
    socket: Socket,
    shared: &Shared,
    outgoing: mpsc::Receiver<Utf8Bytes>,
    patience: Duration,
) -> Closed {
    // Both halves run in this one task, so that neither blocks the other.
    let (sink, stream) = socket.split();
    let mut reading = pin!(read(stream, shared, patience));
    tokio::select! {
        biased;
        closed = &mut reading => closed,
        written = write(sink, shared, outgoing) => {
            // The gateway's last messages may still be on their way.
            let read = timeout(CLOSE_WAIT, reading).await;
            match written {
                Ok(()) => Closed::new(close::NORMAL, "closed by this client"),
                Err(_) => read.unwrap_or_else(|_| Closed::broke_off()),
            }
        }
    }
}

/// Reads until the connection ends, or no tick has arrived for `patience`.
async fn read(mut stream: SplitStream<Socket>, shared: &Shared, patience: Duration) -> Closed {
    let mut until = Instant::now() + patience;
    loop {
        let message = match timeout_at(until, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(Error::Capacity(_)))) => {
                return Closed::new(close::TOO_BIG, "the gateway sent too large a message");
            }
            Ok(_) => return Closed::broke_off(),
            Err(_) => {
                let silence = format!("no tick for {} s", patience.as_secs());
                return Closed::new(1006, silence);
            }
        };
        let frame = match &message {
            Message::Text(text) => ServerFrame::parse(text.as_bytes()),
            Message::Binary(bytes) => ServerFrame::parse(bytes),
            Message::Close(frame) => {
                // The library sends its reply to the close frame when polled once more.
                let _ = timeout(Duration::ZERO, stream.next()).await;
                return closed(frame.as_ref());
            }
            _ => continue,
        };
        match frame {
            Ok(ServerFrame::Response { id, answer }) => shared.answered(&id, answer),
            Ok(ServerFrame::Event { event, payload, .. }) => {
                if event == event::TICK {
                    until = Instant::now() + patience;
                }
                shared.events.push(event, payload);
            }
            // A newer gateway may send frames that this version cannot parse.
            Ok(_) | Err(_) => tracing::debug!("a message that is no frame was passed over"),
        }
    }
}

/// Writes until a user closes the connection, nobody holds it any more, or the other side is gone.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    shared: &Shared,
    outgoing: mpsc::Receiver<Utf8Bytes>,
) -> Result<(), Error> {
    tokio::select! {
        sent = send(&mut sink, outgoing) => sent?,
        () = shared.ending.notified() => {}
    }
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    // A gateway that has stopped reading does not receive this frame either.
    timeout(CLOSE_WAIT, sink.send(Message::Close(Some(frame))))
        .await
        .unwrap_or(Ok(()))
}

async fn send(
    sink: &mut SplitSink<Socket, Message>,
    mut outgoing: mpsc::Receiver<Utf8Bytes>,
) -> Result<(), Error> {
    while let Some(text) = outgoing.recv().await {
        sink.send(Message::Text(text)).await?;
    }
    Ok(())
}
