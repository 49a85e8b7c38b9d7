//! The handshake: `connect.challenge`, `connect`, `hello-ok`.

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_protocol::event::{self, Challenge};
use gateway_protocol::hello::HelloOk;
use gateway_protocol::listener_proof::ListenerProof;
use gateway_protocol::{
    ConnectAuth, ConnectParams, DeviceClaim, RequestFrame, ServerFrame, Text, VERSIONS,
};
use pairing_core::device::{Identity, PayloadVersion, SignedFields};
use pairing_core::{ScopeSet, signed_token};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{self, Message};
use zeroize::Zeroizing;

use super::Connect;
use crate::closed::closed;
use crate::dial::{Loopback, Socket};
use crate::error::{Cause, Closed, ConnectError, Refused};
use crate::listener::{Holder, holder};

/// Id of the `connect` request; the ids of calls are numbers.
const ID: &str = "connect";

/// Time that a gateway has for its close frame after a refusal.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Contents of one attempt.
pub(crate) struct Attempt<'c> {
    pub(crate) connect: &'c Connect,
    /// Both ends, if nothing but the kernel can say whose the other one is.
    pub(crate) loopback: Option<Loopback>,
    pub(crate) scopes: &'c ScopeSet,
    pub(crate) auth: Option<ConnectAuth>,
    /// The form of the device's proof.
    pub(crate) proof: PayloadVersion,
}

impl Attempt<'_> {
    /// Runs the handshake on an open socket.
    pub(crate) async fn run(self, socket: &mut Socket) -> Result<HelloOk, ConnectError> {
        let challenge = challenge(socket).await?;
        let params = self.params(&challenge)?;
        if let (Some(loopback), Some(auth)) = (&self.loopback, &params.auth) {
            trust(loopback, auth, &challenge)?;
        }
        let frame = RequestFrame {
            id: ID,
            method: "connect",
            params: Some(params),
        };
        // The text contains the secrets.
        let text = serde_json::to_string(&frame).map(Zeroizing::new);
        let text = text.map_err(|_| ConnectError::Malformed {
            field: "connect",
            reason: "cannot be written as JSON",
        })?;
        let sent = socket.send(Message::text(text.as_str())).await;
        sent.map_err(|error| broken(&error))?;
        drop(text);
        let answer = loop {
            match receive(socket).await? {
                ServerFrame::Response { id, answer } if id == ID => break answer,
                _ => {}
            }
        };
        match answer {
            Ok(payload) => hello(payload.as_deref()),
            Err(error) => {
                let close = tokio::time::timeout(CLOSE_WAIT, close_code(socket)).await;
                let refused = Refused::new(error, close.ok().flatten());
                Err(ConnectError::Refused(Box::new(refused)))
            }
        }
    }

    fn params(&self, challenge: &Challenge) -> Result<ConnectParams, ConnectError> {
        let connect = self.connect;
        let role = connect.role.as_str();
        let scopes: Vec<String> = self
            .scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .collect();
        let mut params = ConnectParams {
            min_protocol: *VERSIONS.start(),
            max_protocol: *VERSIONS.end(),
            client: connect.client_info()?,
            caps: connect.caps.clone(),
            commands: connect.commands.clone(),
            permissions: connect.permissions.clone(),
            path_env: None,
            role: Some(text("role", role)?),
            scopes: Some(
                scopes
                    .iter()
                    .map(|scope| text("scopes", scope))
                    .collect::<Result<_, _>>()?,
            ),
            device: None,
            auth: self.auth.clone(),
            locale: None,
            user_agent: None,
        };
        if let Some((identity, _)) = &connect.device {
            params.device = Some(self.claim(identity, &params, &scopes, challenge)?);
        }
        Ok(params)
    }

    /// Builds the proof that the device holds its key.
    ///
    /// Signs the gateway's time rather than ours: a wrong local clock does no harm, and the signature only
    /// asserts that it answers this challenge, which the nonce ensures.
    fn claim(
        &self,
        identity: &Identity,
        params: &ConnectParams,
        scopes: &[String],
        challenge: &Challenge,
    ) -> Result<DeviceClaim, ConnectError> {
        let device_id = identity.id().to_string();
        let auth = params.auth.as_ref();
        let shown = |secret: fn(&ConnectAuth) -> Option<&gateway_protocol::Secret>| {
            Some(secret(auth?)?.expose())
        };
        let fields = SignedFields {
            device_id: &device_id,
            client_id: &params.client.id,
            client_mode: &params.client.mode,
            role: self.connect.role.as_str(),
            scopes,
            signed_at: challenge.ts,
            token: signed_token(
                shown(|auth| auth.token.as_ref()),
                shown(|auth| auth.device_token.as_ref()),
                shown(|auth| auth.bootstrap_token.as_ref()),
            ),
            nonce: &challenge.nonce,
            platform: Some(&params.client.platform),
            device_family: params.client.device_family.as_deref(),
        };
        let signature = identity.sign(&fields, self.proof);
        let signature = signature.map_err(|invalid| ConnectError::Malformed {
            field: invalid.field,
            reason: invalid.reason,
        })?;
        Ok(DeviceClaim {
            public_key: text("device.publicKey", &identity.key().to_string())?,
            id: text("device.id", &device_id)?,
            signature: text("device.signature", &signature)?,
            signed_at: challenge.ts,
            nonce: challenge.nonce.clone(),
        })
    }
}

/// Parses a text that the protocol requires to be non-empty.
pub(crate) fn text(field: &'static str, value: &str) -> Result<Text, ConnectError> {
    Text::try_from(value.to_owned()).map_err(|_| ConnectError::Malformed {
        field,
        reason: "must not be empty",
    })
}

/// Refuses to send a secret over loopback to somebody who may not be the gateway.
///
/// A listener that has proven that it knows the secret learns nothing by it. Gateways of other programs prove nothing,
/// nor does ours where the secret is short or a port is forwarded to it: there the kernel's word counts, whose
/// process it is. Where the kernel says nothing, as about a port that a container forwards, a proof that is wrong is
/// still one.
fn trust(
    loopback: &Loopback,
    auth: &ConnectAuth,
    challenge: &Challenge,
) -> Result<(), ConnectError> {
    let about = ListenerProof {
        client_nonce: &loopback.nonce,
        nonce: &challenge.nonce,
        address: loopback.other,
    };
    let is_proven = challenge.proof.as_ref().map(|proof| {
        let mut shared = auth.token.iter().chain(&auth.password);
        shared.any(|secret| about.is_by(secret, proof))
    });
    may_send(is_proven, holder(loopback.own, loopback.other))
}

/// Whether a secret may be sent: `is_proven` is what came of the listener's proof, if it showed one.
fn may_send(is_proven: Option<bool>, holder: Holder) -> Result<(), ConnectError> {
    match (is_proven, holder) {
        (Some(true), _) | (_, Holder::Trusted) | (None, Holder::Unknown) => Ok(()),
        (_, Holder::Other(user)) => Err(ConnectError::OtherUser { user }),
        (_, Holder::Closing) => Err(ConnectError::Closed(Closed::broke_off())),
        (Some(false), Holder::Unknown) => Err(ConnectError::NotProven),
    }
}

async fn challenge(socket: &mut Socket) -> Result<Challenge, ConnectError> {
    let no_challenge = ConnectError::Protocol {
        reason: "its challenge cannot be read",
    };
    loop {
        let ServerFrame::Event { event, payload, .. } = receive(socket).await? else {
            continue;
        };
        if event != event::CHALLENGE {
            continue;
        }
        let challenge: Option<Challenge> = read(payload.as_deref());
        // A signature over an empty nonce would be valid on any connection.
        return challenge
            .filter(|challenge| !challenge.nonce.is_empty() && challenge.ts >= 0)
            .ok_or(no_challenge);
    }
}

fn hello(payload: Option<&serde_json::value::RawValue>) -> Result<HelloOk, ConnectError> {
    let hello: HelloOk = read(payload).ok_or(ConnectError::Protocol {
        reason: "its hello-ok cannot be read",
    })?;
    if !VERSIONS.contains(&hello.protocol) {
        return Err(ConnectError::Protocol {
            reason: "it chose a version that was not offered",
        });
    }
    Ok(hello)
}

fn read<T: DeserializeOwned>(payload: Option<&serde_json::value::RawValue>) -> Option<T> {
    serde_json::from_str(payload?.get()).ok()
}

/// Reads the next frame.
async fn receive(socket: &mut Socket) -> Result<ServerFrame, ConnectError> {
    loop {
        let message = socket
            .next()
            .await
            .ok_or_else(|| ConnectError::Closed(Closed::broke_off()))?;
        let message = message.map_err(|error| broken(&error))?;
        let read = match &message {
            Message::Text(text) => ServerFrame::parse(text.as_bytes()),
            Message::Binary(bytes) => ServerFrame::parse(bytes),
            Message::Close(frame) => return Err(ConnectError::Closed(closed(frame.as_ref()))),
            _ => continue,
        };
        return read.map_err(|_| ConnectError::Protocol {
            reason: "it sends no frames",
        });
    }
}

async fn close_code(socket: &mut Socket) -> Option<u16> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            // The library has queued its reply to the close frame.
            let _ = socket.flush().await;
            return Some(closed(frame.as_ref()).code);
        }
    }
    None
}

fn broken(error: &tungstenite::Error) -> ConnectError {
    use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake as Reset;
    match error {
        tungstenite::Error::ConnectionClosed
        | tungstenite::Error::AlreadyClosed
        | tungstenite::Error::Io(_)
        | tungstenite::Error::Protocol(Reset) => ConnectError::Closed(Closed::broke_off()),
        error => ConnectError::WebSocket(Cause::of(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t103_a_secret_goes_to_whoever_has_proven_it_and_else_by_the_word_of_the_kernel() {
        let (own, other, gone) = (Holder::Trusted, Holder::Other(7), Holder::Closing);
        for holder in [own, other, gone, Holder::Unknown] {
            assert!(may_send(Some(true), holder).is_ok(), "{holder:?}");
        }
        for is_proven in [None, Some(false)] {
            assert!(may_send(is_proven, own).is_ok());
            let refused = may_send(is_proven, other);
            assert!(matches!(refused, Err(ConnectError::OtherUser { user: 7 })));
            assert!(matches!(
                may_send(is_proven, gone),
                Err(ConnectError::Closed(_))
            ));
        }
        assert!(may_send(None, Holder::Unknown).is_ok());
        let refused = may_send(Some(false), Holder::Unknown);
        assert!(matches!(refused, Err(ConnectError::NotProven)));
    }

    #[test]
    fn t103_a_proof_counts_for_the_secret_that_is_sent_and_for_this_connection() {
        let about = |nonce| ListenerProof {
            client_nonce: "ours",
            nonce,
            address: "127.0.0.1:2".parse().unwrap(),
        };
        // A process that the kernel does not know: nothing listens at these addresses.
        let loopback = Loopback {
            own: "127.0.0.1:1".parse().unwrap(),
            other: "127.0.0.1:2".parse().unwrap(),
            nonce: "ours".to_owned(),
        };
        let challenge = |proof: Option<String>| Challenge {
            nonce: "theirs".to_owned(),
            ts: 0,
            proof,
        };
        let key = gateway_protocol::listener_proof::proof_key("the secret");
        let by_token = ConnectAuth {
            token: Some("the secret".into()),
            ..ConnectAuth::default()
        };
        let by_password = ConnectAuth {
            password: Some("the secret".into()),
            ..ConnectAuth::default()
        };
        let other = ConnectAuth {
            token: Some("another".into()),
            ..ConnectAuth::default()
        };
        let proof = challenge(Some(about("theirs").make(&key)));
        assert!(trust(&loopback, &by_token, &proof).is_ok());
        assert!(trust(&loopback, &by_password, &proof).is_ok());
        let stale = challenge(Some(about("before").make(&key)));
        for (auth, challenge) in [(&other, &proof), (&by_token, &stale)] {
            let refused = trust(&loopback, auth, challenge);
            assert!(matches!(refused, Err(ConnectError::NotProven)));
        }
        assert!(trust(&loopback, &by_token, &challenge(None)).is_ok());
    }
}
