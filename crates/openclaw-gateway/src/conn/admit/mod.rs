//! Admission of a connection: every check of `connect`, in the order of the protocol.

mod credentials;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway_protocol::hello::AuthMethod;
use gateway_protocol::setup::{SetupCodeId, SetupOutcome};
use gateway_protocol::{
    AuthFailure, ConnectAuth, ConnectParams, DetailCode, DeviceClaim, ErrorShape, Refusal, Secret,
};
use pairing_core::device::{
    Asked, Challenge, Connecting, Credential, DeviceInfo, MintedToken, ProvenDevice, Role,
    SIGNATURE_TOLERANCE, SignedFields, TokenHash, signed_token,
};
use pairing_core::{ConnectError, Connection, DeviceId, Scope, ScopeSet};

use crate::budget::{Cause, Step};
use crate::edge::{Arrival, Origin};
use crate::parts::Parts;
use crate::secret::Shared as Shown;
use crate::sessions::{Who, cut};
use crate::settings::Settings;
use credentials::{Attempt, SecretNotGiven, limited};
use pairing_core::Chain;

/// A connection that is admitted.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) who: Who,
    pub(crate) method: AuthMethod,
    /// A device token that was made now.
    pub(crate) minted: Option<MintedToken>,
    /// What becomes of the setup code by which that token is delivered.
    pub(crate) setup: Option<SetupOutcome>,
}

/// A connection that is refused.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) refusal: Refusal,
    /// The delay of the answer, which makes guessing on this machine slow.
    pub(crate) delay: Option<Duration>,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            delay: None,
        }
    }
}

impl From<AuthFailure> for Denied {
    fn from(failure: AuthFailure) -> Self {
        Refusal::Auth(failure).into()
    }
}

/// A `connect`, and everything that its checks use.
pub(crate) struct Door<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) settings: &'a Settings,
    pub(crate) arrival: &'a Arrival,
    pub(crate) params: &'a ConnectParams,
    pub(crate) nonce: &'a str,
}

impl Door<'_> {
    /// Makes all checks, in the order of the protocol. It reads the store, and writes to it if the owner has
    /// to be asked or a token is made, so it has to run where blocking is allowed.
    pub(crate) fn admit(&self) -> Result<Admitted, Denied> {
        let role = match self.params.role() {
            "" => Role::Operator,
            role => Role::parse(role).map_err(|_| Refusal::Role)?,
        };
        // Such a page is refused before it is upgraded; no way in is to forget that.
        if let Origin::Refused(_) = &self.arrival.origin {
            return Err(Refusal::Origin.into());
        }
        match &self.params.device {
            None => self.without_device(role),
            Some(claim) => {
                let proof = self.prove(claim, role)?;
                let (address, now) = (self.arrival.address, self.parts.pairing.now());
                if !self
                    .parts
                    .entrance
                    .budget
                    .may_come(proof.id(), address, now)
                {
                    return Err(Refusal::TryAgain.into());
                }
                self.with_device(proof)
            }
        }
    }

    /// Admits an operator with the shared secret and without a device. The owner's socket gives it the scopes that it
    /// asks for. Over TCP an address of loopback proves nothing, since anything may forward to it.
    fn without_device(&self, role: Role) -> Result<Admitted, Denied> {
        if role == Role::Node {
            return Err(Refusal::IdentityRequired.into());
        }
        let shown = match self.secret_given() {
            Ok(shown) => shown,
            Err(SecretNotGiven::Locked(locked)) => return Err(limited(locked).into()),
            Err(SecretNotGiven::Failure(failure)) => {
                return Err(Denied {
                    refusal: Refusal::IdentityRequired,
                    delay: self.count(failure),
                });
            }
        };
        let scopes = self.params.scopes();
        let scopes = scopes.iter().map(|scope| Scope::parse(scope));
        let scopes: ScopeSet = scopes
            .collect::<Result<_, _>>()
            .map_err(|error| bad_params(&error))?;
        let who = if self.arrival.is_owners {
            Who::Owner(scopes)
        } else {
            Who::Operator(self.without_proof(scopes))
        };
        Ok(Admitted {
            who,
            method: method_of(shown),
            minted: None,
            setup: None,
        })
    }

    fn prove(&self, claim: &DeviceClaim, role: Role) -> Result<ProvenDevice, Refusal> {
        let (budget, now) = (&self.parts.entrance.budget, self.parts.pairing.now());
        if !self.arrival.is_owners && !budget.may(Step::Signature, self.arrival.address, now) {
            return Err(Refusal::TryAgain);
        }
        let (client, scopes) = (&self.params.client, self.params.scopes());
        // Clients sign the first field that is present, even if it is empty.
        let auth = self.params.auth.as_ref();
        let text = |of: fn(&ConnectAuth) -> &Option<Secret>| {
            auth.and_then(|auth| of(auth).as_ref()).map(Secret::expose)
        };
        let fields = SignedFields {
            device_id: &claim.id,
            client_id: &client.id,
            client_mode: &client.mode,
            role: role.as_str(),
            scopes: &scopes,
            signed_at: claim.signed_at,
            token: signed_token(
                text(|auth| &auth.token),
                text(|auth| &auth.device_token),
                text(|auth| &auth.bootstrap_token),
            ),
            nonce: &claim.nonce,
            platform: Some(&client.platform),
            device_family: client.device_family.as_deref(),
        };
        let challenge = Challenge {
            nonce: self.nonce,
            now: self.parts.pairing.now(),
            tolerance: SIGNATURE_TOLERANCE,
            // Whether this device has signed payloads of version 3 before is checked at its admission.
            v3_only: false,
        };
        let proof = fields.verify(&claim.public_key, &claim.signature, &challenge);
        proof.map_err(|error| {
            if let Some(left_out) = self.parts.may_log(Cause::Proof, self.arrival.address) {
                tracing::info!(
                    address = %self.arrival.address, error = %Chain(&error), left_out,
                    "proof of a device rejected"
                );
            }
            Refusal::Proof(error)
        })
    }

    fn connect(
        &self,
        connecting: &Connecting,
        credential: Credential<'_>,
        method: AuthMethod,
    ) -> Result<Admitted, Attempt> {
        let now = self.parts.pairing.now();
        let budget = &self.parts.entrance.budget;
        let may_ask = budget.may_ask(self.arrival.address, now);
        let unasked;
        let connecting = if may_ask.is_some() {
            connecting
        } else {
            unasked = connecting.clone().without_asking();
            &unasked
        };
        let connected = self.parts.pairing.devices().connect(connecting, credential);
        let has_asked = match &connected {
            Ok(Connection::Admitted { asked, .. }) => asked.as_ref().is_some_and(|of| of.is_new),
            Ok(Connection::Asked(asked)) => asked.is_new,
            Err(_) => false,
        };
        if let Some(may_ask) = may_ask.filter(|_| has_asked) {
            may_ask.used();
        }
        match connected {
            Ok(Connection::Admitted {
                device,
                minted,
                asked,
                ..
            }) => {
                if let Some(asked) = asked.filter(|asked| asked.is_new) {
                    tracing::info!(
                        request = %asked.request.id, device = %asked.request.device,
                        "node offers more than was approved: the rest waits for approval"
                    );
                }
                let setup = match credential {
                    Credential::PairingToken(token) if minted.is_some() => {
                        self.delivers(TokenHash::of(token), device.id())
                    }
                    _ => None,
                };
                Ok(Admitted {
                    who: Who::Device(device),
                    method,
                    minted,
                    setup,
                })
            }
            Ok(Connection::Asked(asked)) => Err(Attempt::Denied(self.asked(&asked).into())),
            Err(ConnectError::Credential(error)) => Err(Attempt::Credential(error)),
            Err(ConnectError::TooManyRequests) => {
                budget.refused_to_ask();
                Err(Attempt::Denied(Refusal::TryAgain.into()))
            }
            Err(error) => {
                tracing::error!(error = %Chain(&error), "store operation failed: connection refused");
                Err(Attempt::Denied(Refusal::Unavailable.into()))
            }
        }
    }

    /// What becomes of this setup code when its device gets a token. `None` if the code cannot be read any more.
    fn delivers(&self, hash: TokenHash, device: DeviceId) -> Option<SetupOutcome> {
        let pairing = &self.parts.pairing;
        let codes = pairing.devices().pairing_tokens().ok()?;
        let code = codes.into_iter().find(|code| code.hash == hash)?;
        Some(SetupOutcome {
            setup_id: SetupCodeId::of(&hash),
            device_id: device,
            device_name: self.params.client.display_name.as_deref().map(cut),
            access: code.profile.into(),
            ts: pairing.now().as_millis(),
        })
    }

    fn asked(&self, asked: &Asked) -> Refusal {
        let request = asked.request.id.clone();
        let left_out = asked
            .is_new
            .then(|| self.parts.may_log(Cause::Waits, self.arrival.address));
        if let Some(left_out) = left_out.flatten() {
            tracing::info!(
                %request, left_out, device = %asked.request.device, address = %self.arrival.address,
                reason = asked.reason.as_str(), "device waits for approval"
            );
        }
        Refusal::PairingRequired {
            reason: asked.reason,
            request,
        }
    }

    fn connecting(&self, proof: ProvenDevice) -> Result<Connecting, Refusal> {
        let client = &self.params.client;
        let text = |text: &str| Some(cut(text));
        let address = self.arrival.address;
        let info = DeviceInfo {
            display_name: client.display_name.as_deref().and_then(text),
            platform: text(&client.platform),
            device_family: client.device_family.as_deref().and_then(text),
            client_id: text(&client.id),
            client_mode: text(&client.mode),
            remote_ip: remote(address),
        };
        let commands = self
            .params
            .commands
            .iter()
            .map(gateway_protocol::Text::as_str)
            // What no node may be sent is neither asked for nor approved.
            .filter(|command| !self.settings.config.gateway.node_commands.denies(command));
        let connecting = Connecting::new(proof, info, address)
            .map_err(|error| bad_params(&error))?
            .with_commands(commands);
        let connecting = match self.limit() {
            Some(limit) => connecting.within(&limit),
            None => connecting,
        };
        let silence = &self.settings.auto_approve;
        Ok(match &self.arrival.origin {
            Origin::None => {
                connecting.with_silence(silence.silence(address, self.arrival.is_direct))
            }
            Origin::Allowed(origin) | Origin::Refused(origin) => connecting.from_page(origin),
        })
    }

    /// The scopes that a user of a trusted proxy has at most, if there is such a limit.
    fn limit(&self) -> Option<ScopeSet> {
        let (user, users) = (self.arrival.user.as_ref()?, self.settings.users.as_ref()?);
        users.limit(user)
    }

    /// What an operator gets of these scopes who knows the shared secret, and has neither a device nor the owner's
    /// socket: on this machine all of them where the owner wants that, else at most to read.
    fn without_proof(&self, asked: ScopeSet) -> ScopeSet {
        if !self.is_local() {
            ScopeSet::default()
        } else if self.settings.local_admin {
            asked
        } else if self.settings.auto_approve.local {
            let reading = Scope::parse(Scope::READ).into_iter();
            reading.filter(|_| asked.allows(Scope::READ)).collect()
        } else {
            ScopeSet::default()
        }
    }

    /// Whether it comes from loopback, and not from a web page.
    fn is_local(&self) -> bool {
        self.arrival.is_local() && self.arrival.origin == Origin::None
    }
}

fn method_of(shown: Shown) -> AuthMethod {
    match shown {
        Shown::Token => AuthMethod::Token,
        Shown::Password => AuthMethod::Password,
        Shown::Open => AuthMethod::None,
        Shown::User => AuthMethod::TrustedProxy,
    }
}

fn bad_params(error: &impl std::fmt::Display) -> Refusal {
    Refusal::Params(ErrorShape::invalid(
        DetailCode::InvalidConnect,
        format!("invalid connect params: {error}"),
    ))
}

fn remote(address: IpAddr) -> Option<String> {
    (!address.is_loopback()).then(|| address.to_string())
}

/// Makes the checks on the blocking pool.
pub(crate) async fn admit(
    parts: &Arc<Parts>,
    settings: Arc<Settings>,
    arrival: &Arrival,
    params: Arc<ConnectParams>,
    nonce: String,
) -> Result<Admitted, Denied> {
    let (parts, arrival) = (parts.clone(), arrival.clone());
    let admitting = tokio::task::spawn_blocking(move || {
        let door = Door {
            parts: &parts,
            settings: &settings,
            arrival: &arrival,
            params: &params,
            nonce: &nonce,
        };
        door.admit()
    });
    admitting
        .await
        .unwrap_or_else(|_| Err(Refusal::Unavailable.into()))
}
