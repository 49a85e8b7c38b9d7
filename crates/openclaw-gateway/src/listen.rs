//! Accepts sockets, encrypts them, and hands them to HTTP, each step within a time limit.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use gateway_client::is_own;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::OwnerSocket;
use crate::budget::{Cause, Paced, Step};
use crate::conn::Socket;
use crate::http::{self, Peer};
use crate::server::Server;
use pairing_core::Chain;

/// Time limit for the TLS handshake, and for the head of each request, unless `limits.handshake` is shorter.
const HEAD: Duration = Duration::from_secs(10);

/// Time that an answer in progress has when the gateway stops.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// Maximum size of a request's head, in bytes.
const HEAD_BYTES: usize = 8192;

/// Pause after accepting failed, as it does when there are no file descriptors left.
const BREATH: Duration = Duration::from_millis(50);

/// Accepts sockets until the gateway stops.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, server: Server) {
    let mut fails = 0_u64;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.stopped() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                fails = 0;
                let (tls, server) = (tls.clone(), server.clone());
                tokio::spawn(take_in(socket, peer.ip(), tls, server));
            }
            Err(error) => {
                fails += 1;
                if fails.is_power_of_two() {
                    tracing::error!(error = %Chain(&error), fails, "socket not accepted");
                }
                sleep(BREATH).await;
            }
        }
    }
}

async fn take_in(socket: TcpStream, peer: IpAddr, tls: Option<TlsAcceptor>, server: Server) {
    let parts = &server.parts;
    let (budget, now) = (&parts.entrance.budget, parts.pairing.now());
    // Behind a proxy it is not known yet whose it is.
    let is_proxy = parts.settings.load().door.trusts(peer);
    if !is_proxy && !budget.may(Step::Handshake, peer, now) {
        return;
    }
    let permit = match budget.places.enter(peer) {
        Ok(permit) => permit,
        Err(full) => {
            parts.metrics.refused("too-many-connections");
            if let Some(left_out) = parts.may_debug(peer) {
                tracing::debug!(%peer, reason = %full, left_out, "a socket was dropped");
            }
            return;
        }
    };
    // Frames are small, and somebody waits for each.
    let _ = socket.set_nodelay(true);
    let patience = parts.settings.load().limits.handshake.min(HEAD);
    let other = Peer::by_tcp(peer, socket.local_addr().ok(), permit);
    match tls {
        None => serve(socket, other, server).await,
        Some(tls) => match timeout(patience, tls.accept(socket)).await {
            Ok(Ok(socket)) => serve(socket, other, server).await,
            Ok(Err(error)) => {
                if let Some(left_out) = parts.may_debug(peer) {
                    tracing::debug!(%peer, error = %Chain(&error), left_out, "no TLS handshake");
                }
            }
            Err(_) => {
                if let Some(left_out) = parts.may_debug(peer) {
                    tracing::debug!(%peer, left_out, "no TLS handshake in time");
                }
            }
        },
    }
}

/// Accepts the owner's commands until the gateway stops.
pub(crate) async fn accept_owner(socket: OwnerSocket, server: Server) {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener().accept() => accepted,
            () = server.stopped() => return,
        };
        let Ok((stream, _)) = accepted else {
            sleep(BREATH).await;
            continue;
        };
        let parts = &server.parts;
        match is_own(&stream) {
            Ok(Ok(())) => {}
            Ok(Err(user)) => {
                parts.metrics.refused("other-user");
                if let Some(left_out) = parts.may_log(Cause::Door, address) {
                    tracing::warn!(user, left_out, "another user came by the owner's socket");
                }
                continue;
            }
            Err(error) => {
                tracing::debug!(error = %Chain(&error), "nobody knows whose process it is");
                continue;
            }
        }
        match parts.entrance.budget.owner_places.enter(address) {
            Ok(permit) => {
                tokio::spawn(serve(stream, Peer::owner(permit), server.clone()));
            }
            Err(_) => parts.metrics.refused("too-many-connections"),
        }
    }
}

async fn serve(socket: impl Socket + 'static, peer: Peer, server: Server) {
    let peer = Arc::new(peer);
    let patience = server.parts.settings.load().limits.handshake.min(HEAD);
    let service = service_fn(|request| {
        let (peer, server) = (peer.clone(), server.clone());
        async move { Ok::<_, Infallible>(http::answer(request, &peer, &server).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Paced::new(socket)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = server.stopped() => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let (Err(error), Some(left_out)) = (served, server.parts.may_debug(peer.address)) {
        let peer = peer.address;
        tracing::debug!(%peer, error = %Chain(&error), left_out, "a request was not served");
    }
}
