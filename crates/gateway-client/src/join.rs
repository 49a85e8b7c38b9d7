//! Join URLs: `https://gateway/j/<code>`, which a gateway exchanges for a setup code, once.

use std::time::Duration;

use gateway_protocol::{GatewayUrl, GatewayUrlError, SetupCode, SetupCodeError};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use zeroize::Zeroizing;

use crate::dial::{self, Target};
use crate::error::Cause;
use crate::{ConnectError, Fingerprint};

/// Reason why a join URL was not exchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It is not a join URL, or one that must not be used without encryption.
    #[error("not a join URL")]
    Url(#[source] GatewayUrlError),
    /// It has no code.
    #[error("not a join URL: it has no /j/ with a code after it")]
    NoCode,
    /// The gateway cannot be reached.
    #[error("the join code cannot be exchanged")]
    Connect(#[source] ConnectError),
    /// The connection broke off.
    #[error("the join code cannot be exchanged")]
    Http(#[source] Cause),
    /// The code was used, has expired, or never existed.
    #[error("the gateway knows no such join code, or no longer")]
    Gone,
    /// The gateway refuses attempts from this address for a while.
    #[error("the gateway has refused too many join codes of this address")]
    Limited {
        /// The time after which it may be tried again, in seconds.
        retry_after: Option<u64>,
    },
    /// The answer is not one of a gateway.
    #[error("the answer to the join code is HTTP {status}")]
    Status {
        /// HTTP status code.
        status: u16,
    },
    /// The gateway's answer cannot be used.
    #[error("the answer to the join code cannot be used")]
    Answer(#[source] SetupCodeError),
    /// It took too long.
    #[error("no answer to the join code within {} s", .0.as_secs_f32())]
    Timeout(Duration),
}

/// Whether a text is meant as a join URL.
pub fn is_join_url(text: &str) -> bool {
    let starts_with = |scheme: &str| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts_with("http://") || starts_with("https://")
}

/// Exchanges a join URL for its setup code, without any proxy. The gateway forgets the code with its answer, so a
/// failure after that needs a new one. Redirections are not followed.
///
/// Without encryption, only addresses are accepted at which a gateway may be reached so, as for [`GatewayUrl`].
pub async fn join(
    url: &str,
    pinned: Option<Fingerprint>,
    timeout: Duration,
) -> Result<SetupCode, JoinError> {
    let url = url.trim();
    let gateway = match url.get(..4) {
        Some(http) if http.eq_ignore_ascii_case("http") => format!("ws{}", &url[4..]),
        _ => url.to_owned(),
    };
    let gateway = GatewayUrl::parse(&gateway).map_err(JoinError::Url)?;
    let has_code = |path: &str| {
        path.rsplit_once("/j/")
            .is_some_and(|(_, code)| !code.is_empty())
    };
    if !has_code(gateway.as_str()) {
        return Err(JoinError::NoCode);
    }
    match tokio::time::timeout(timeout, exchange(&gateway, pinned)).await {
        Ok(exchanged) => exchanged,
        Err(_) => Err(JoinError::Timeout(timeout)),
    }
}

async fn exchange(
    gateway: &GatewayUrl,
    pinned: Option<Fingerprint>,
) -> Result<SetupCode, JoinError> {
    let target = Target::of(gateway).map_err(JoinError::Connect)?;
    let mut request = Request::new(Empty::<Bytes>::new());
    if let Some(path) = target.request.uri().path_and_query() {
        *request.uri_mut() = path.clone().into();
    }
    let headers = request.headers_mut();
    if let Some(host) = target.request.headers().get(HOST) {
        headers.insert(HOST, host.clone());
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let stream = dial::stream(gateway, target.host, target.port, pinned);
    let (stream, _) = stream.await.map_err(JoinError::Connect)?;
    let stream = TokioIo::new(stream);
    let broken = |error| JoinError::Http(Cause::of(&error));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(broken)?;
    let asking = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(JoinError::Gone),
            StatusCode::TOO_MANY_REQUESTS => {
                let after = answer.headers().get(RETRY_AFTER);
                let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
                return Err(JoinError::Limited { retry_after: after });
            }
            status => {
                let status = status.as_u16();
                return Err(JoinError::Status { status });
            }
        }
        let body = Limited::new(answer.into_body(), SetupCode::MAX_BYTES);
        let body = body
            .collect()
            .await
            .map_err(|error| JoinError::Http(Cause::of(&*error)))?;
        let json = Zeroizing::new(body.to_bytes().to_vec());
        SetupCode::from_json(&json).map_err(JoinError::Answer)
    };
    // The connection does its part for as long as the request is under way.
    tokio::pin!(asking);
    tokio::select! {
        asked = &mut asking => asked,
        ended = connection => match ended {
            Ok(()) => asking.await,
            Err(error) => Err(broken(error)),
        },
    }
}
