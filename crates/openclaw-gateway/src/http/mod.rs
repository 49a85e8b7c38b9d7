//! HTTP: the upgrade to a WebSocket, the page's files, and a few answers for programs.

mod answer;
mod join;
mod page;
mod peer;
mod peers;
mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_protocol::Refusal;
use gateway_protocol::health::FaultState;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::budget::{Cause, Step};
use crate::conn;
use crate::edge::{Arrival, Origin};
use crate::join_codes;
use crate::lockout::Subject;
use crate::metrics::Metrics;
use crate::parts::Parts;
use crate::peers::INVOKE;
use crate::prove;
use crate::server::Server;
use answer::{HttpAnswer, json as program, text, with_type};
use pairing_core::Chain;
pub(crate) use peer::Peer;

/// Answers one request. Whoever is refused is hung up on, and holds no place while they think about it.
pub(crate) async fn answer(request: Request<Incoming>, peer: &Peer, server: &Server) -> HttpAnswer {
    let mut answer = answer_to(request, peer, server).await;
    if answer.status().is_client_error() || answer.status().is_server_error() {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

async fn answer_to(request: Request<Incoming>, peer: &Peer, server: &Server) -> HttpAnswer {
    let parts = &server.parts;
    if request.uri().authority().is_some() || request.uri().scheme().is_some() {
        // The request names a host itself, besides the one in the headers that is checked.
        parts.metrics.refused("door");
        return text(StatusCode::BAD_REQUEST, "this is no proxy: ask for a path");
    }
    let judged = parts.settings.load();
    let judged = if peer.is_owners {
        Arrival::by_owner(request.headers())
    } else {
        judged.door.judge(peer.address, request.headers())
    };
    let arrival = match judged {
        Ok(arrival) => arrival,
        Err(turned) => {
            parts.metrics.refused("door");
            if let Some(left_out) = parts.may_log(Cause::Door, peer.address) {
                tracing::warn!(
                    peer = %peer.address, reason = %turned.message(), left_out, "HTTP request refused"
                );
            }
            let status = StatusCode::from_u16(turned.status()).unwrap_or(StatusCode::FORBIDDEN);
            return text(status, turned.message());
        }
    };
    if request.headers().contains_key(header::UPGRADE) {
        if let Origin::Refused(origin) = &arrival.origin {
            return of_another_origin(origin, &arrival, parts);
        }
        return upgrade(request, arrival, peer, server);
    }
    if let (&Method::POST, INVOKE, Some(own)) =
        (request.method(), request.uri().path(), &parts.clients.peers)
    {
        return peers::answer(request, &arrival, peer, parts, own).await;
    }
    if let Some(webhook) = webhook::at(request.uri().path(), parts) {
        return webhook::answer(request, &arrival, webhook, parts).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET only");
    }
    let settings = parts.settings.load_full();
    let base = settings.config.gateway.control_ui.base_path.as_str();
    match within(request.uri().path(), base) {
        "/healthz" => program(StatusCode::OK, json!({ "ok": true }).to_string()),
        "/readyz" => ready(parts),
        "/metrics" => match may_measure(&arrival, request.headers(), parts) {
            Ok(()) => metrics(parts),
            Err(delay) => {
                sleep(delay.unwrap_or_default()).await;
                text(
                    StatusCode::UNAUTHORIZED,
                    "from elsewhere, metrics take the gateway's secret: Authorization: Bearer …",
                )
            }
        },
        path if path.starts_with(join_codes::PATH) => {
            let code = path.strip_prefix(join_codes::PATH).unwrap_or_default();
            let query = request.uri().query();
            join::answer(request.method(), code, query, &arrival, parts).await
        }
        path => match page::File::at(path) {
            Some(file) => page(file, base, &request, &arrival, parts),
            None => nothing(),
        },
    }
}

/// Returns the path below `gateway.controlUi.basePath`, or the whole path if a proxy has already removed
/// that.
fn within<'p>(path: &'p str, base: &str) -> &'p str {
    match path.strip_prefix(base) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// Refuses a page that the gateway did not serve. A browser shows its page no more than that there is no connection.
fn of_another_origin(origin: &str, arrival: &Arrival, parts: &Parts) -> HttpAnswer {
    parts.metrics.refused("origin");
    if let Some(left_out) = parts.may_log(Cause::Origin, arrival.address) {
        tracing::warn!(
            origin = %pairing_core::quoted(origin).limit(200), address = %arrival.address, left_out,
            "web page of another origin refused"
        );
    }
    text(StatusCode::FORBIDDEN, Refusal::Origin.error().message)
}

/// Upgrades the connection to a WebSocket, on any path.
fn upgrade(
    mut request: Request<Incoming>,
    arrival: Arrival,
    peer: &Peer,
    server: &Server,
) -> HttpAnswer {
    let response = match create_response_with_body(&request, Full::default) {
        Ok(response) => response,
        Err(error) => {
            if let Some(left_out) = server.parts.may_debug(peer.address) {
                let peer = peer.address;
                tracing::debug!(%peer, error = %Chain(&error), left_out, "no WebSocket request");
            }
            return text(
                StatusCode::BAD_REQUEST,
                "not a WebSocket request of version 13",
            );
        }
    };
    let parts = &server.parts;
    let is_forwarded = parts.settings.load().door.trusts(peer.address);
    let budget = &parts.entrance.budget;
    if is_forwarded && !budget.may(Step::Handshake, arrival.address, parts.pairing.now()) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
    }
    let Some(mut permit) = peer.take_permit() else {
        return text(
            StatusCode::BAD_REQUEST,
            "this connection has been upgraded before",
        );
    };
    if permit.move_to(arrival.address).is_err() {
        server.parts.metrics.refused("too-many-connections");
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
    }
    let prove = prove::asked(request.headers(), &arrival, peer.own_end);
    let upgraded = hyper::upgrade::on(&mut request);
    let server = server.clone();
    tokio::spawn(async move {
        match upgraded.await {
            Ok(socket) => conn::drive(TokioIo::new(socket), (arrival, prove), server, permit).await,
            Err(error) => {
                if let Some(left_out) = server.parts.may_debug(arrival.address) {
                    tracing::debug!(error = %Chain(&error), left_out, "a connection was not upgraded");
                }
            }
        }
    });
    response
}

/// Checks whether metrics may be read: from this machine, or with the secret, because they show how busy the
/// owner is. The error is the delay of the answer, as for other wrong secrets.
fn may_measure(
    arrival: &Arrival,
    headers: &HeaderMap,
    parts: &Parts,
) -> Result<(), Option<Duration>> {
    if arrival.is_local() {
        return Ok(());
    }
    let (now, subject) = (parts.pairing.now(), Subject::secret(arrival.address));
    let asked = &parts.settings.load().secret;
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(secret) = bearer.and_then(|value| value.strip_prefix("Bearer ")) else {
        return asked.is_open().then_some(()).ok_or(None);
    };
    if asked.is_of_users() {
        // The password is for programs on this machine.
        return Err(None);
    }
    parts
        .entrance
        .lockouts
        .check(subject, now)
        .map_err(|_| None)?;
    match asked.check(Some(secret), Some(secret)) {
        Ok(_) => Ok(()),
        Err(_) => Err(parts.entrance.lockouts.failed(subject, now)),
    }
}

/// Answers with a file of the page, if the page is served.
fn page(
    file: &page::File,
    base: &str,
    request: &Request<Incoming>,
    arrival: &Arrival,
    parts: &Parts,
) -> HttpAnswer {
    let is_private = arrival.is_encrypted || arrival.is_of_this_machine();
    match parts.settings.load().control_ui {
        Some(false) => nothing(),
        None if !is_private => text(
            StatusCode::FORBIDDEN,
            "the page is served by TLS, or on the gateway's own machine: open it there as \
             http://localhost with the gateway's port, or set gateway.tls.enabled",
        ),
        Some(true) | None => file.answer(base, request.headers()),
    }
}

fn nothing() -> HttpAnswer {
    text(
        StatusCode::NOT_FOUND,
        "this is a gateway of OpenClaw: connect by WebSocket",
    )
}

/// Answers a load balancer or a monitor: the gateway is ready if it can read and write its state. Other parts that do not
/// work are listed. They are named by kind alone, because anybody may ask.
fn ready(parts: &Parts) -> HttpAnswer {
    let is_well = parts.store.is_well();
    let mut states = BTreeMap::new();
    for fault in parts.health.look() {
        let state: &mut &str = states.entry(fault.part).or_insert("degraded");
        if fault.state == FaultState::Down {
            *state = "down";
        }
    }
    let mut body = json!({ "ok": is_well });
    if !is_well {
        body["reason"] = json!("the store cannot be read or written");
    }
    if !states.is_empty() {
        body["parts"] = json!(states);
    }
    let status = if is_well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    program(status, body.to_string())
}

fn metrics(parts: &Parts) -> HttpAnswer {
    parts.entrance.budget.measure();
    parts.health.look();
    with_type(
        StatusCode::OK,
        parts.metrics.render(),
        Metrics::CONTENT_TYPE,
    )
}
