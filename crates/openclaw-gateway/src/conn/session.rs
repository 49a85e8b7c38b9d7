//! An admitted connection: answers its requests, and sends it events.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::{BoxFuture, Either};
use futures_util::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use gateway_protocol::{DetailCode, ErrorShape, FrameError, Request, close};
use tokio::pin;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use super::heard::Heard;
use super::{FAREWELL, Socket, farewell, response};
use crate::breaker::{Breaker, Verdict};
use crate::budget::{Cause, Standing, Step};
use crate::methods::{Dispatched, Reply};
use crate::outbox::{End, Next};
use crate::parts::Parts;
use crate::server::Server;
use crate::sessions::{Deciding, Session};

/// After so many ticks without a byte, the other side is gone: there was a ping at the first of them, and two more to answer
/// it.
const SILENT_TICKS: u32 = 3;

/// Maximum size of a frame that is sent, in bytes.
const PART: usize = 4096;

/// Serves the connection until one side ends it.
pub(super) async fn run<S: Socket>(
    ws: WebSocketStream<S>,
    session: &Arc<Session>,
    server: &Server,
    heard: &Heard,
) {
    let (mut sink, mut stream) = ws.split();
    let end = {
        let writing = write(&mut sink, session, &server.parts);
        pin!(writing);
        tokio::select! {
            end = &mut writing => end,
            end = read(&mut stream, session, server, heard) => {
                session.outbox.end(end.clone());
                // What is queued is sent before the end. A client that does not read it does not get it, and
                // a client that has sent a close frame gets only the answer to that.
                let written = timeout(FAREWELL, &mut writing).await;
                written.map_or(None, |written| written.or(Some(end)))
            }
        }
    };
    if let (Some(end), Ok(ws)) = (&end, sink.reunite(stream)) {
        farewell(ws, end).await;
    }
    let standing = Standing::of(&session.who);
    if !standing.is_approved()
        && server
            .parts
            .may_log(Cause::Session, session.address)
            .is_none()
    {
        return;
    }
    tracing::info!(
        connection = session.id,
        reason = end.map_or("gone", |end| end.reason),
        "disconnected"
    );
}

/// Sends what is queued, and a ping at every tick, whose answer says that the other side is still there. Returns the reason
/// to close by, or `None` if the socket is dead.
async fn write<S: Socket>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    session: &Session,
    parts: &Parts,
) -> Option<End> {
    let outbox = &session.outbox;
    let mut written = 0;
    let mut pinged = Instant::now();
    loop {
        let tick = parts.settings.load().limits.tick_interval;
        if pinged.elapsed() >= tick {
            pinged = Instant::now();
            let ping = Message::Ping(Bytes::new());
            if !unless_cut(session, sink.feed(ping)).await? {
                return None;
            }
        }
        match outbox.next(written) {
            Next::Send(frame) => {
                written = frame.len();
                if !unless_cut(session, feed(sink, frame)).await? {
                    return None;
                }
            }
            Next::Idle => {
                written = 0;
                if !unless_cut(session, sink.flush()).await? {
                    return None;
                }
                // Until there is something to send, or a ping is due.
                let _ = timeout_at(pinged + tick, outbox.news()).await;
            }
            Next::End(end) => {
                // The last message may still be in the sink's buffer.
                let flushed = timeout(FAREWELL, unless_cut(session, sink.flush())).await;
                return flushed.ok().flatten().and_then(|all| all.then_some(end));
            }
        }
    }
}

/// Writes a message, a long one in parts: for each connection, the library keeps a buffer as large as the
/// largest frame that it ever wrote.
async fn feed<S: Socket>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    message: Utf8Bytes,
) -> Result<(), Error> {
    if message.len() <= PART {
        return sink.feed(Message::Text(message)).await;
    }
    let mut rest = Bytes::from(message);
    let mut code = Data::Text;
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(PART));
        let part = Frame::message(part, OpCode::Data(code), rest.is_empty());
        sink.feed(Message::Frame(part)).await?;
        code = Data::Continue;
    }
    Ok(())
}

/// Waits for a write, unless the connection is cut off because the client does not read. Returns `None` if
/// the socket is dead, and `false` if it was cut off.
async fn unless_cut(
    session: &Session,
    write: impl Future<Output = Result<(), Error>>,
) -> Option<bool> {
    tokio::select! {
        biased;
        written = write => written.ok().map(|()| true),
        // No other frame can follow a half-written one.
        () = session.outbox.cut() => Some(false),
    }
}

/// Reads requests and sends their answers, in any order. Only so many requests are in progress at once; while
/// there are that many, the client's next request waits in its socket.
async fn read<S: Socket>(
    stream: &mut SplitStream<WebSocketStream<S>>,
    session: &Arc<Session>,
    server: &Server,
    heard: &Heard,
) -> End {
    let parts = &server.parts;
    let mut breaker = Breaker::default();
    let mut calls: FuturesUnordered<BoxFuture<'_, Answered>> = FuturesUnordered::new();
    let mut is_leaving = false;
    loop {
        let (at_once, tick) = {
            let limits = &parts.settings.load().limits;
            (limits.in_flight_calls, limits.tick_interval)
        };
        let is_reading = !is_leaving && calls.len() < at_once;
        if !is_reading {
            // While nobody reads, silence is not the client's.
            heard.note();
        }
        let silent = heard.last() + tick * SILENT_TICKS;
        let next = tokio::select! {
            biased;
            Some(answered) = calls.next(), if !calls.is_empty() => Either::Left(answered),
            () = session.left(), if !is_leaving => {
                is_leaving = true;
                continue;
            }
            message = stream.next(), if is_reading => Either::Right(message),
            () = sleep_until(silent), if is_reading => {
                // A part of a message has come, or nothing for too long.
                if heard.last() + tick * SILENT_TICKS > Instant::now() {
                    continue;
                }
                return End { at_once: true, ..End::new(close::GOING_AWAY, "pings are not answered") };
            }
            else => return End::new(close::GOING_AWAY, "gateway stopping"),
        };
        let message = match next {
            Either::Right(message) => message,
            Either::Left((id, (answer, deciding))) => {
                if let Some(end) = finish(&id, answer, deciding, session, parts, &mut breaker) {
                    return end;
                }
                continue;
            }
        };
        let request = match message {
            Some(Ok(Message::Text(text))) => Request::parse(text.as_bytes()),
            Some(Ok(Message::Binary(bytes))) => Request::parse(&bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Err(Error::Capacity(_))) => return End::new(close::TOO_BIG, "frame too large"),
            Some(Err(Error::Io(error))) => {
                let end = parts.entrance.budget.overdrawn(&error);
                return end.unwrap_or(End::new(close::NORMAL, ""));
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return End::new(close::NORMAL, ""),
        };
        if !session.is_live() {
            continue;
        }
        let now = parts.pairing.now();
        if !Standing::of(&session.who).is_approved()
            && !parts.entrance.budget.may(Step::Frame, session.address, now)
        {
            return End::new(close::POLICY, "too many messages");
        }
        let limits = &parts.settings.load().limits;
        let (id, begun) = match (breaker.before(limits, now), request) {
            (Verdict::Close, _) => return End::new(close::POLICY, "too many refused requests"),
            (Verdict::Cool(after), request) => {
                let id = request.map_or_else(|error| id_of(&error), |request| request.id);
                let error =
                    ErrorShape::unavailable(DetailCode::RateLimited, "too many refused requests")
                        .retry_after(after);
                session.outbox.send(response(&id, Err::<(), _>(&error)));
                continue;
            }
            (Verdict::Go, Ok(request)) => {
                let begun = server
                    .methods
                    .begin(parts, session, request.method, request.params);
                (request.id, begun)
            }
            (Verdict::Go, Err(error)) => {
                let id = id_of(&error);
                let error = ErrorShape::invalid(DetailCode::InvalidFrame, error.to_string());
                (id, Dispatched::Now(Err(error)))
            }
        };
        match begun {
            Dispatched::Now(answer) => {
                if let Some(end) = finish(&id, answer, None, session, parts, &mut breaker) {
                    return end;
                }
            }
            Dispatched::Later(answer) => calls.push(Box::pin(async move { (id, answer.await) })),
        }
    }
}

/// The answer to a request, with the request's id.
type Answered = (String, (Reply, Option<Deciding>));

/// Sends an answer. Refusals are counted. If the session's rights have ended, this answer is its last.
fn finish(
    id: &str,
    answer: Reply,
    deciding: Option<Deciding>,
    session: &Session,
    parts: &Parts,
    breaker: &mut Breaker,
) -> Option<End> {
    let frame: Utf8Bytes = response(id, answer.as_ref());
    session.outbox.send(frame);
    drop(deciding);
    session.close_if_revoked();
    let error = answer.err()?;
    if error.code != gateway_protocol::ErrorCode::InvalidRequest {
        return None;
    }
    let limits = &parts.settings.load().limits;
    let verdict = breaker.refused(limits, parts.pairing.now());
    if breaker.is_worth_logging() {
        tracing::info!(
            connection = session.id, refused = breaker.total(),
            error = %pairing_core::quoted(&error.message).limit(200), "request refused"
        );
    }
    (verdict == Verdict::Close).then(|| End::new(close::POLICY, "too many refused requests"))
}

/// The id for the answer to something that is not a request.
fn id_of(error: &FrameError) -> String {
    match error {
        FrameError::NotRequest { id: Some(id), .. } => id.clone(),
        _ => "invalid".to_owned(),
    }
}
