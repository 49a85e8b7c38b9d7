//! Sockets: taken in, encrypted, and handed to HTTP, each within its time.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::conn::Socket;
use crate::http::{self, Peer};
use crate::shared::Shared;
use crate::sockets::Permit;
use pairing_core::Chain;

/// For the TLS handshake, and for the head of each request, where `limits.handshake` is not shorter.
const HEAD: Duration = Duration::from_secs(10);

/// For the answer that is under way when the gateway stops.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 8192;

/// How long nothing is taken in after that failed, as it does where there are no more descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Takes sockets in until told to stop.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut fails = 0_u64;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                fails = 0;
                let (tls, shared, stop) = (tls.clone(), shared.clone(), stop.clone());
                tokio::spawn(take_in(socket, peer.ip(), tls, shared, stop));
            }
            Err(error) => {
                fails += 1;
                if fails.is_power_of_two() {
                    tracing::error!(error = %Chain(&error), fails, "a socket could not be taken in");
                }
                sleep(BREATH).await;
            }
        }
    }
}

/// Waits until it is time to stop; the guard of the value is not held.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could still say so is gone: the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn take_in(
    socket: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
) {
    let permit = match shared.waiting.enter(peer) {
        Ok(permit) => permit,
        Err(full) => {
            shared.metrics.refused("too-many-connections");
            tracing::debug!(%peer, reason = %full, "a socket was dropped");
            return;
        }
    };
    // Frames are small, and somebody waits for each.
    let _ = socket.set_nodelay(true);
    let patience = shared.settings.load().limits.handshake.min(HEAD);
    match tls {
        None => serve(socket, peer, permit, shared, stop).await,
        Some(tls) => match timeout(patience, tls.accept(socket)).await {
            Ok(Ok(socket)) => serve(socket, peer, permit, shared, stop).await,
            Ok(Err(error)) => tracing::debug!(%peer, error = %Chain(&error), "no TLS handshake"),
            Err(_) => tracing::debug!(%peer, "no TLS handshake in time"),
        },
    }
}

async fn serve(
    socket: impl Socket + 'static,
    address: IpAddr,
    permit: Permit,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let peer = Arc::new(Peer {
        address,
        permit: Mutex::new(Some(permit)),
        stop: stop.clone(),
    });
    let patience = shared.settings.load().limits.handshake.min(HEAD);
    let service = service_fn(|request| {
        let (peer, shared) = (peer.clone(), shared.clone());
        async move { Ok::<_, Infallible>(http::answer(request, &peer, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        tracing::debug!(peer = %address, error = %Chain(&error), "a request was not served");
    }
}

impl Peer {
    /// The place among those that wait, for the connection that the request becomes.
    pub(crate) fn take_permit(&self) -> Option<Permit> {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        permit.take()
    }
}
