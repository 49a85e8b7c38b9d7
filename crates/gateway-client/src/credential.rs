//! Choice of the credentials to present, at first and after a refusal.

use gateway_protocol::{ConnectAuth, Secret};
use pairing_core::device::PayloadVersion;

use crate::{HeldToken, Refused};

/// The secrets that a client was configured with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) token: Option<Secret>,
    pub(crate) password: Option<Secret>,
    /// Pairing token of a new setup code.
    pub(crate) pairing: Option<Secret>,
}

/// The credentials presented in one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// The pairing token of a new setup code alone: it is meant to replace the other credentials.
    Pairing,
    /// The device token together with the shared secret.
    Both,
    /// The device token alone.
    Held,
    /// The shared secret alone, or nothing.
    Shared,
}

/// The form in which credentials are presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// That of present releases.
    Current,
    /// That of 2026.2, whose gateways know no other: the older proof, which says the same but for the platform, and one
    /// member for a token of either kind.
    Of2026_2,
}

impl Dialect {
    /// The form of the device's proof.
    pub(crate) fn proof(self) -> PayloadVersion {
        match self {
            Self::Current => PayloadVersion::V3,
            Self::Of2026_2 => PayloadVersion::V2,
        }
    }
}

impl Secrets {
    fn is_shared(&self) -> bool {
        self.token.is_some() || self.password.is_some()
    }

    /// Returns the credentials to present first.
    pub(crate) fn first(&self, held: Option<&HeldToken>) -> Show {
        match (&self.pairing, held) {
            (Some(_), _) => Show::Pairing,
            (None, Some(_)) if self.is_shared() => Show::Both,
            (None, Some(_)) => Show::Held,
            (None, None) => Show::Shared,
        }
    }

    pub(crate) fn auth(
        &self,
        show: Show,
        held: Option<&HeldToken>,
        dialect: Dialect,
    ) -> Option<ConnectAuth> {
        let shared = matches!(show, Show::Both | Show::Shared);
        let device = matches!(show, Show::Both | Show::Held);
        let mut auth = ConnectAuth {
            token: self.token.clone().filter(|_| shared),
            password: self.password.clone().filter(|_| shared),
            device_token: held.map(|held| held.token.clone()).filter(|_| device),
            bootstrap_token: self.pairing.clone().filter(|_| show == Show::Pairing),
        };
        if dialect == Dialect::Of2026_2 {
            let device_token = auth.device_token.take();
            auth.token = auth.token.or(device_token);
        }
        (auth != ConnectAuth::default()).then_some(auth)
    }
}

impl Show {
    /// Returns the credentials to present after a refusal, if any are left to try.
    pub(crate) fn after(self, refused: &Refused) -> Option<Self> {
        match (self, refused.code()) {
            (Self::Both, "AUTH_TOKEN_MISMATCH" | "AUTH_PASSWORD_MISMATCH")
                if refused.details.can_retry_with_device_token == Some(true) =>
            {
                Some(Self::Held)
            }
            (Self::Both, "AUTH_DEVICE_TOKEN_MISMATCH") => Some(Self::Shared),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_protocol::{ErrorCode, ErrorShape};
    use pairing_core::ScopeSet;

    use super::*;

    fn held() -> HeldToken {
        HeldToken {
            token: "held".into(),
            scopes: ScopeSet::default(),
            issued_at_ms: None,
        }
    }

    fn shared() -> Secrets {
        Secrets {
            token: Some("shared".into()),
            ..Secrets::default()
        }
    }

    fn refused(code: &str, can_retry: bool) -> Refused {
        let details = serde_json::json!({ "code": code, "canRetryWithDeviceToken": can_retry });
        Refused::new(
            ErrorShape::without_details(ErrorCode::InvalidRequest, "unauthorized")
                .with_details(details),
            None,
        )
    }

    fn shown(secrets: &Secrets, show: Show) -> [Option<String>; 3] {
        let auth = secrets.auth(show, Some(&held()), Dialect::Current).unwrap();
        [auth.token, auth.device_token, auth.bootstrap_token]
            .map(|secret| secret.map(|secret| secret.expose().to_owned()))
    }

    #[test]
    fn t46_a_new_setup_code_beats_what_is_stored() {
        let secrets = Secrets {
            pairing: Some("fresh".into()),
            ..shared()
        };
        let first = secrets.first(Some(&held()));
        assert_eq!(first, Show::Pairing);
        assert_eq!(
            shown(&secrets, first),
            [None, None, Some("fresh".to_owned())]
        );
        let spent = refused("AUTH_BOOTSTRAP_TOKEN_INVALID", false);
        assert_eq!(first.after(&spent), None);
    }

    #[test]
    fn a_stored_token_is_shown_with_the_shared_one_or_alone() {
        let first = shared().first(Some(&held()));
        let both = [Some("shared".to_owned()), Some("held".to_owned()), None];
        assert_eq!(shown(&shared(), first), both);

        let none = Secrets::default();
        assert_eq!(none.first(Some(&held())), Show::Held);
        assert_eq!(
            shown(&none, Show::Held),
            [None, Some("held".to_owned()), None]
        );
        assert_eq!(shared().first(None), Show::Shared);
        assert_eq!(none.auth(none.first(None), None, Dialect::Current), None);
    }

    #[test]
    fn each_refusal_leads_to_what_was_not_shown_and_then_to_an_end() {
        let wrong = refused("AUTH_TOKEN_MISMATCH", true);
        assert_eq!(Show::Both.after(&wrong), Some(Show::Held));
        assert_eq!(Show::Shared.after(&wrong), None);
        let no_retry = refused("AUTH_TOKEN_MISMATCH", false);
        assert_eq!(Show::Both.after(&no_retry), None);
        let gone = refused("AUTH_DEVICE_TOKEN_MISMATCH", false);
        assert_eq!(Show::Both.after(&gone), Some(Show::Shared));
        assert_eq!(Show::Held.after(&gone), None);
        assert_eq!(Show::Shared.after(&gone), None);
    }
}
