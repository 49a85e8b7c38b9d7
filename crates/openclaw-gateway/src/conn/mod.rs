//! One connection, from the WebSocket upgrade to its end.

pub(crate) mod admit;
mod heard;
mod hello;
mod metered;
mod session;
mod stepped;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_protocol::event::{CHALLENGE, Challenge};
use gateway_protocol::{ConnectParams, Refusal, Request, Response, close};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::budget::{Cause, Permit, Standing};
use crate::edge::Arrival;
use crate::frames::event;
use crate::frames::frame;
use crate::outbox::End;
use crate::parts::Parts;
use crate::prove::Prove;
use crate::server::Server;
use crate::settings::Settings;
use heard::Heard;
use hello::Registered;
use metered::Metered;
use pairing_core::Chain;
use stepped::Stepped;

/// A byte stream that can carry a WebSocket.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// Time for the close frame to arrive, and the number of bytes that are read and discarded meanwhile.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: u64 = 1 << 20;

/// The end of a connection that is not admitted yet when the gateway stops.
const STOPPING: End = End {
    code: close::GOING_AWAY,
    reason: "gateway stopping",
    at_once: false,
};

/// Serves a socket from the upgrade to its end.
pub(crate) async fn drive(
    socket: impl Socket,
    (arrival, prove): (Arrival, Option<Prove>),
    server: Server,
    mut permit: Permit,
) {
    let parts = &server.parts;
    let settings = parts.settings.load_full();
    let limits = &settings.limits;
    let config = config(Standing::New.longest_message(limits));
    let budget = &parts.entrance.budget;
    let share = budget.bytes_before(&arrival);
    let socket = Metered::new(Stepped::new(socket), share, Heard::new());
    let mut ws = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
    let greeted = tokio::select! {
        greeted = timeout(
            limits.handshake,
            greet(&mut ws, (&arrival, prove.as_ref()), &server, &settings),
        ) => greeted.unwrap_or_else(|_| {
            if let Some(left_out) = parts.may_log(Cause::Late, arrival.address) {
                tracing::info!(
                    address = %arrival.address, left_out, "connection did not identify itself in time"
                );
            }
            parts.metrics.handshake("timeout");
            Err(End::new(close::POLICY, "handshake timeout"))
        }),
        () = server.stopped() => Err(STOPPING),
    };
    match greeted {
        Ok(registered) => {
            let session = &registered.session;
            if server.is_stopping() {
                // It registered after all sessions had been told.
                session.outbox.end(STOPPING);
            }
            let standing = Standing::of(&session.who);
            permit.becomes(standing);
            parts.metrics.handshake("ok");
            let _counted = parts.metrics.connected(match session.role() {
                pairing_core::device::Role::Node => "node",
                pairing_core::device::Role::Operator => "operator",
            });
            // The library fixes its limits when it wraps a socket, so the socket is wrapped again.
            let socket = ws.into_inner().into_inner().into_inner();
            let share = budget.bytes_of(&session.who, session.address);
            let heard = Heard::new();
            let socket = Metered::new(socket, share, heard.clone());
            let config = self::config(standing.longest_message(limits));
            let ws = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
            session::run(ws, session, &server, &heard).await;
        }
        Err(end) => farewell(ws, &end).await,
    }
}

fn config(most: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        // The default is 128 KiB for each connection, even an idle one. Larger frames still arrive.
        .read_buffer_size(2048)
        .write_buffer_size(4096)
        .max_message_size(Some(most))
        .max_frame_size(Some(most))
}

/// Sends the challenge, reads `connect`, and answers. An admitted connection is then in the registry, and its
/// `hello-ok` has been sent; a refused one has got its refusal.
async fn greet<S: Socket>(
    ws: &mut WebSocketStream<S>,
    (arrival, prove): (&Arrival, Option<&Prove>),
    server: &Server,
    settings: &Arc<Settings>,
) -> Result<Registered, End> {
    let parts = &server.parts;
    let gone = || End::new(close::NORMAL, "");
    let nonce = parts.id().map_err(|error| {
        tracing::error!(error = %Chain(&error), "no randomness for a challenge: connection refused");
        End::new(close::TRY_AGAIN, "unavailable")
    })?;
    let challenge = Challenge {
        proof: prove.and_then(|prove| prove.with(&nonce, &settings.secret)),
        nonce: nonce.clone(),
        ts: parts.pairing.now().as_millis(),
    };
    let sent = ws.send(Message::Text(event(CHALLENGE, &challenge))).await;
    sent.map_err(|_| gone())?;

    let request = match Request::parse(&first(ws, parts).await?) {
        Ok(request) => request,
        Err(error) => {
            parts.metrics.handshake("not-connect");
            if let Some(left_out) = parts.may_log(Cause::NotRequest, arrival.address) {
                tracing::info!(
                    address = %arrival.address, error = %Chain(&error), left_out,
                    "first message was not a request"
                );
            }
            return Err(End::new(close::POLICY, "invalid request frame"));
        }
    };
    let budget = &parts.entrance.budget;
    let may = budget.may_be_refused(arrival, parts.pairing.now());
    let admitted = match &may {
        Some(_) if request.method == "connect" => {
            enter(&request, nonce, arrival, server, settings).await
        }
        Some(_) => Err(Refusal::NotConnect.into()),
        None => Err(Refusal::TryAgain.into()),
    };
    if let Some(may) = may {
        may.is(match &admitted {
            Ok((registered, _)) => Standing::of(&registered.session.who),
            Err(denied) if matches!(denied.refusal, Refusal::PairingRequired { .. }) => {
                Standing::Waiting
            }
            Err(_) => Standing::New,
        });
    }
    match admitted {
        Ok((registered, hello)) => {
            let sent = ws.send(Message::Text(hello)).await;
            registered.greeted(sent.is_ok());
            sent.map(|()| registered).map_err(|_| gone())
        }
        Err(denied) => {
            let refusal = denied.refusal;
            parts.metrics.handshake(refusal.label());
            if let Some(left_out) = parts.may_log(Cause::Refused, arrival.address) {
                tracing::info!(
                    address = %arrival.address, refusal = refusal.label(), left_out, "connection refused"
                );
            }
            if let Some(delay) = denied.delay.filter(|delay| !delay.is_zero())
                && timeout(delay, until_gone(ws)).await.is_ok()
            {
                return Err(gone());
            }
            refuse(ws, &request.id, &refusal).await;
            Err(End::new(refusal.close_code(), reason(&refusal)))
        }
    }
}

/// The reason for the close frame. The refusal has said it in full.
fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::PairingRequired { .. } => "pairing required",
        Refusal::Protocol => "protocol mismatch",
        Refusal::IdentityRequired => "device identity required",
        Refusal::Auth(_) => "unauthorized",
        Refusal::Unavailable | Refusal::TryAgain => "unavailable",
        Refusal::NotConnect => "first request must be connect",
        Refusal::Params(_) => "invalid connect params",
        Refusal::Role => "invalid role",
        Refusal::Origin => "origin not allowed",
        _ => "device authentication failed",
    }
}

async fn enter(
    request: &Request,
    nonce: String,
    arrival: &Arrival,
    server: &Server,
    settings: &Arc<Settings>,
) -> Result<(Registered, Utf8Bytes), admit::Denied> {
    let params = ConnectParams::parse(request.params.as_deref()).map_err(Refusal::Params)?;
    let version = params.version().ok_or(Refusal::Protocol)?;
    let params = Arc::new(params);
    let admitted = admit::admit(
        &server.parts,
        settings.clone(),
        arrival,
        params.clone(),
        nonce,
    )
    .await?;
    hello::register(
        &request.id,
        version,
        &params,
        admitted,
        arrival,
        server,
        settings,
    )
    .await
}

/// Reads the first text or binary message.
async fn first<S: Socket>(ws: &mut WebSocketStream<S>, parts: &Parts) -> Result<Vec<u8>, End> {
    loop {
        match ws.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_bytes().to_vec()),
            Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(Error::Capacity(_))) => {
                return Err(End::new(close::TOO_BIG, "frame too large"));
            }
            Some(Err(Error::Io(error))) => {
                let end = parts.entrance.budget.overdrawn(&error);
                return Err(end.unwrap_or(End::new(close::NORMAL, "")));
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::new(close::NORMAL, "")),
        }
    }
}

/// Waits until the client has closed the connection. Whatever else it sends is discarded.
async fn until_gone<S: Socket>(ws: &mut WebSocketStream<S>) {
    while !matches!(ws.next().await, None | Some(Err(_) | Ok(Message::Close(_)))) {}
}

async fn refuse<S: Socket>(ws: &mut WebSocketStream<S>, id: &str, refusal: &Refusal) {
    let answer = response(id, Err::<(), _>(&refusal.error()));
    // A client that has gone needs no answer.
    let _ = ws.send(Message::Text(answer)).await;
}

/// Serialises a response as a frame.
pub(crate) fn response<P: serde::Serialize>(
    id: &str,
    answer: Result<P, &gateway_protocol::ErrorShape>,
) -> Utf8Bytes {
    frame(serde_json::to_vec(&Response::new(id, answer)).unwrap_or_default())
}

/// Sends a close frame, and gives the client time to read everything before it: closing a socket with unread
/// bytes would discard what was sent last.
async fn farewell<S: Socket>(mut ws: WebSocketStream<S>, end: &End) {
    let close = CloseFrame {
        code: CloseCode::from(end.code),
        reason: Utf8Bytes::from_static(end.reason),
    };
    let words = async {
        // If the client has already sent its close frame, this sends the answer to it.
        let _ = ws.close(Some(close)).await;
        ws.flush().await.ok()?;
        loop {
            match ws.next().await {
                Some(Ok(_)) => {}
                // The client has answered the close frame. The server hangs up first.
                None => return None,
                // The bytes are not a message; they may be the rest of one that was too large.
                Some(Err(_)) => break,
            }
        }
        let mut rest = ws.get_mut().take(FAREWELL_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink())
            .await
            .ok()
    };
    // The client was told, or does not listen.
    let _ = timeout(FAREWELL, words).await;
}
