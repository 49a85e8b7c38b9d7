//! The gateway that a command goes to, and the secret for it. Both are taken from the command line, the
//! configuration and the environment alone.

use gateway_protocol::GatewayUrl;
use std::ffi::OsString;
use std::path::PathBuf;

use gateway_client::Fingerprint;
use gateway_protocol::Secret;
use openclaw_config::{AuthMode, Config, Mode};

use crate::Failure;
use crate::args::TargetOptions;

/// A gateway, with the credentials for it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: GatewayUrl,
    pub(crate) shared: Shared,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) origin: Origin,
    /// The state directory whose gateway's own socket is used instead of the address.
    pub(crate) socket: Option<PathBuf>,
    /// Whether this is the address on which this machine's gateway listens.
    pub(crate) is_local: bool,
}

/// The secrets that a gateway shares with its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(crate) token: Option<Secret>,
    pub(crate) password: Option<Secret>,
}

/// How a gateway was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By `--url`; no other gateway is tried.
    Named,
    /// By the configuration, on another machine.
    Configured,
    /// On this machine, at the configured address.
    Local,
}

impl Shared {
    pub(crate) fn is_empty(&self) -> bool {
        self.token.is_none() && self.password.is_none()
    }

    /// Returns this, or all of `other` if it is empty: secrets of two gateways are never mixed.
    fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self.is_empty() { other() } else { self }
    }
}

impl Target {
    /// Whether the gateway runs on this machine, by its address.
    pub(crate) fn is_here(&self) -> bool {
        self.url.is_loopback()
    }
}

/// Finds the gateway for a command. `given` are the secrets from the files that the command line names.
///
/// Those take precedence, then the environment's. A secret from the configuration is sent only to the gateway
/// that it is configured for.
pub(crate) fn target(
    options: &TargetOptions,
    given: Shared,
    config: &Config,
    var: impl Fn(&str) -> Option<OsString>,
) -> Result<Target, Failure> {
    let gateway = &config.gateway;
    let (url, origin) = match (&options.url, &gateway.remote.url) {
        (Some(url), _) => (url.clone(), Origin::Named),
        (None, Some(remote)) if gateway.mode == Mode::Remote => (
            configured(remote, "gateway.remote.url")?,
            Origin::Configured,
        ),
        _ => (local(config)?, Origin::Local),
    };
    let is_remote = gateway.remote.url.as_deref() == Some(url.as_str());
    let is_local = origin == Origin::Local || is_own_address(url.as_str(), gateway.port);
    let environment = || Shared {
        token: variable("OPENCLAW_GATEWAY_TOKEN", &var),
        password: variable("OPENCLAW_GATEWAY_PASSWORD", &var),
    };
    let of_config = || match (is_remote, is_local) {
        (true, _) => Shared {
            token: gateway.remote.token.as_ref().map(secret),
            password: gateway.remote.password.as_ref().map(secret),
        },
        (_, true) => of_local(config),
        (false, false) => Shared::default(),
    };
    let pinned = gateway.remote.tls_fingerprint.as_deref();
    let pinned = match (options.fingerprint, pinned.filter(|_| is_remote)) {
        (Some(named), _) => Some(named),
        (None, Some(text)) => {
            Some(
                Fingerprint::parse(text).map_err(|source| Failure::ConfiguredFingerprint {
                    key: "gateway.remote.tlsFingerprint",
                    source,
                })?,
            )
        }
        (None, None) => None,
    };
    Ok(Target {
        url,
        shared: given.or(environment).or(of_config),
        fingerprint: pinned,
        origin,
        socket: None,
        is_local,
    })
}

/// The secret that this machine's gateway is configured to require.
fn of_local(config: &Config) -> Shared {
    let auth = &config.gateway.auth;
    let all = Shared {
        token: auth.token.as_ref().map(secret),
        password: auth.password.as_ref().map(secret),
    };
    match auth.mode {
        None => all,
        Some(AuthMode::Token) => Shared {
            password: None,
            ..all
        },
        Some(AuthMode::Password) => Shared { token: None, ..all },
        Some(AuthMode::None | AuthMode::TrustedProxy) => Shared::default(),
    }
}

fn local(config: &Config) -> Result<GatewayUrl, Failure> {
    let scheme = if config.gateway.tls.enabled {
        "wss"
    } else {
        "ws"
    };
    let text = format!("{scheme}://127.0.0.1:{}", config.gateway.port);
    configured(&text, "gateway.port")
}

fn configured(text: &str, key: &'static str) -> Result<GatewayUrl, Failure> {
    GatewayUrl::parse(text).map_err(|source| Failure::ConfiguredGateway { key, source })
}

/// Whether this is the address of this machine's gateway. Another listener there would prevent the gateway
/// from starting.
fn is_own_address(url: &str, port: u16) -> bool {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let authority = rest.and_then(|rest| rest.split(['/', '?']).next());
    let (host, of_url) = authority
        .and_then(|authority| authority.rsplit_once(':'))
        .unwrap_or_default();
    let is_loopback = ["127.0.0.1", "localhost", "[::1]"].contains(&host);
    is_loopback && of_url == port.to_string()
}

fn secret(secret: &openclaw_config::Secret) -> Secret {
    secret.expose().into()
}

fn variable(name: &str, var: &impl Fn(&str) -> Option<OsString>) -> Option<Secret> {
    let text = var(name)?.into_string().ok()?;
    (!text.trim().is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &str = r#"{ gateway: { port: 4000, auth: { token: "local-secret" },
        remote: { url: "wss://far.example", token: "far-secret" } } }"#;
    const REMOTE: &str = r#"{ gateway: { mode: "remote", auth: { token: "local-secret" },
        remote: { url: "wss://far.example", token: "far-secret" } } }"#;

    fn found(url: Option<&str>, given: Option<&str>, config: &str, env: Option<&str>) -> String {
        let var = |name: &str| {
            let set = env.filter(|_| name == "OPENCLAW_GATEWAY_TOKEN");
            set.map(OsString::from)
        };
        let options = TargetOptions {
            url: url.map(|url| GatewayUrl::parse(url).unwrap()),
            ..TargetOptions::default()
        };
        let given = Shared {
            token: given.map(Into::into),
            password: None,
        };
        let config = Config::parse(config).unwrap().under(var);
        let target = target(&options, given, &config, var).unwrap();
        let token = target.shared.token.as_ref().map_or("-", Secret::expose);
        format!("{:?} {} {token}", target.origin, target.url.as_str())
    }

    #[test]
    fn t91_a_named_gateway_is_the_only_one_and_gets_no_secret_of_another() {
        for (url, given, config, env, expected) in [
            (
                "wss://other.example",
                None,
                TOKENS,
                None,
                "Named wss://other.example -",
            ),
            (
                "wss://other.example",
                None,
                REMOTE,
                None,
                "Named wss://other.example -",
            ),
            (
                "wss://far.example",
                None,
                TOKENS,
                None,
                "Named wss://far.example far-secret",
            ),
            (
                "ws://127.0.0.1:4000",
                None,
                TOKENS,
                None,
                "Named ws://127.0.0.1:4000 local-secret",
            ),
            (
                "ws://127.0.0.1:4001",
                None,
                TOKENS,
                None,
                "Named ws://127.0.0.1:4001 -",
            ),
            (
                "ws://127.0.0.1.example.local:4000",
                None,
                TOKENS,
                None,
                "Named ws://127.0.0.1.example.local:4000 -",
            ),
            (
                "wss://other.example",
                None,
                TOKENS,
                Some("env"),
                "Named wss://other.example env",
            ),
            (
                "wss://other.example",
                Some("file"),
                TOKENS,
                Some("env"),
                "Named wss://other.example file",
            ),
        ] {
            assert_eq!(found(Some(url), given, config, env), expected);
        }
    }

    #[test]
    fn t91_without_a_name_it_is_the_configured_one() {
        for (given, config, env, expected) in [
            (None, "{}", None, "Local ws://127.0.0.1:18789 -"),
            (None, TOKENS, None, "Local ws://127.0.0.1:4000 local-secret"),
            (
                Some("file"),
                TOKENS,
                Some("env"),
                "Local ws://127.0.0.1:4000 file",
            ),
            (None, TOKENS, Some("env"), "Local ws://127.0.0.1:4000 env"),
            (
                None,
                REMOTE,
                None,
                "Configured wss://far.example far-secret",
            ),
            (
                None,
                REMOTE,
                Some("env"),
                "Configured wss://far.example env",
            ),
            (
                None,
                r#"{ gateway: { tls: { enabled: true }, auth: { mode: "password", token: "a" } } }"#,
                None,
                "Local wss://127.0.0.1:18789 -",
            ),
        ] {
            assert_eq!(found(None, given, config, env), expected);
        }
    }
}
