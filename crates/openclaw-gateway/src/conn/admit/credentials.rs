//! The credentials that a connection presents besides its key: the shared secret, a device token, the token
//! of a setup code.

use gateway_protocol::hello::AuthMethod;
use gateway_protocol::{AuthFailure, Refusal, Secret};
use pairing_core::DeviceId;
use pairing_core::device::{Credential, CredentialError, ProofError, ProvenDevice, SecretToken};
use std::time::Duration;

use super::{Admitted, Denied, Door, method_of};
use crate::edge::Origin;
use crate::lockout::{Locked, Subject};
use crate::secret::{SecretFailure, Shared as Given};

/// The texts of `auth`. An empty one counts as missing.
#[derive(Clone, Copy, Default)]
pub(super) struct Shown<'a> {
    pub(super) token: Option<&'a str>,
    pub(super) device_token: Option<&'a str>,
    pub(super) pairing_token: Option<&'a str>,
    password: Option<&'a str>,
}

/// Why the shared secret was not accepted.
pub(super) enum SecretNotGiven {
    /// It is missing or wrong.
    Failure(SecretFailure),
    /// The address is locked out, so it was not compared.
    Locked(Locked),
}

/// Why a credential did not admit the device.
pub(super) enum Attempt {
    /// It is not valid; another one may be.
    Credential(CredentialError),
    /// The connection is refused, whatever else was presented.
    Denied(Denied),
}

/// A credential to try.
struct Candidate<'a> {
    credential: Credential<'a>,
    method: AuthMethod,
    /// The subject of its failures, besides that of the shared secret.
    subject: Option<Subject>,
    /// Whether it was in the field for the shared token.
    in_place_of_token: bool,
}

impl Door<'_> {
    pub(super) fn shown(&self) -> Shown<'_> {
        fn text(secret: Option<&Secret>) -> Option<&str> {
            secret.map(Secret::expose).filter(|text| !text.is_empty())
        }
        self.params
            .auth
            .as_ref()
            .map_or_else(Shown::default, |auth| Shown {
                token: text(auth.token.as_ref()),
                device_token: text(auth.device_token.as_ref()),
                pairing_token: text(auth.bootstrap_token.as_ref()),
                password: text(auth.password.as_ref()),
            })
    }

    /// Compares the shared secret, unless the address is locked out.
    pub(super) fn secret_given(&self) -> Result<Given, SecretNotGiven> {
        if self.arrival.is_owners {
            // The kernel has said whose process it is.
            return Ok(Given::Open);
        }
        let (mut shown, now) = (self.shown(), self.parts.pairing.now());
        if self.settings.secret.is_of_users() {
            if self.arrival.user.is_some() {
                return Ok(Given::User);
            }
            // The password is for programs on this machine, which do not come by the proxy.
            shown.token = None;
            shown.password = shown.password.filter(|_| self.arrival.is_of_this_machine());
        }
        let subject = Subject::secret(self.arrival.address);
        // A lock-out is about guesses: a client that presents nothing is told what is missing.
        if shown.token.is_some() || shown.password.is_some() {
            let open = self.parts.entrance.lockouts.check(subject, now);
            open.map_err(SecretNotGiven::Locked)?;
        }
        let given = self.settings.secret.check(shown.token, shown.password);
        if given.is_ok() {
            self.parts.entrance.lockouts.succeeded(subject);
        }
        given.map_err(SecretNotGiven::Failure)
    }

    /// Whether it is a browser on this gateway's own page, with the ticket of a link in the place of the secret.
    fn has_ticket(&self, device: DeviceId) -> bool {
        let (Origin::Allowed(page), Some(ticket)) = (&self.arrival.origin, self.shown().token)
        else {
            return false;
        };
        let now = self.parts.pairing.now();
        self.arrival.is_of_this_machine()
            && self.parts.page_tickets.admits(ticket, page, device, now)
    }

    /// Counts a wrong secret. Returns the delay of the answer.
    pub(super) fn count(&self, failure: SecretFailure) -> Option<Duration> {
        if !failure.is_mismatch() {
            return None;
        }
        let subject = Subject::secret(self.arrival.address);
        self.parts
            .entrance
            .lockouts
            .failed(subject, self.parts.pairing.now())
    }

    /// Tries the presented credentials, the shared secret first.
    pub(super) fn with_device(&self, proof: ProvenDevice) -> Result<Admitted, Denied> {
        let address = self.arrival.address;
        let of_device = Subject::device_token(address, proof.id());
        let of_pairing = Subject::pairing_token(address);
        let device = proof.id();
        let connecting = self.connecting(proof)?;

        let parse = |text: Option<&str>| text.and_then(|text| SecretToken::parse(text).ok());
        let shown = self.shown();
        let (device_token, pairing_token) = (parse(shown.device_token), parse(shown.pairing_token));
        // Clients that know of one field only put any kind of token into it.
        let any_token = parse(shown.token);

        let secret = match self.secret_given() {
            Err(SecretNotGiven::Failure(_)) if self.has_ticket(device) => Ok(Given::Token),
            given => given,
        };
        let by_device = |token, in_place_of_token| Candidate {
            credential: Credential::DeviceToken(token),
            method: AuthMethod::DeviceToken,
            subject: Some(of_device),
            in_place_of_token,
        };
        let by_pairing = |token, in_place_of_token| Candidate {
            credential: Credential::PairingToken(token),
            method: AuthMethod::BootstrapToken,
            subject: Some(of_pairing),
            in_place_of_token,
        };
        let mut tries = Vec::new();
        if let Ok(given) = secret {
            // A gateway without a secret still needs to know which setup code this is.
            if given == Given::Open {
                tries.extend(pairing_token.as_ref().map(|token| by_pairing(token, false)));
            }
            tries.push(Candidate {
                credential: Credential::Shared,
                method: method_of(given),
                subject: None,
                in_place_of_token: true,
            });
        } else {
            tries.extend(device_token.as_ref().map(|token| by_device(token, false)));
            tries.extend(pairing_token.as_ref().map(|token| by_pairing(token, false)));
            tries.extend(any_token.as_ref().map(|token| by_device(token, true)));
            tries.extend(any_token.as_ref().map(|token| by_pairing(token, true)));
        }

        let (mut decided, mut failed, mut locked) = (None, None, None);
        for one in tries {
            let open = one.subject.map_or(Ok(()), |subject| {
                self.parts
                    .entrance
                    .lockouts
                    .check(subject, self.parts.pairing.now())
            });
            if let Err(still) = open {
                locked = Some(still);
                continue;
            }
            match self.connect(&connecting, one.credential, one.method) {
                Ok(admitted) => {
                    decided = Some((Ok(admitted), one));
                    break;
                }
                Err(Attempt::Denied(denied)) => {
                    decided = Some((Err(denied), one));
                    break;
                }
                Err(Attempt::Credential(error)) => failed = Some(error),
            }
        }

        // A wrong secret is a guess, whatever else is presented; a valid token in its field is not a guess.
        let in_place = decided.as_ref().is_some_and(|(_, by)| by.in_place_of_token);
        let guessed = match secret {
            Err(SecretNotGiven::Failure(SecretFailure::TokenMismatch)) if in_place => None,
            Err(SecretNotGiven::Failure(failure)) => self.count(failure),
            _ => None,
        };
        match (decided, failed) {
            (Some((decided, by)), _) => {
                if let (Ok(_), Some(subject)) = (&decided, by.subject) {
                    self.parts.entrance.lockouts.succeeded(subject);
                }
                decided
            }
            (None, Some(CredentialError::Downgrade)) => Err(Denied {
                refusal: Refusal::Proof(ProofError::Signature),
                delay: guessed,
            }),
            (None, failed) => {
                let locked = locked.filter(|_| failed.is_none());
                let denied = self.none_is_good(&secret, locked, of_device, of_pairing);
                Err(Denied {
                    delay: guessed.max(denied.delay),
                    ..denied
                })
            }
        }
    }

    /// The error when nothing was valid. It is about the most specific credential that was presented;
    /// failures count for all of them.
    fn none_is_good(
        &self,
        secret: &Result<Given, SecretNotGiven>,
        locked: Option<Locked>,
        of_device: Subject,
        of_pairing: Subject,
    ) -> Denied {
        let shown = self.shown();
        // A token in the field of the shared token was compared with that, and counts as a guess at it.
        let was_other = match secret {
            Err(SecretNotGiven::Failure(SecretFailure::TokenMismatch)) | Ok(_) => false,
            Err(_) => shown.token.is_some(),
        };
        let now = self.parts.pairing.now();
        let count = |was_shown, subject| {
            let counted = was_shown || was_other;
            counted.then(|| self.parts.entrance.lockouts.failed(subject, now))
        };
        let delays = [
            count(shown.device_token.is_some(), of_device),
            count(shown.pairing_token.is_some(), of_pairing),
        ];
        let failure = if let Some(locked) = locked {
            limited(locked)
        } else if shown.device_token.is_some() {
            AuthFailure::DeviceTokenMismatch
        } else if shown.pairing_token.is_some() {
            AuthFailure::PairingTokenInvalid
        } else {
            match secret {
                Err(SecretNotGiven::Locked(locked)) => limited(*locked),
                Err(SecretNotGiven::Failure(failure)) => of_secret(*failure),
                Ok(_) => AuthFailure::DeviceTokenMismatch,
            }
        };
        Denied {
            refusal: Refusal::Auth(failure),
            delay: delays.into_iter().flatten().flatten().max(),
        }
    }
}

fn of_secret(failure: SecretFailure) -> AuthFailure {
    match failure {
        SecretFailure::TokenMissing => AuthFailure::TokenMissing,
        SecretFailure::TokenMismatch => AuthFailure::TokenMismatch,
        SecretFailure::PasswordMissing => AuthFailure::PasswordMissing,
        SecretFailure::PasswordMismatch => AuthFailure::PasswordMismatch,
        SecretFailure::UserMissing => AuthFailure::UserMissing,
    }
}

pub(super) fn limited(locked: Locked) -> AuthFailure {
    AuthFailure::RateLimited {
        retry_after: locked.retry_after,
    }
}
