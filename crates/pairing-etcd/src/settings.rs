//! The cluster to use, and the credentials for it.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// The cluster to use, and the credentials for it.
///
/// `Debug` shows neither the password nor the key.
#[derive(Clone)]
pub struct Settings {
    pub(crate) endpoints: Vec<String>,
    pub(crate) prefix: String,
    pub(crate) login: Option<(String, Zeroizing<String>)>,
    pub(crate) tls: Tls,
    pub(crate) grace: Duration,
    pub(crate) patience: Duration,
}

/// The certificates for encrypted connections, as PEM. Without an authority of its own, the authorities that
/// this machine trusts are used.
#[derive(Clone, Default)]
pub struct Tls {
    /// The certificates of the authorities that sign the members' certificates.
    pub authorities: Option<Vec<u8>>,
    /// The certificate and key for members that ask for one.
    pub identity: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    /// The name in the members' certificates, if it is not the host of the endpoint.
    pub server_name: Option<String>,
}

/// The settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// There is no endpoint.
    #[error("no endpoint of the cluster is given")]
    NoEndpoint,
    /// An endpoint is not valid. Its text is not repeated, because it may contain a password.
    #[error("endpoint {number} is not http:// or https:// with a host, and perhaps a port")]
    Endpoint {
        /// Its position in the list, from 1.
        number: usize,
    },
    /// Some endpoints are encrypted and some are not.
    #[error("endpoints are all http:// or all https://")]
    MixedSchemes,
    /// The prefix is not valid.
    #[error("a key prefix has letters, digits, '.', '_', '-' and single slashes between them")]
    Prefix,
}

/// Default for how old memory may be for approved senders while the cluster cannot be reached.
const GRACE: Duration = Duration::from_secs(30);

/// Default time for which an operation tries to reach the cluster.
const PATIENCE: Duration = Duration::from_secs(5);

impl Settings {
    /// Names a cluster by its members' addresses (`https://10.0.0.1:2379`; the default port is 2379), with
    /// the prefix `openclaw`.
    pub fn new<E: AsRef<str>>(
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<Self, SettingsError> {
        let endpoints: Vec<_> = endpoints
            .into_iter()
            .enumerate()
            .map(|(at, text)| {
                endpoint(text.as_ref()).ok_or(SettingsError::Endpoint { number: at + 1 })
            })
            .collect::<Result<_, _>>()?;
        let is_encrypted = |endpoint: &String| endpoint.starts_with("https:");
        let Some(first) = endpoints.first() else {
            return Err(SettingsError::NoEndpoint);
        };
        if endpoints
            .iter()
            .any(|other| is_encrypted(other) != is_encrypted(first))
        {
            return Err(SettingsError::MixedSchemes);
        }
        Ok(Self {
            endpoints,
            prefix: "openclaw".to_owned(),
            login: None,
            tls: Tls::default(),
            grace: GRACE,
            patience: PATIENCE,
        })
    }

    /// Sets the prefix of this install's keys, so that several installs can share a cluster.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, SettingsError> {
        let is_part = |part: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            !part.is_empty() && part.chars().all(is_allowed)
        };
        if !prefix.split('/').all(is_part) {
            return Err(SettingsError::Prefix);
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    /// Sets the user and the password.
    pub fn login(mut self, user: &str, password: Zeroizing<String>) -> Self {
        self.login = Some((user.to_owned(), password));
        self
    }

    /// Sets the certificates for encrypted connections.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Sets how long approved senders are served from memory while the cluster cannot be reached; 30 seconds
    /// by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long an operation tries to reach the cluster; 5 seconds by default, in which a new leader is
    /// usually found.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the members' addresses.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }
}

/// Adds the default port to an address without one.
fn endpoint(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let is_host = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if let Some(v6) = inner {
            return v6.parse::<std::net::Ipv6Addr>().is_ok();
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        !host.is_empty() && host.chars().all(is_allowed)
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        _ => (authority, 2379),
    };
    let scheme = scheme.to_ascii_lowercase();
    (matches!(&*scheme, "http" | "https") && is_host(host) && port != 0)
        .then(|| format!("{scheme}://{host}:{port}"))
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("user", &self.login.as_ref().map(|(user, _)| user))
            .field("tls", &self.tls)
            .field("grace", &self.grace)
            .field("patience", &self.patience)
            .finish()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("authorities", &self.authorities.is_some())
            .field("identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(endpoint: &str) -> Result<Vec<String>, SettingsError> {
        Settings::new([endpoint]).map(|settings| settings.endpoints)
    }

    #[test]
    fn addresses_get_their_port() {
        for (given, taken) in [
            ("http://127.0.0.1", "http://127.0.0.1:2379"),
            (
                "https://etcd-1.example.org:4001",
                "https://etcd-1.example.org:4001",
            ),
            ("HTTP://[::1]", "http://[::1]:2379"),
            ("http://[::1]:2380/", "http://[::1]:2380"),
        ] {
            assert_eq!(one(given).unwrap(), [taken], "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for bad in [
            "127.0.0.1:2379",
            "ftp://host",
            "http://",
            "http://user:secret@host:2379",
            "http://host/path",
            "http://host?x=1",
            "http://host:0",
            "http://host:70000",
            "http://[::1",
            "http://a b",
            "http://h\u{f6}st",
        ] {
            let error = one(bad).unwrap_err();
            assert_eq!(error, SettingsError::Endpoint { number: 1 }, "{bad}");
            assert!(!error.to_string().contains("secret"));
        }
        assert_eq!(
            Settings::new([""; 0]).unwrap_err(),
            SettingsError::NoEndpoint
        );
        let mixed = Settings::new(["http://a", "https://b"]).unwrap_err();
        assert_eq!(mixed, SettingsError::MixedSchemes);
    }

    #[test]
    fn prefixes() {
        let settings = Settings::new(["http://a"]).unwrap();
        for good in ["home", "a/b-c", "x.y_z/1"] {
            assert_eq!(settings.clone().prefix(good).unwrap().prefix, good);
        }
        for bad in ["", "/", "/a", "a/", "a//b", "a b", "\u{e4}"] {
            let error = settings.clone().prefix(bad).unwrap_err();
            assert_eq!(error, SettingsError::Prefix, "{bad}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let tls = Tls {
            identity: Some((
                b"certificate".to_vec(),
                Zeroizing::new(b"hidden-key".to_vec()),
            )),
            ..Tls::default()
        };
        let settings = Settings::new(["https://a"]).unwrap();
        let settings = settings
            .login("ann", Zeroizing::new("hidden-word".to_owned()))
            .tls(tls);
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("ann") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
