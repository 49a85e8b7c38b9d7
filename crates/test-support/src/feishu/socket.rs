//! The long connection of an app.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::Shared;
use super::frames::{Frame, SERVICE};
use super::objects::settings;
use super::state::Order;
use crate::serve::Stream;

/// Why a connection ends.
enum End {
    Close,
    Gone,
    Tear,
}

/// What an app has sent.
enum Heard {
    Ping,
    Acknowledged,
    Nonsense,
}

pub(super) async fn serve(mut stream: Stream, shared: Arc<Shared>) {
    let (sender, mut orders) = mpsc::unbounded_channel();
    let line = {
        let mut state = shared.state.lock().unwrap();
        state.counts.connections += 1;
        state.counts.open += 1;
        let line = state.counts.connections;
        state.lines.insert(line, sender);
        state.resend(|_| false);
        line
    };
    shared.changed.notify_waiters();
    let end = run(&mut stream, &shared, line, &mut orders).await;
    shared.state.lock().unwrap().lines.remove(&line);
    match end {
        End::Close => {
            let _ = stream.close(None).await;
            // What the app has acknowledged before it noticed.
            while let Some(Ok(heard)) = stream.next().await {
                if let Message::Binary(bytes) = heard {
                    shared.heard(&bytes);
                }
            }
        }
        End::Tear => {
            // The head of a frame of five bytes, and two of them.
            let _ = stream.get_mut().write_all(&[0x82, 5, 8, 0]).await;
        }
        // Its goodbye is answered.
        End::Gone => while let Some(Ok(_)) = stream.next().await {},
    }
    {
        let mut state = shared.state.lock().unwrap();
        state.counts.open -= 1;
        state.resend(|waiting| waiting.line == line);
    }
    shared.changed.notify_waiters();
}

async fn run(
    stream: &mut Stream,
    shared: &Shared,
    line: usize,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> End {
    let mut sent = 0;
    loop {
        let due = shared.state.lock().unwrap().due(line);
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Raw(bytes)) => {
                    if stream.send(Message::binary(bytes)).await.is_err() {
                        return End::Gone;
                    }
                }
                Some(Order::Event(frames)) => {
                    for frame in frames {
                        if stream.send(Message::binary(frame)).await.is_err() {
                            return End::Gone;
                        }
                    }
                    sent += 1;
                    let most = shared.state.lock().unwrap().behaviour.closes_after;
                    if most.is_some_and(|most| sent >= most) {
                        return End::Close;
                    }
                }
                Some(Order::Close) => return End::Close,
                Some(Order::Tear) => return End::Tear,
                None => std::future::pending().await,
            },
            heard = stream.next() => match heard {
                Some(Ok(Message::Binary(bytes))) => match shared.heard(&bytes) {
                    Heard::Ping => {
                        if let Some(pong) = shared.pong()
                            && stream.send(Message::binary(pong)).await.is_err()
                        {
                            return End::Gone;
                        }
                    }
                    Heard::Acknowledged => {}
                    Heard::Nonsense => return End::Close,
                },
                Some(Ok(Message::Text(_))) => return End::Close,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                Some(Ok(_)) => {}
            },
            () = async { sleep_until(due.unwrap()).await }, if due.is_some() => {
                let mut state = shared.state.lock().unwrap();
                let within = state.behaviour.acknowledge;
                state.resend(|waiting| waiting.line == line && waiting.since.elapsed() >= within);
            }
        }
    }
}

impl Shared {
    /// Notes what an app says.
    fn heard(&self, bytes: &[u8]) -> Heard {
        let Some(frame) = Frame::parse(bytes).filter(|frame| frame.service == SERVICE) else {
            return Heard::Nonsense;
        };
        match (frame.method, frame.header("type")) {
            (0, Some("ping")) => Heard::Ping,
            (1, Some("event")) => {
                let payload = frame.payload.clone().unwrap_or_default();
                let answer: Value = serde_json::from_slice(&payload).unwrap_or_default();
                let id = frame.header("message_id").unwrap_or_default();
                // An answer repeats what it answers.
                let is_whole = frame.log != 0 && frame.header("biz_rt").is_some();
                if !is_whole {
                    return Heard::Nonsense;
                }
                let mut state = self.state.lock().unwrap();
                // An app that has failed gets it again.
                if answer["code"] == 200 && state.waiting.remove(id).is_some() {
                    state.counts.acknowledged += 1;
                }
                drop(state);
                self.changed.notify_waiters();
                Heard::Acknowledged
            }
            _ => Heard::Nonsense,
        }
    }

    /// The answer to a ping, if there is one.
    fn pong(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock().unwrap();
        state.counts.pings += 1;
        let settings = settings(state.behaviour.ping_interval).to_string();
        let answers = state.behaviour.answers_pings;
        drop(state);
        self.changed.notify_waiters();
        let pong = Frame::new(0, &[("type", "pong")], Some(settings.into_bytes()));
        answers.then(|| pong.bytes())
    }
}
