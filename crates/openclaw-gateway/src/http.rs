//! HTTP: the upgrade, and the few pages for machines.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::conn;
use crate::edge::Arrival;
use crate::lockout::Subject;
use crate::metrics::Metrics;
use crate::page;
use crate::peers;
use crate::shared::Shared;
use crate::sockets::Permit;
use pairing_core::Chain;

pub(crate) type Answer = Response<Full<Bytes>>;

/// The other side of a socket.
pub(crate) struct Peer {
    /// The socket's own address.
    pub(crate) address: IpAddr,
    /// Its place among those that wait to be let in.
    pub(crate) permit: Mutex<Option<Permit>>,
    /// Says when the gateway stops.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Answers one request.
pub(crate) async fn answer(
    request: Request<Incoming>,
    peer: &Peer,
    shared: &Arc<Shared>,
) -> Answer {
    if request.uri().authority().is_some() || request.uri().scheme().is_some() {
        // It names a host of its own, beside the one in the headers that is judged.
        shared.metrics.refused("door");
        return text(StatusCode::BAD_REQUEST, "this is no proxy: ask for a path");
    }
    let judged = shared.settings.load();
    let judged = judged.door.judge(peer.address, request.headers());
    let arrival = match judged {
        Ok(arrival) => arrival,
        Err(turned) => {
            shared.metrics.refused("door");
            tracing::warn!(peer = %peer.address, reason = %turned.message(), "a request was turned away");
            let status = StatusCode::from_u16(turned.status()).unwrap_or(StatusCode::FORBIDDEN);
            return text(status, turned.message());
        }
    };
    if request.headers().contains_key(header::UPGRADE) {
        return upgrade(request, arrival, peer, shared);
    }
    if let (&Method::POST, peers::INVOKE, Some(own)) =
        (request.method(), request.uri().path(), &shared.peers)
    {
        return peers::answer(request, &arrival, peer, shared, own).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET only");
    }
    let is_well = shared.store.is_well();
    let settings = shared.settings.load_full();
    let base = settings.config.gateway.control_ui.base_path.as_str();
    match within(request.uri().path(), base) {
        "/healthz" => machine(StatusCode::OK, json!({ "ok": true }).to_string()),
        "/readyz" if is_well => machine(StatusCode::OK, json!({ "ok": true }).to_string()),
        "/readyz" => machine(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "ok": false, "reason": "the store cannot be read or written" }).to_string(),
        ),
        "/metrics" => match may_measure(&arrival, request.headers(), shared) {
            Ok(()) => metrics(shared),
            Err(delay) => {
                sleep(delay.unwrap_or_default()).await;
                text(
                    StatusCode::UNAUTHORIZED,
                    "from elsewhere, metrics take the gateway's secret: Authorization: Bearer …",
                )
            }
        },
        path => match page::File::at(path) {
            Some(file) => page(file, base, &request, &arrival, shared),
            None => nothing(),
        },
    }
}

/// The path below `gateway.controlUi.basePath`; the whole of it for a proxy that has taken that away.
fn within<'p>(path: &'p str, base: &str) -> &'p str {
    match path.strip_prefix(base) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// Makes the connection a WebSocket, on any path.
fn upgrade(
    mut request: Request<Incoming>,
    arrival: Arrival,
    peer: &Peer,
    shared: &Arc<Shared>,
) -> Answer {
    let response = match create_response_with_body(&request, Full::default) {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(peer = %peer.address, error = %Chain(&error), "no WebSocket request");
            return text(
                StatusCode::BAD_REQUEST,
                "not a WebSocket request of version 13",
            );
        }
    };
    let Some(mut permit) = peer.take_permit() else {
        return text(
            StatusCode::BAD_REQUEST,
            "this connection has been upgraded before",
        );
    };
    if permit.move_to(arrival.address).is_err() {
        shared.metrics.refused("too-many-connections");
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let (shared, stop) = (shared.clone(), peer.stop.clone());
    tokio::spawn(async move {
        match upgraded.await {
            Ok(socket) => conn::drive(TokioIo::new(socket), arrival, shared, permit, stop).await,
            Err(error) => tracing::debug!(error = %Chain(&error), "a connection was not upgraded"),
        }
    });
    response
}

/// Metrics name nobody, but say how busy the owner is: for this machine, or by the secret. An error is
/// how long the answer waits, as it does to guesses out of this machine.
fn may_measure(
    arrival: &Arrival,
    headers: &HeaderMap,
    shared: &Shared,
) -> Result<(), Option<Duration>> {
    if arrival.is_local() {
        return Ok(());
    }
    let (now, subject) = (shared.pairing.now(), Subject::secret(arrival.address));
    let asked = &shared.settings.load().secret;
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(secret) = bearer.and_then(|value| value.strip_prefix("Bearer ")) else {
        return asked.is_open().then_some(()).ok_or(None);
    };
    shared.lockouts.check(subject, now).map_err(|_| None)?;
    match asked.check(Some(secret), Some(secret)) {
        Ok(_) => Ok(()),
        Err(_) => Err(shared.lockouts.failed(subject, now)),
    }
}

/// A file of the page, where that is served.
fn page(
    file: &page::File,
    base: &str,
    request: &Request<Incoming>,
    arrival: &Arrival,
    shared: &Shared,
) -> Answer {
    let is_private = arrival.is_encrypted || arrival.is_of_this_machine();
    match shared.settings.load().control_ui {
        Some(false) => nothing(),
        None if !is_private => text(
            StatusCode::FORBIDDEN,
            "the page is served by TLS, or on the gateway's own machine: open it there as \
             http://localhost with the gateway's port, or set gateway.tls.enabled",
        ),
        Some(true) | None => file.answer(base, request.headers()),
    }
}

fn nothing() -> Answer {
    text(
        StatusCode::NOT_FOUND,
        "this is a gateway of OpenClaw: connect by WebSocket",
    )
}

fn metrics(shared: &Shared) -> Answer {
    let mut answer = machine(StatusCode::OK, shared.metrics.render());
    let kind = HeaderValue::from_static(Metrics::CONTENT_TYPE);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    let mut answer = machine(status, text.into() + "\n");
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

pub(crate) fn machine(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sniffing = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, sniffing);
    answer
}
