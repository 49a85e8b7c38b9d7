//! Calling another gateway.

use gateway_protocol::GatewayUrl;
use std::time::Duration;

use gateway_protocol::Fingerprint;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use pairing_core::{Entropy, EntropyError, Timestamp};
use tokio::time::timeout;
use tokio_rustls::rustls;

use super::{Announced, Forwarded, INVOKE, Outcome, Peers, Proof};

/// Time limit for connecting.
const CONNECT: Duration = Duration::from_secs(5);

/// Time that a call may take in addition to the time that the node has.
const MARGIN: Duration = Duration::from_secs(5);

/// The other gateway gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("it announces no URL")]
    Nowhere,
    #[error("calls cannot be made to the URL that it announces")]
    Url,
    #[error("it announces a wss:// URL and no certificate")]
    NoCertificate,
    #[error("no encryption")]
    Tls(#[source] rustls::Error),
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    #[error("the call cannot be written")]
    Request,
    #[error("no connection can be made: it does not listen, or shows another certificate")]
    Connect(#[source] hyper_util::client::legacy::Error),
    #[error("the connection was lost")]
    Lost(#[source] hyper_util::client::legacy::Error),
    #[error("it refuses the call, with status {0}: its log says why")]
    Refused(StatusCode),
    #[error("its answer is too long, ends early or is not understood")]
    Answer,
    #[error(
        "its answer is not signed by it: somebody in between may have written it, or it is older"
    )]
    Unsigned,
    #[error("it does not answer in {} s", .0.as_secs_f32())]
    Deadline(Duration),
}

/// Asks another gateway to invoke a node that is connected to it. If this fails, the node may or may not have
/// been invoked. The answer counts only if that gateway has signed it for this call: on plain `http` anybody in
/// between could write one.
///
/// Every call has a connection of its own, so that none is lost on a connection that the other side is just
/// closing.
pub(crate) async fn call(
    peers: &Peers,
    (entropy, now): (&dyn Entropy, Timestamp),
    longest: usize,
    to: &Announced,
    asked: &Forwarded,
) -> Result<Outcome, CallError> {
    let url = to.url.as_ref().ok_or(CallError::Nowhere)?;
    let body = serde_json::to_vec(asked).map_err(|_| CallError::Request)?;
    let mut nonce = [0; 16];
    entropy.fill(&mut nonce)?;
    let own = peers.id();
    let proof = Proof::sign(&peers.identity, own, to.id, now, nonce, &body);
    let request = Request::post(uri(url).ok_or(CallError::Url)?)
        .header(AUTHORIZATION, proof.header().ok_or(CallError::Request)?)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::from(body))
        .map_err(|_| CallError::Request)?;

    let within = Duration::from_millis(asked.timeout_ms).saturating_add(MARGIN);
    let exchange = async {
        let (headers, body) = if url.is_encrypted() {
            let certificate = to.tls_fingerprint.ok_or(CallError::NoCertificate)?;
            exchange(encrypted(certificate)?, request, longest).await?
        } else {
            exchange(tcp(), request, longest).await?
        };
        if !proof.is_answered_by(&to.key, &headers, &body) {
            return Err(CallError::Unsigned);
        }
        serde_json::from_slice(&body).map_err(|_| CallError::Answer)
    };
    let late = CallError::Deadline(within);
    timeout(within, exchange).await.unwrap_or(Err(late))
}

async fn exchange(
    connector: impl Connect + Clone + Send + Sync + 'static,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<(HeaderMap, Bytes), CallError> {
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector);
    let answer = client.request(request).await.map_err(|error| {
        if error.is_connect() {
            CallError::Connect(error)
        } else {
            CallError::Lost(error)
        }
    })?;
    if answer.status() != StatusCode::OK {
        return Err(CallError::Refused(answer.status()));
    }
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, longest).collect().await;
    let body = body.map_err(|_| CallError::Answer)?.to_bytes();
    Ok((head.headers, body))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_nodelay(true);
    tcp
}

fn encrypted(
    certificate: Fingerprint,
) -> Result<impl Connect + Clone + Send + Sync + 'static, CallError> {
    let tls = gateway_client::pinned(certificate).map_err(CallError::Tls)?;
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    Ok(builder.https_only().enable_http1().wrap_connector(tcp()))
}

/// The address for calls, below a gateway's URL; `None` if no calls can be made there.
fn uri(url: &GatewayUrl) -> Option<Uri> {
    let (_, rest) = url.as_str().split_once("://")?;
    let scheme = if url.is_encrypted() { "https" } else { "http" };
    let rest = Some(rest.trim_end_matches('/')).filter(|rest| !rest.contains(['?', '%']))?;
    format!("{scheme}://{rest}{INVOKE}").parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use pairing_core::Timestamp;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::super::{MemoryDirectory, Peers};
    use super::*;

    fn entropy() -> Mutex<ChaCha20Rng> {
        Mutex::new(ChaCha20Rng::seed_from_u64(1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_says_nothing_is_waited_for_a_little_longer_than_a_node() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", silent.local_addr().unwrap());
        let peers = Peers::new(MemoryDirectory::new().lease(), &entropy()).unwrap();
        let to = peers.url(GatewayUrl::parse(&url).unwrap()).own;
        let peers = Peers::new(MemoryDirectory::new().lease(), &entropy()).unwrap();
        let now = Timestamp::from_millis(0);
        let asked = serde_json::from_value(json!({
            "askedBy": "ann", "nodeId": "n", "command": "ping", "timeoutMs": 2000,
            "idempotencyKey": "k",
        }));
        let begun = Instant::now();
        let error = call(&peers, (&entropy(), now), 1000, &to, &asked.unwrap())
            .await
            .unwrap_err();
        let within = Duration::from_secs(2) + MARGIN;
        assert!(
            matches!(error, CallError::Deadline(after) if after == within),
            "{error:?}"
        );
        assert_eq!(begun.elapsed(), within);
    }

    #[test]
    fn calls_go_below_the_url_that_is_announced() {
        for (url, expected) in [
            (
                "ws://127.0.0.1:18789",
                Some("http://127.0.0.1:18789/peer/invoke"),
            ),
            (
                "WSS://gw.example/a/",
                Some("https://gw.example/a/peer/invoke"),
            ),
            ("wss://[fd00::1]:7", Some("https://[fd00::1]:7/peer/invoke")),
            ("ws://[fe80::1%25eth0]:7", None),
            ("wss://gw.example/?a", None),
        ] {
            let found = uri(&GatewayUrl::parse(url).unwrap()).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{url}");
        }
    }
}
