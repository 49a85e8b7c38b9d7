//! The gateway: one connection of a bot.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use super::state::{Line, Order, Session};
use super::{BOT_TOKEN, Shared, objects};
use crate::serve::Stream;

/// Why a connection ends.
enum End {
    Close(u16),
    Gone,
    Tear,
}

pub(super) async fn serve(mut stream: Stream, query: &str, shared: Arc<Shared>) {
    let (sender, mut orders) = mpsc::unbounded_channel();
    let line = {
        let mut state = shared.state.lock().unwrap();
        state.counts.connections += 1;
        state.connections += 1;
        let line = state.counts.connections;
        state.lines.insert(line, Line { sender });
        line
    };
    shared.changed.notify_waiters();
    let end = run(&mut stream, query, &shared, line, &mut orders).await;
    {
        let mut state = shared.state.lock().unwrap();
        state.connections -= 1;
        state.lines.remove(&line);
        if let Some(session) = &mut state.session
            && session.line == Some(line)
        {
            session.line = None;
        }
    }
    shared.changed.notify_waiters();
    match end {
        End::Close(code) => {
            let frame = CloseFrame {
                code: CloseCode::from(code),
                reason: reason(code).into(),
            };
            let _ = stream.close(Some(frame)).await;
            // What the bot still says is read, so that it gets the code.
            while let Some(Ok(_)) = stream.next().await {}
        }
        End::Tear => {
            // The head of a frame of five bytes, and two of them.
            let _ = stream.get_mut().write_all(&[0x81, 5, b'{', b'"']).await;
        }
        End::Gone => {}
    }
}

async fn run(
    stream: &mut Stream,
    query: &str,
    shared: &Shared,
    line: usize,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> End {
    let is_version = query.split('&').any(|pair| pair == "v=10");
    if !is_version || !query.split('&').any(|pair| pair == "encoding=json") {
        return End::Close(4012);
    }
    let behaviour = shared.state.lock().unwrap().behaviour.clone();
    if behaviour.says_hello {
        let interval = u64::try_from(behaviour.interval.as_millis()).unwrap();
        let hello =
            json!({ "op": 10, "d": { "heartbeat_interval": interval }, "s": null, "t": null });
        if stream.send(Message::text(hello.to_string())).await.is_err() {
            return End::Gone;
        }
    }
    let mut events = 0;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Text(text)) => {
                    if stream.send(Message::text(text)).await.is_err() {
                        return End::Gone;
                    }
                }
                Some(Order::Event(text)) => {
                    if stream.send(Message::text(text)).await.is_err() {
                        return End::Gone;
                    }
                    events += 1;
                    let most = shared.state.lock().unwrap().behaviour.closes_after;
                    if most.is_some_and(|most| events >= most) {
                        return End::Close(4000);
                    }
                }
                Some(Order::Close(code)) => return End::Close(code),
                Some(Order::Tear) => return End::Tear,
                None => return End::Gone,
            },
            heard = stream.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    if text.len() > 4096 {
                        return End::Close(4002);
                    }
                    let Ok(payload) = serde_json::from_str::<Value>(&text) else {
                        return End::Close(4002);
                    };
                    if let Err(end) = heard_payload(&payload, stream, shared, line).await {
                        return end;
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    // A normal goodbye ends the session.
                    let code = frame.map(|frame| u16::from(frame.code));
                    if matches!(code, Some(1000 | 1001)) {
                        shared.state.lock().unwrap().forget_sessions();
                    }
                    return End::Gone;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return End::Gone,
            },
        }
    }
}

async fn heard_payload(
    payload: &Value,
    stream: &mut Stream,
    shared: &Shared,
    line: usize,
) -> Result<(), End> {
    let answers = {
        let mut state = shared.state.lock().unwrap();
        let is_begun = state
            .session
            .as_ref()
            .is_some_and(|session| session.line == Some(line));
        match payload["op"].as_u64() {
            Some(1) => {
                state.counts.heartbeats += 1;
                state.counts.received = payload["d"].as_u64().unwrap_or_default();
                let is_acknowledged = state.behaviour.acknowledges;
                let ack = json!({ "op": 11, "d": null, "s": null, "t": null });
                if is_acknowledged {
                    vec![ack.to_string()]
                } else {
                    Vec::new()
                }
            }
            Some(2 | 6) if is_begun => return Err(End::Close(4005)),
            Some(2) => identify(&mut state, &payload["d"], line)?,
            Some(6) => resume(&mut state, &payload["d"], line)?,
            Some(3 | 4 | 8) if is_begun => Vec::new(),
            Some(3 | 4 | 8) => return Err(End::Close(4003)),
            _ => return Err(End::Close(4001)),
        }
    };
    shared.changed.notify_waiters();
    // The first one begins the session, or is one that was missed.
    let most = shared.state.lock().unwrap().behaviour.closes_after;
    for (before, answer) in answers.into_iter().enumerate() {
        if most.is_some_and(|most| before > most) {
            return Err(End::Close(4000));
        }
        if stream.send(Message::text(answer)).await.is_err() {
            return Err(End::Gone);
        }
    }
    Ok(())
}

const INVALID: &str = r#"{"op":9,"d":false,"s":null,"t":null}"#;

fn identify(
    state: &mut super::state::State,
    data: &Value,
    line: usize,
) -> Result<Vec<String>, End> {
    state.counts.identifies += 1;
    if data["token"] != BOT_TOKEN {
        return Err(End::Close(4004));
    }
    let Some(intents) = data["intents"].as_u64() else {
        return Err(End::Close(4013));
    };
    if intents >= 1 << 32 {
        return Err(End::Close(4013));
    }
    if intents & !state.behaviour.intents != 0 {
        return Err(End::Close(4014));
    }
    let is_whole = ["os", "browser", "device"]
        .iter()
        .all(|name| data["properties"][name].is_string());
    if !is_whole || data["compress"] == true {
        return Err(End::Close(4002));
    }
    let now = Instant::now();
    let last = state.last_identify.replace(now);
    if last.is_some_and(|last| now - last < state.behaviour.identify) {
        return Ok(vec![INVALID.to_owned()]);
    }
    state.behaviour.sessions_left = state.behaviour.sessions_left.saturating_sub(1);
    if !state.behaviour.begins {
        return Ok(Vec::new());
    }
    let id = format!("session{}", state.id());
    let ready = objects::ready(&id, &state.address);
    let first = json!({ "op": 0, "s": 1, "t": "READY", "d": ready }).to_string();
    state.session = Some(Session {
        id,
        events: vec![first.clone()],
        forgotten: 0,
        intents,
        line: Some(line),
    });
    Ok(vec![first])
}

fn resume(state: &mut super::state::State, data: &Value, line: usize) -> Result<Vec<String>, End> {
    if data["token"] != BOT_TOKEN {
        return Err(End::Close(4004));
    }
    let begins = state.behaviour.begins;
    let seq = data["seq"]
        .as_u64()
        .and_then(|seq| usize::try_from(seq).ok());
    let session = state.session.as_mut();
    let Some(session) = session.filter(|session| data["session_id"] == session.id.as_str()) else {
        return Ok(vec![INVALID.to_owned()]);
    };
    let Some(seq) = seq.filter(|seq| (session.forgotten..=session.last()).contains(seq)) else {
        return Err(End::Close(4007));
    };
    if !begins {
        return Ok(Vec::new());
    }
    session.line = Some(line);
    let mut missed = session.events[seq - session.forgotten..].to_vec();
    let last = session.last();
    missed.push(json!({ "op": 0, "s": last, "t": "RESUMED", "d": { "_trace": [] } }).to_string());
    state.counts.resumes += 1;
    Ok(missed)
}

fn reason(code: u16) -> &'static str {
    match code {
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid seq.",
        4008 => "Rate limited.",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4012 => "Invalid API version.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "Unknown error.",
    }
}
