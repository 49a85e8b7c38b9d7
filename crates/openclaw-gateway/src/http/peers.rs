//! Answers calls of other gateways.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, StatusCode};
use pairing_core::quoted;
use tokio::time::{sleep, timeout};

use super::answer::{HttpAnswer, json};
use super::peer::Peer;
use crate::budget::Cause;
use crate::edge::Arrival;
use crate::lockout::{Locked, Subject};
use crate::methods;
use crate::parts::Parts;
use crate::peers::{Forwarded, GatewayId, Outcome, Peers, Proof, TOLERANCE, Untimely, longest};

/// Time limit for the body of a call.
const BODY: Duration = Duration::from_secs(30);

/// Why a call was refused, for the log. The caller learns only that it was.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Locked(#[from] Locked),
    #[error("it does not say who calls")]
    Unsigned,
    #[error("no gateway {0} is announced")]
    Unknown(GatewayId),
    #[error("it is for gateway {0}")]
    Misdirected(GatewayId),
    #[error("it is not signed by that gateway")]
    Signature,
    #[error(
        "its time is not within {} s of this machine's: set both clocks",
        TOLERANCE.as_secs()
    )]
    Stale,
    #[error("it has been made before")]
    Replayed,
    #[error("too many calls in the last minutes")]
    Full,
    #[error("its body is too long, or does not come in time")]
    Length,
    #[error("its body is not the one that was signed")]
    Body,
    #[error("what it asks for is not understood: does that gateway have another version?")]
    Meaning,
}

/// Answers a call. A call is never passed on.
pub(crate) async fn answer(
    request: Request<Incoming>,
    arrival: &Arrival,
    peer: &Peer,
    parts: &Arc<Parts>,
    peers: &Peers,
) -> HttpAnswer {
    let mut answer = match admit(request, arrival, peer, parts, peers).await {
        Ok((proof, asked)) => {
            tracing::info!(
                gateway = %proof.from,
                by = %quoted(&asked.asked_by).limit(128),
                node = %quoted(&asked.node_id).limit(64),
                command = %quoted(&asked.command).limit(64),
                "node invoked through another gateway"
            );
            let outcome = Outcome::from(methods::invoke_here(parts, asked.into()).await);
            // Serialising it cannot fail.
            let body = serde_json::to_string(&outcome).unwrap_or_default();
            let signed = peers.sign_answer(&proof, body.as_bytes());
            let mut answer = json(StatusCode::OK, body);
            answer.headers_mut().extend(signed);
            answer
        }
        Err(refused) => {
            parts.metrics.refused("peer");
            if let Some(left_out) = parts.may_log(Cause::Peer, arrival.address) {
                tracing::warn!(
                    peer = %arrival.address, reason = %refused, left_out,
                    "call of another gateway refused"
                );
            }
            let counts = refused.is_of_nobody_announced();
            let subject = Subject::peer(arrival.address);
            let delay =
                counts.then(|| parts.entrance.lockouts.failed(subject, parts.pairing.now()));
            sleep(delay.flatten().unwrap_or_default()).await;
            json(
                StatusCode::UNAUTHORIZED,
                r#"{"error":"unauthorized"}"#.to_owned(),
            )
        }
    };
    // There is one call on each connection, which has given up its permit to wait.
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
}

/// Checks who calls, and parses the call. The body is read only after the signature was verified.
///
/// A call that is signed by an announced gateway is never locked out: others behind the same address cannot keep
/// a gateway from being heard. Whoever names no announced gateway is not worth verifying a signature.
async fn admit(
    request: Request<Incoming>,
    arrival: &Arrival,
    peer: &Peer,
    parts: &Parts,
    peers: &Peers,
) -> Result<(Proof, Forwarded), Refused> {
    let now = parts.pairing.now();
    let proof = signed(&request, peers).map_err(|refused| {
        let subject = Subject::peer(arrival.address);
        let locked = parts.entrance.lockouts.check(subject, now);
        locked.map_or_else(Refused::Locked, |()| refused)
    })?;
    if proof.to != peers.id() {
        return Err(Refused::Misdirected(proof.to));
    }
    peers.note_call(&proof, now)?;
    // The connection is admitted, so it does not count among those that wait.
    drop(peer.take_permit());
    let body = read(request.into_body(), longest(&parts.settings.load())).await?;
    if !proof.is_of(&body) {
        return Err(Refused::Body);
    }
    let asked = serde_json::from_slice(&body).map_err(|_| Refused::Meaning)?;
    Ok((proof, asked))
}

/// What the caller signed, if it is a gateway that is announced.
fn signed(request: &Request<Incoming>, peers: &Peers) -> Result<Proof, Refused> {
    let proof = Proof::read(request.headers()).ok_or(Refused::Unsigned)?;
    let key = peers.key_of(proof.from);
    let key = key.ok_or(Refused::Unknown(proof.from))?;
    if proof.is_signed_by(&key) {
        Ok(proof)
    } else {
        Err(Refused::Signature)
    }
}

async fn read(body: Incoming, longest: usize) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > longest as u64 {
        return Err(Refused::Length);
    }
    let read = timeout(BODY, Limited::new(body, longest).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) | Err(_) => Err(Refused::Length),
    }
}

impl Refused {
    /// Whether it counts towards a lock-out: the caller has not proven to be an announced gateway.
    fn is_of_nobody_announced(&self) -> bool {
        matches!(self, Self::Unsigned | Self::Unknown(_) | Self::Signature)
    }
}

impl From<Untimely> for Refused {
    fn from(untimely: Untimely) -> Self {
        match untimely {
            Untimely::Stale => Self::Stale,
            Untimely::Replayed => Self::Replayed,
            Untimely::Full => Self::Full,
        }
    }
}
