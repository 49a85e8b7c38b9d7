//! The proxy by which chat systems are reached, where there is one.
//!
//! Connections go through it by `CONNECT`, those to `http://` and `ws://` addresses, too, so that the proxy sees no more
//! than where they lead. An address of a proxy may hold a password: nothing here repeats it.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// The time limit for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// Connections that are idle for so long are checked.
const KEEPALIVE: Duration = Duration::from_secs(50);

/// Which proxy is used for which address. Cheap to clone. The default is none.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Rules>>);

struct Rules {
    /// For `http://` and `ws://`, and for `https://` and `wss://`.
    plain: Option<Named>,
    encrypted: Option<Named>,
    /// Decides by `NO_PROXY` alone: it has some proxy for every other address.
    spared: Matcher,
    /// Whether this machine itself is reached without a proxy.
    spares_loopback: bool,
}

/// A proxy, and the setting that names it.
#[derive(Clone)]
struct Named {
    place: &'static str,
    /// `None` where the setting holds no address that can be used.
    proxy: Option<Intercept>,
    /// As it is written, to tell one from another.
    written: String,
}

/// No connection can be made by the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// What is set is not the address of a proxy that can be used.
    #[error("`{place}` names no proxy that can be used: it has to be http://host:port")]
    Address {
        /// The variable or the key.
        place: &'static str,
    },
    /// It cannot be reached, or hangs up.
    #[error("the proxy that `{place}` names cannot be reached")]
    Unreachable {
        /// The variable or the key.
        place: &'static str,
    },
    /// It asks for other credentials (407).
    #[error("the proxy that `{place}` names refuses the user name and password")]
    Credentials {
        /// The variable or the key.
        place: &'static str,
    },
    /// It answers, and makes no connection.
    #[error("the proxy that `{place}` names makes no connection to the server")]
    Refused {
        /// The variable or the key.
        place: &'static str,
    },
}

/// No TCP connection was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection can be made")]
    Direct,
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

impl Proxies {
    /// As the environment says: `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, except for the addresses in `NO_PROXY`, each in
    /// lower case first. This machine itself is never reached by a proxy. A variable that names no proxy lets no
    /// connection be made that would need it: see [`fault`](Self::fault).
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| {
            let mut found = names.into_iter().filter_map(|name| {
                let value = var(name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            });
            found.next()
        };
        let named = |names| first(names).map(|(name, value)| Named::parse(name, &value));
        let all = named(["all_proxy", "ALL_PROXY"]);
        let plain = named(["http_proxy", "HTTP_PROXY"]).or_else(|| all.clone());
        let encrypted = named(["https_proxy", "HTTPS_PROXY"]).or(all);
        if plain.is_none() && encrypted.is_none() {
            return Self::default();
        }
        let no = first(["no_proxy", "NO_PROXY"]).map_or_else(String::new, |(_, value)| value);
        Self(Some(Arc::new(Rules {
            plain,
            encrypted,
            spared: Matcher::builder().all("http://proxy").no(no).build(),
            spares_loopback: true,
        })))
    }

    /// The same proxy for every address, by the setting `place`.
    pub fn all(place: &'static str, address: &str) -> Result<Self, ProxyError> {
        let named = Named::parse(place, address.trim());
        if named.proxy.is_none() {
            return Err(ProxyError::Address { place });
        }
        Ok(Self(Some(Arc::new(Rules {
            plain: Some(named.clone()),
            encrypted: Some(named),
            spared: Matcher::builder().all("http://proxy").build(),
            spares_loopback: false,
        }))))
    }

    /// A setting that names no proxy that can be used.
    pub fn fault(&self) -> Option<ProxyError> {
        let rules = self.0.as_ref()?;
        let mut named = [&rules.encrypted, &rules.plain].into_iter().flatten();
        let unusable = named.find(|named| named.proxy.is_none())?;
        Some(ProxyError::Address {
            place: unusable.place,
        })
    }

    /// What tells these proxies from others. It holds passwords: hash it.
    pub fn written(&self) -> Vec<&str> {
        let rules = self.0.iter();
        let named = rules.flat_map(|rules| [&rules.encrypted, &rules.plain]);
        named
            .flatten()
            .map(|named| named.written.as_str())
            .collect()
    }

    /// The proxy for an `http://` or `https://` address.
    fn of(&self, uri: &Uri) -> Result<Option<(&'static str, &Intercept)>, ProxyError> {
        let Some(rules) = &self.0 else {
            return Ok(None);
        };
        let named = match uri.scheme_str() {
            Some("https") => &rules.encrypted,
            _ => &rules.plain,
        };
        let Some(Named { place, proxy, .. }) = named else {
            return Ok(None);
        };
        let is_here = rules.spares_loopback && uri.host().is_some_and(is_loopback);
        if is_here || rules.spared.intercept(uri).is_none() {
            return Ok(None);
        }
        match proxy {
            Some(proxy) => Ok(Some((*place, proxy))),
            None => Err(ProxyError::Address { place: *place }),
        }
    }
}

impl Named {
    fn parse(place: &'static str, written: &str) -> Self {
        // Without a scheme, `http` is meant. Its own parser takes `socks5://` as well, which is not spoken here.
        let proxy = Matcher::builder().all(written).build();
        let proxy = proxy.intercept(&Uri::from_static("http://any.invalid"));
        Self {
            place,
            proxy: proxy.filter(|proxy| proxy.uri().scheme_str() == Some("http")),
            written: written.to_owned(),
        }
    }
}

/// Whether a host of an address is this machine by its name or number.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

impl ProxyError {
    /// What went wrong on the way, out of an error of a library.
    pub(crate) fn in_chain(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(ConnectError::Proxy(error)) = error.downcast_ref() {
                return Some(*error);
            }
            next = error.source();
        }
        None
    }
}

/// Opens TCP connections, by a proxy where one is to be used.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    proxies: Proxies,
}

impl Connector {
    pub(crate) fn new(proxies: &Proxies) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_nodelay(true);
        Self {
            tcp,
            proxies: proxies.clone(),
        }
    }

    /// Connects to the host of an `http://` or `https://` address.
    pub(crate) async fn connect(mut self, uri: Uri) -> Result<TokioIo<TcpStream>, ConnectError> {
        let Some((place, proxy)) = self.proxies.of(&uri)? else {
            let connected = self.tcp.call(uri).await;
            return connected.map_err(|_| ConnectError::Direct);
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp);
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        let connected = tunnel.call(with_port(uri).ok_or(ConnectError::Direct)?);
        connected.await.map_err(|error| {
            // Its type has no public name.
            let error: &dyn StdError = &error;
            ConnectError::Proxy(if error.source().is_some() {
                ProxyError::Unreachable { place }
            } else if error.to_string().contains("authorization required") {
                ProxyError::Credentials { place }
            } else {
                ProxyError::Refused { place }
            })
        })
    }
}

/// The address with its port: a tunnel takes 443 for granted.
fn with_port(uri: Uri) -> Option<Uri> {
    if uri.port().is_some() || uri.scheme_str() == Some("https") {
        return Some(uri);
    }
    let authority = format!("{}:80", uri.host()?);
    let mut parts = uri.into_parts();
    parts.authority = Some(authority.parse().ok()?);
    Uri::from_parts(parts).ok()
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Proxies");
        if let Some(rules) = &self.0 {
            let place = |named: &Option<Named>| named.as_ref().map(|named| named.place);
            shown.field("plain", &place(&rules.plain));
            shown.field("encrypted", &place(&rules.encrypted));
        }
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &'static [(&str, &str)]) -> Proxies {
        Proxies::from_vars(|asked| {
            let found = vars.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// The proxy of each address, without its scheme.
    fn of(proxies: &Proxies, address: &str) -> Option<String> {
        let uri: Uri = address.parse().unwrap();
        let proxy = proxies.of(&uri).unwrap();
        proxy.map(|(_, proxy)| proxy.uri().authority().unwrap().to_string())
    }

    #[test]
    fn t136_each_address_has_the_proxy_that_the_environment_says() {
        let proxies = from(&[
            ("https_proxy", ""),
            ("HTTPS_PROXY", "http://ann:hunter2@secure:1"),
            ("ALL_PROXY", "other:2"),
            ("no_proxy", "spared.example, 10.0.0.0/8"),
        ]);
        for (address, proxy) in [
            ("https://api.example", Some("secure:1")),
            ("http://api.example", Some("other:2")),
            ("https://spared.example", None),
            ("https://also.spared.example:8443/x", None),
            ("https://10.1.2.3", None),
            ("https://11.1.2.3", Some("secure:1")),
            ("https://localhost", None),
            ("https://LOCALHOST.:1", None),
            ("https://a.localhost", None),
            ("http://127.9.9.9:8080", None),
            ("http://[::1]:8080", None),
            ("http://[::ffff:127.0.0.1]", None),
            ("https://localhost.example", Some("secure:1")),
        ] {
            assert_eq!(of(&proxies, address).as_deref(), proxy, "{address}");
        }
        assert_eq!(proxies.fault(), None);
        assert!(!format!("{proxies:?}").contains("hunter2"));
        let lower_first = from(&[("http_proxy", "one:1"), ("HTTP_PROXY", "two:2")]);
        assert_eq!(
            of(&lower_first, "http://api.example").as_deref(),
            Some("one:1")
        );
        assert_eq!(of(&lower_first, "https://api.example"), None);
        assert_eq!(of(&from(&[("NO_PROXY", "x")]), "http://api.example"), None);
    }

    #[test]
    fn t136_a_setting_that_names_no_proxy_lets_nothing_pass() {
        for address in [
            "socks5://proxy:1",
            "https://proxy:1",
            "ftp://proxy",
            "http://",
            "a b",
        ] {
            let error = Proxies::all("proxy", address).unwrap_err();
            assert_eq!(error, ProxyError::Address { place: "proxy" }, "{address}");
        }
        let proxies = from(&[("HTTPS_PROXY", "socks5://ann:hunter2@proxy:1")]);
        let wrong = ProxyError::Address {
            place: "HTTPS_PROXY",
        };
        assert_eq!(proxies.fault(), Some(wrong));
        let of = |address: &'static str| proxies.of(&Uri::from_static(address)).map(|_| ());
        assert_eq!(of("https://api.example"), Err(wrong));
        assert_eq!(of("https://localhost"), Ok(()));
        assert_eq!(of("http://api.example"), Ok(()));
        assert!(!format!("{wrong} {wrong:?}").contains("hunter2"));
    }

    #[test]
    fn an_accounts_own_proxy_is_for_every_address() {
        let proxies = Proxies::all("proxy", " http://ann:hunter2@proxy:1/ ").unwrap();
        for address in [
            "https://api.example",
            "http://127.0.0.1:1",
            "http://localhost",
        ] {
            assert_eq!(
                of(&proxies, address).as_deref(),
                Some("proxy:1"),
                "{address}"
            );
        }
        let uri = Uri::from_static("https://api.example");
        let (_, proxy) = proxies.of(&uri).unwrap().unwrap();
        assert_eq!(proxy.basic_auth().unwrap(), "Basic YW5uOmh1bnRlcjI=");
    }

    #[test]
    fn a_tunnel_leads_to_the_port_of_the_scheme() {
        for (address, leads_to) in [
            ("http://a.example/x", Some("http://a.example:80/x")),
            ("http://[::1]", Some("http://[::1]:80/")),
            ("http://a.example:81", Some("http://a.example:81/")),
            ("https://a.example", Some("https://a.example/")),
        ] {
            let uri = with_port(Uri::from_static(address)).map(|uri| uri.to_string());
            assert_eq!(uri.as_deref(), leads_to);
        }
    }
}
