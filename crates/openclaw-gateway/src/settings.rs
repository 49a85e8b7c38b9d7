//! The settings of a gateway, from the configuration and the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use openclaw_config::{Bind, Config, Fault, Part, Secret, Tailscale};
use pairing_core::Cidrs;
use pairing_core::device::AutoApprove;

use crate::edge::{Door, DoorError, ProxyUsers};
use crate::{GatewayLimits, SecretError, SharedSecret};

/// The settings of a running gateway. A reload replaces them; whoever has loaded them keeps what was loaded.
pub(crate) type LiveSettings = Arc<ArcSwap<Settings>>;

/// The environment's variables.
pub type Var = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// The settings of a gateway. A reload replaces all of them except the last three.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The shared secret.
    pub secret: SharedSecret,
    /// The limits for clients.
    pub limits: GatewayLimits,
    /// The checks of a request by its address and headers.
    pub door: Door,
    /// Which users of trusted proxies may come in, if their word is taken.
    pub users: Option<ProxyUsers>,
    /// Which devices are approved without asking the owner.
    pub auto_approve: AutoApprove,
    /// Whether a program on this machine that knows the shared secret and has no device gets every scope that it
    /// asks for over TCP.
    pub local_admin: bool,
    /// Whether the browser's page is served. By default, over TLS or to this machine only.
    pub control_ui: Option<bool>,
    /// The rest of the configuration: channels and their policies, setup codes, owners.
    pub config: Arc<Config>,
    /// The interfaces to listen on.
    pub bind: Bind,
    /// The port to listen on; 0 for any free one.
    pub port: u16,
    /// The source of the certificate, if the gateway encrypts.
    pub tls: Option<TlsFiles>,
}

/// The source of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFiles {
    /// These files.
    Given {
        /// The certificate.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// A certificate that is made in the state directory.
    SelfMade,
}

/// Values of the command line, which take precedence over the configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The token of `--token-file`; it replaces everything that `gateway.auth` says.
    pub token: Option<Secret>,
    /// The token in the state directory; used if the configuration has none.
    pub kept: Option<Secret>,
    /// The port.
    pub port: Option<u16>,
    /// The interfaces to listen on.
    pub bind: Option<Bind>,
    /// The directory that a leading `~` stands for.
    pub home: Option<PathBuf>,
}

/// The configuration cannot be used for a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The value of a key cannot be used.
    #[error("{0}")]
    Value(Fault),
    /// It does not say which secret counts.
    #[error(transparent)]
    Secret(SecretError),
}

impl SettingsError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Value(_) => "mend it by hand: `openclaw doctor` finds what else is wrong",
            Self::Secret(error) => error.advice(),
        }
    }
}

impl Settings {
    /// Takes the settings from a configuration that was loaded with [`Config::load`], which applies the
    /// environment.
    ///
    /// It is an error if a fault of the configuration closes something that the command line does not
    /// replace. An origin or host name that cannot be understood is left out.
    pub fn from_config(config: &Config, overrides: &Overrides) -> Result<Self, SettingsError> {
        if let Some(fault) = closing(config, overrides) {
            return Err(SettingsError::Value(fault.clone()));
        }
        let gateway = &config.gateway;
        let cidrs = |key, ranges: &[String]| cidrs(config, key, ranges);
        let proxies = cidrs("gateway.trustedProxies", &gateway.trusted_proxies)?;
        let networks = cidrs(
            "gateway.nodes.pairing.autoApproveCidrs",
            &gateway.auto_approve.cidrs,
        )?;
        let proxy = gateway.auth.trusted_proxy.as_ref();
        // A token of the command line stands in place of all that the configuration says.
        let users = proxy
            .filter(|_| overrides.token.is_none())
            .and_then(ProxyUsers::from_config);
        Ok(Self {
            secret: secret(config, overrides)?,
            limits: gateway.limits.clone(),
            door: door(config, &proxies)
                .with_users(users.clone())
                .behind_tailscale(gateway.tailscale != Tailscale::Off),
            users,
            auto_approve: AutoApprove {
                local: gateway.auto_approve.local,
                networks,
            },
            local_admin: gateway.local_admin,
            control_ui: gateway.control_ui.enabled,
            bind: overrides
                .bind
                .clone()
                .unwrap_or_else(|| gateway.bind.clone()),
            port: overrides.port.unwrap_or(gateway.port),
            tls: tls(config, overrides.home.as_deref())?,
            config: Arc::new(config.clone()),
        })
    }
}

/// Returns the fault that keeps the gateway closed.
fn closing<'c>(config: &'c Config, overrides: &Overrides) -> Option<&'c Fault> {
    let is_replaced = |fault: &&Fault| {
        let is_port = fault.key.as_deref() == Some("gateway.port");
        overrides.port.is_some() && is_port
    };
    let mut gateway = config.closing(&Part::Gateway);
    let secret = config.closed_by(&Part::Secret);
    gateway
        .find(|fault| !is_replaced(fault))
        .or_else(|| secret.filter(|_| overrides.token.is_none()))
}

/// Builds the door, without entries that cannot be understood.
fn door(config: &Config, proxies: &Cidrs) -> Door {
    let gateway = &config.gateway;
    let mut origins = gateway.control_ui.allowed_origins.clone();
    let mut hosts = gateway.allowed_hosts.clone();
    let (is_encrypted, mut left_out) = (gateway.tls.enabled, 0);
    loop {
        let error = match Door::new(proxies.clone(), &origins, &hosts, is_encrypted) {
            Ok(door) => return door,
            Err(error) => error,
        };
        match &error {
            DoorError::Origin { index, .. } => drop(origins.remove(*index)),
            DoorError::Host { index, .. } => drop(hosts.remove(*index)),
        }
        left_out += 1;
        if left_out <= 10 {
            tracing::error!(error = %error, advice = "openclaw doctor names its place", "entry of the gateway's settings left out");
        }
    }
}

fn secret(config: &Config, overrides: &Overrides) -> Result<SharedSecret, SettingsError> {
    if let Some(token) = &overrides.token {
        return Ok(SharedSecret::token(token.expose()));
    }
    let configured = SharedSecret::from_config(&config.gateway.auth);
    match (configured, &overrides.kept) {
        (Err(SecretError::None | SecretError::NoToken), Some(kept)) => {
            Ok(SharedSecret::token(kept.expose()))
        }
        (configured, _) => configured.map_err(SettingsError::Secret),
    }
}

fn cidrs(config: &Config, key: &str, ranges: &[String]) -> Result<Cidrs, SettingsError> {
    for (index, range) in ranges.iter().enumerate() {
        if let Err(error) = Cidrs::parse([range]) {
            return Err(value(config, &format!("{key}[{index}]"), error.to_string()));
        }
    }
    Cidrs::parse(ranges).map_err(|error| value(config, key, error.to_string()))
}

fn tls(config: &Config, home: Option<&Path>) -> Result<Option<TlsFiles>, SettingsError> {
    let tls = &config.gateway.tls;
    let fault = |key: &str, detail: &str| Err(value(config, key, detail.to_owned()));
    match (&tls.cert_path, &tls.key_path) {
        _ if !tls.enabled => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles::Given {
            certificate: expand(certificate, home),
            key: expand(key, home),
        })),
        (Some(_), None) => fault("gateway.tls.certPath", "needs gateway.tls.keyPath"),
        (None, Some(_)) => fault("gateway.tls.keyPath", "needs gateway.tls.certPath"),
        (None, None) if tls.auto_generate => Ok(Some(TlsFiles::SelfMade)),
        (None, None) => fault(
            "gateway.tls.enabled",
            "needs gateway.tls.certPath and gateway.tls.keyPath where autoGenerate is false",
        ),
    }
}

pub(crate) fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    let path = Path::new(path);
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

fn value(config: &Config, key: &str, detail: String) -> SettingsError {
    SettingsError::Value(config.fault(key, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shared;

    fn settings(gateway: &str, overrides: &Overrides) -> Result<Settings, String> {
        let text = format!("{{ gateway: {{ {gateway} }} }}");
        let config = Config::parse(&text).unwrap();
        Settings::from_config(&config, overrides).map_err(|error| error.to_string())
    }

    fn with_token(gateway: &str) -> Result<Settings, String> {
        let token = Secret::parse("flag");
        let overrides = Overrides {
            token,
            home: Some("/home/ann".into()),
            ..Overrides::default()
        };
        settings(gateway, &overrides)
    }

    #[test]
    fn t29_what_cannot_be_used_is_told_by_its_key_and_place() {
        for (gateway, expected) in [
            (
                "port: 0",
                "gateway.port: 0 is not a port, line 1, column 20",
            ),
            (
                "tls: { enabled: 'yes' }",
                "gateway.tls.enabled: a text is not true or false, line 1, column 30",
            ),
            (
                "tls: { enabled: true, certPath: '/c' }",
                "gateway.tls.certPath: needs gateway.tls.keyPath, line 1, column 46",
            ),
            (
                "tls: { enabled: true, autoGenerate: false }",
                "gateway.tls.enabled: needs gateway.tls.certPath and gateway.tls.keyPath where autoGenerate \
                 is false, line 1, column 30",
            ),
        ] {
            assert_eq!(with_token(gateway).unwrap_err(), expected);
        }
        // The command line replaces the port, and the secret whatever the file says.
        let overrides = Overrides {
            port: Some(1),
            token: Secret::parse("flag"),
            ..Overrides::default()
        };
        assert_eq!(settings("port: 0", &overrides).unwrap().port, 1);
        assert!(settings("port: 0, tls: 7", &overrides).is_err());
        let unclear = "auth: { mode: 'passkey', token: 't' }";
        assert!(settings(unclear, &overrides).is_ok());
        let error = settings(unclear, &Overrides::default()).unwrap_err();
        assert!(
            error.starts_with("gateway.auth.mode: \"passkey\" is none of"),
            "{error}"
        );
    }

    #[test]
    fn what_lets_somebody_in_and_cannot_be_understood_is_left_out() {
        let found = with_token(
            "trustedProxies: ['10.0.0.1', '10.0.0.0/99'], nodes: { pairing: { autoApproveCidrs: ['ten'] } },
             controlUi: { allowedOrigins: ['https://a.example', '*', 'x'] }, allowedHosts: ['a b', 'b.example']",
        );
        let found = found.unwrap();
        let proxies = Cidrs::parse(["10.0.0.1"]).unwrap();
        let origins = ["https://a.example"];
        let door = Door::new(proxies, &origins, &["b.example"], false).unwrap();
        assert_eq!(format!("{:?}", found.door), format!("{door:?}"));
        assert_eq!(found.auto_approve.networks, Cidrs::default());
    }

    #[test]
    fn the_command_line_wins() {
        let overrides = Overrides {
            token: Secret::parse("flag"),
            kept: Secret::parse("kept"),
            port: Some(0),
            bind: Some(Bind::Lan),
            home: None,
        };
        let found = settings(
            "auth: { mode: 'password', password: 'p' }, port: 1",
            &overrides,
        );
        let found = found.unwrap();
        assert_eq!(found.secret.check(Some("flag"), None), Ok(Shared::Token));
        assert_eq!((found.port, &found.bind), (0, &Bind::Lan));
        assert!(!format!("{found:?} {overrides:?}").contains("flag"));
    }

    #[test]
    fn the_kept_token_counts_where_there_is_no_other() {
        let overrides = Overrides {
            kept: Secret::parse("kept"),
            ..Overrides::default()
        };
        for (auth, is_kept) in [
            ("", true),
            ("mode: 'token'", true),
            ("token: 'other'", false),
            ("password: 'other'", false),
            ("mode: 'none'", false),
        ] {
            let found = settings(&format!("auth: {{ {auth} }}"), &overrides).unwrap();
            let kept = SharedSecret::token("kept");
            assert_eq!(found.secret.is_same(&kept), is_kept, "{auth}");
        }
        assert!(settings("auth: { mode: 'password' }", &overrides).is_err());
        let none = settings("", &Overrides::default()).unwrap_err();
        assert_eq!(none, "the gateway has no shared secret");
    }

    #[test]
    fn certificates_are_found() {
        let given = "tls: { enabled: true, certPath: '~/cert.pem', keyPath: '/key.pem' }";
        let files = TlsFiles::Given {
            certificate: "/home/ann/cert.pem".into(),
            key: "/key.pem".into(),
        };
        for (gateway, expected) in [
            (given, Some(files)),
            ("tls: { enabled: true }", Some(TlsFiles::SelfMade)),
            ("tls: { certPath: '/c' }", None),
        ] {
            assert_eq!(with_token(gateway).unwrap().tls, expected);
        }
    }
}
