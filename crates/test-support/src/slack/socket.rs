//! Socket Mode: one connection of an app.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::protocol::Message;

use super::Shared;
use super::state::{Line, Order};
use crate::serve::Stream;

/// Why a connection ends.
enum End {
    Close,
    Gone,
    Tear,
}

pub(super) async fn serve(mut stream: Stream, shared: Arc<Shared>) {
    let (sender, mut orders) = mpsc::unbounded_channel();
    let line = {
        let mut state = shared.state.lock().unwrap();
        state.counts.connections += 1;
        state.counts.open += 1;
        state.counts.most_open = state.counts.most_open.max(state.counts.open);
        state.counts.connections
    };
    let end = run(&mut stream, &shared, line, sender, &mut orders).await;
    shared.state.lock().unwrap().lines.remove(&line);
    match end {
        End::Close => {
            let _ = stream.close(None).await;
            // What the app has acknowledged before it noticed.
            while let Some(Ok(heard)) = stream.next().await {
                if let Message::Text(text) = heard {
                    shared.heard(&text);
                }
            }
        }
        End::Tear => {
            // The head of a frame of five bytes, and two of them.
            let _ = stream.get_mut().write_all(&[0x81, 5, b'{', b'"']).await;
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
    sender: mpsc::UnboundedSender<Order>,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> End {
    if shared.state.lock().unwrap().behaviour.says_hello {
        let hello = json!({
            "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A0" },
            "debug_info": { "host": "applink-1", "build_number": 1, "approximate_connection_time": 18060 },
        });
        if stream.send(Message::text(hello.to_string())).await.is_err() {
            return End::Gone;
        }
        shared.greeted(line, sender);
    }
    shared.changed.notify_waiters();
    let mut sent = 0;
    let mut pinged = Instant::now();
    loop {
        let (due, pings) = {
            let state = shared.state.lock().unwrap();
            (state.due(line), state.behaviour.pings)
        };
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Text(text)) => {
                    if stream.send(Message::text(text)).await.is_err() {
                        return End::Gone;
                    }
                }
                Some(Order::Envelope(text)) => {
                    if stream.send(Message::text(text)).await.is_err() {
                        return End::Gone;
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
                Some(Ok(Message::Text(text))) => {
                    if !shared.heard(&text) {
                        return End::Close;
                    }
                }
                Some(Ok(Message::Ping(_))) => {
                    if !shared.pinged() {
                        // The answer is sent with the next thing that is read; nothing is read any more.
                        std::future::pending::<()>().await;
                    }
                }
                Some(Ok(Message::Pong(_))) => {
                    shared.state.lock().unwrap().counts.pongs += 1;
                    shared.changed.notify_waiters();
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                Some(Ok(_)) => {}
            },
            () = sleep_until(pinged + pings) => {
                pinged = Instant::now();
                if stream.send(Message::Ping("from slack".into())).await.is_err() {
                    return End::Gone;
                }
            }
            () = async { sleep_until(due.unwrap()).await }, if due.is_some() => {
                let mut state = shared.state.lock().unwrap();
                let within = state.behaviour.acknowledge;
                state.resend(|waiting| waiting.line == line && waiting.since.elapsed() >= within);
            }
        }
    }
}

impl Shared {
    fn greeted(&self, line: usize, sender: mpsc::UnboundedSender<Order>) {
        let mut state = self.state.lock().unwrap();
        let is_leaving = false;
        state.lines.insert(line, Line { sender, is_leaving });
        state.resend(|_| false);
    }

    /// Notes what an app acknowledges; `false` where it says something else.
    fn heard(&self, text: &str) -> bool {
        let answer = serde_json::from_str::<Value>(text).unwrap_or_default();
        let Some(id) = answer["envelope_id"].as_str() else {
            return false;
        };
        let mut state = self.state.lock().unwrap();
        if state.waiting.remove(id).is_some() {
            state.counts.acknowledged += 1;
        }
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// Notes a ping; whether it is answered.
    fn pinged(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.counts.pings += 1;
        let answers = state.behaviour.answers_pings;
        drop(state);
        self.changed.notify_waiters();
        answers
    }
}
