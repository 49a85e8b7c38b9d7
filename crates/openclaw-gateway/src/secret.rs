//! The shared secret of a gateway and its owner.

use std::fmt;

use gateway_protocol::listener_proof::{ProofKey, is_provable, proof_key};
use openclaw_config::{Auth, AuthMode};
use subtle::ConstantTimeEq as _;

/// The secret that a gateway requires of clients without a token of their own.
///
/// - Keeps a SHA-256, not the secret; `Debug` shows neither.
/// - Compared in constant time, whatever the length of what was presented.
#[derive(Clone)]
pub struct SharedSecret(Asked);

#[derive(Clone)]
enum Asked {
    Token(Known),
    Password(Known),
    Nothing,
    /// A user whom a trusted proxy names or, on this machine, the password.
    User(Option<Known>),
}

#[derive(Clone)]
struct Known {
    digest: Digest,
    /// Whether it is too long to be guessed from a proof.
    is_provable: bool,
}

type Digest = ProofKey;

/// The secret that a client presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// The token.
    Token,
    /// The password.
    Password,
    /// None, because the gateway requires none.
    Open,
    /// A user whom a trusted proxy has signed in.
    User,
}

/// Why a client was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretFailure {
    /// A token is required, and none was presented; a password does not count.
    #[error("gateway token missing")]
    TokenMissing,
    /// The token is wrong.
    #[error("gateway token mismatch")]
    TokenMismatch,
    /// A password is required, and none was presented.
    #[error("gateway password missing")]
    PasswordMissing,
    /// The password is wrong.
    #[error("gateway password mismatch")]
    PasswordMismatch,
    /// A user whom a trusted proxy names is required.
    #[error("user of a trusted proxy missing")]
    UserMissing,
}

impl SecretFailure {
    /// Whether a secret was presented and was wrong. Only that counts towards a lock-out.
    pub fn is_mismatch(self) -> bool {
        matches!(self, Self::TokenMismatch | Self::PasswordMismatch)
    }
}

/// The configuration does not say which secret counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// `gateway.auth.mode` is `token`, and no token is set.
    #[error("gateway.auth.mode is \"token\", and no token is set")]
    NoToken,
    /// `gateway.auth.mode` is `password`, and no password is set.
    #[error("gateway.auth.mode is \"password\", and no password is set")]
    NoPassword,
    /// `gateway.auth.mode` is `trusted-proxy`, and no header of the proxy is named.
    #[error("gateway.auth.mode is \"trusted-proxy\", and no userHeader is set")]
    TrustedProxy,
    /// Neither is set, and `gateway.auth.mode` is not `none`.
    #[error("the gateway has no shared secret")]
    None,
}

impl SecretError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoToken | Self::None => {
                "set gateway.auth.token or OPENCLAW_GATEWAY_TOKEN, or start the gateway with --token-file"
            }
            Self::NoPassword => "set gateway.auth.password or OPENCLAW_GATEWAY_PASSWORD",
            Self::TrustedProxy => {
                "set gateway.auth.trustedProxy.userHeader, or start the gateway with --token-file"
            }
        }
    }
}

impl SharedSecret {
    /// Returns the secret that counts: the one that `gateway.auth.mode` names; without a mode the token if
    /// there is one, otherwise the password.
    ///
    /// If nothing is set, that is an error: a gateway is open only if `mode` is `none`.
    pub fn from_config(auth: &Auth) -> Result<Self, SecretError> {
        let token = auth.token.as_ref().map(|token| Self::token(token.expose()));
        let password = auth.password.as_ref();
        let password = password.map(|password| Self::password(password.expose()));
        match auth.mode {
            Some(AuthMode::Token) => token.ok_or(SecretError::NoToken),
            Some(AuthMode::Password) => password.ok_or(SecretError::NoPassword),
            Some(AuthMode::None) => Ok(Self::open()),
            Some(AuthMode::TrustedProxy) => match (&auth.trusted_proxy, &auth.password) {
                (None, _) => Err(SecretError::TrustedProxy),
                (Some(_), password) => {
                    let password = password
                        .as_ref()
                        .map(|password| Known::of(password.expose()));
                    Ok(Self(Asked::User(password)))
                }
            },
            None => token.or(password).ok_or(SecretError::None),
        }
    }

    /// Requires this token.
    pub fn token(token: &str) -> Self {
        Self(Asked::Token(Known::of(token)))
    }

    /// Requires this password.
    pub fn password(password: &str) -> Self {
        Self(Asked::Password(Known::of(password)))
    }

    /// Requires nothing.
    pub fn open() -> Self {
        Self(Asked::Nothing)
    }

    /// Whether a user of a trusted proxy is required. A password counts on this machine only.
    pub fn is_of_users(&self) -> bool {
        matches!(self.0, Asked::User(_))
    }

    /// Whether no secret is required.
    pub fn is_open(&self) -> bool {
        matches!(self.0, Asked::Nothing)
    }

    /// The kind of secret, in the words of `gateway.auth.mode`.
    pub fn kind(&self) -> &'static str {
        match self.0 {
            Asked::Token(_) => "token",
            Asked::Password(_) => "password",
            Asked::Nothing => "none",
            Asked::User(_) => "trusted-proxy",
        }
    }

    /// Compares the presented secret. An empty one counts as not presented.
    ///
    /// A good answer is no more than that: it makes nobody local, and no device approved.
    pub fn check(
        &self,
        token: Option<&str>,
        password: Option<&str>,
    ) -> Result<Shared, SecretFailure> {
        let presented = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(proof_key);
        let (expected, presented, missing, mismatch, shared) = match &self.0 {
            Asked::Nothing => return Ok(Shared::Open),
            Asked::Token(expected) => (
                expected,
                presented(token),
                SecretFailure::TokenMissing,
                SecretFailure::TokenMismatch,
                Shared::Token,
            ),
            Asked::User(None) => return Err(SecretFailure::UserMissing),
            Asked::User(Some(expected)) => (
                expected,
                presented(password),
                SecretFailure::UserMissing,
                SecretFailure::PasswordMismatch,
                Shared::Password,
            ),
            Asked::Password(expected) => (
                expected,
                presented(password),
                SecretFailure::PasswordMissing,
                SecretFailure::PasswordMismatch,
                Shared::Password,
            ),
        };
        let presented = presented.ok_or(missing)?;
        if expected.digest.ct_eq(&*presented).into() {
            Ok(shared)
        } else {
            Err(mismatch)
        }
    }

    /// The key of the proofs that this gateway knows it; `None` if it is to be given none.
    pub(crate) fn proof_key(&self) -> Option<&ProofKey> {
        match &self.0 {
            Asked::Token(known) | Asked::Password(known) if known.is_provable => {
                Some(&known.digest)
            }
            _ => None,
        }
    }

    /// Whether it is the same secret, required in the same way. If a new configuration has another one,
    /// clients that came in by the old one have to present the new one.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Asked::Nothing, Asked::Nothing) | (Asked::User(None), Asked::User(None)) => true,
            (Asked::User(Some(one)), Asked::User(Some(two))) => {
                one.digest.ct_eq(&*two.digest).into()
            }
            (Asked::Token(one), Asked::Token(two))
            | (Asked::Password(one), Asked::Password(two)) => one.digest.ct_eq(&*two.digest).into(),
            _ => false,
        }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Asked::Token(_) => "SharedSecret::Token(..)",
            Asked::Password(_) => "SharedSecret::Password(..)",
            Asked::Nothing => "SharedSecret::Open",
            Asked::User(_) => "SharedSecret::User(..)",
        })
    }
}

impl Known {
    fn of(secret: &str) -> Self {
        Self {
            digest: proof_key(secret),
            is_provable: is_provable(secret),
        }
    }
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;

    use super::*;

    fn configured(auth: &str) -> Result<SharedSecret, SecretError> {
        let config = Config::parse(&format!("{{ gateway: {{ auth: {{ {auth} }} }} }}")).unwrap();
        SharedSecret::from_config(&config.gateway.auth)
    }

    #[test]
    fn which_secret_counts() {
        let both = "token: 'tok', password: 'pass'";
        let check = |auth: &str| configured(auth).map(|s| s.check(Some("tok"), Some("pass")));
        for (mode, expected) in [
            ("", Shared::Token),
            ("mode: 'token',", Shared::Token),
            ("mode: 'password',", Shared::Password),
            ("mode: 'none',", Shared::Open),
        ] {
            assert_eq!(check(&format!("{mode}{both}")), Ok(Ok(expected)), "{mode}");
        }
        assert_eq!(check("password: 'pass'"), Ok(Ok(Shared::Password)));
        for (auth, error) in [
            ("", SecretError::None),
            ("mode: 'token', password: 'pass'", SecretError::NoToken),
            ("mode: 'password', token: 'tok'", SecretError::NoPassword),
            ("mode: 'token', token: ' '", SecretError::NoToken),
        ] {
            let found = configured(auth).unwrap_err();
            assert_eq!(found, error, "{auth}");
            assert!(found.advice().contains("set gateway.auth."));
        }
    }

    #[test]
    fn t22_the_mere_presence_of_a_secret_is_nothing() {
        use SecretFailure::{PasswordMismatch, PasswordMissing, TokenMismatch, TokenMissing};
        let token = SharedSecret::token("tok");
        for (shown, password, expected) in [
            (Some("tok"), None, Ok(Shared::Token)),
            (Some("tok"), Some("other"), Ok(Shared::Token)),
            (Some("Tok"), None, Err(TokenMismatch)),
            (Some("tok "), None, Err(TokenMismatch)),
            (Some("to"), Some("tok"), Err(TokenMismatch)),
            (Some(""), None, Err(TokenMissing)),
            (None, None, Err(TokenMissing)),
            (None, Some("tok"), Err(TokenMissing)),
            (Some(""), Some("tok"), Err(TokenMissing)),
        ] {
            assert_eq!(
                token.check(shown, password),
                expected,
                "{shown:?} {password:?}"
            );
        }
        let password = SharedSecret::password("pass");
        for (token, shown, expected) in [
            (None, Some("pass"), Ok(Shared::Password)),
            (Some("pass"), Some("passw"), Err(PasswordMismatch)),
            (Some("pass"), None, Err(PasswordMissing)),
            (None, Some(""), Err(PasswordMissing)),
        ] {
            assert_eq!(
                password.check(token, shown),
                expected,
                "{token:?} {shown:?}"
            );
        }
        assert_eq!(SharedSecret::open().check(None, None), Ok(Shared::Open));
        assert!(TokenMismatch.is_mismatch() && !TokenMissing.is_mismatch());
    }

    #[test]
    fn a_changed_secret_is_another_one() {
        let token = SharedSecret::token("a");
        assert!(token.is_same(&SharedSecret::token("a")));
        assert!(SharedSecret::open().is_same(&SharedSecret::open()));
        for other in [
            SharedSecret::token("b"),
            SharedSecret::password("a"),
            SharedSecret::open(),
        ] {
            assert!(!token.is_same(&other));
        }
    }

    #[test]
    fn nothing_shows_it() {
        let shown = format!("{:?}", SharedSecret::token("hunter2"));
        assert_eq!(shown, "SharedSecret::Token(..)");
    }
}
