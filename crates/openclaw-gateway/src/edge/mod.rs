//! The gateway's door: who is local, where somebody comes from, and who may not come in at all, by the
//! socket's address and the headers of the request alone.

mod forwarded;
mod host;
mod origin;
#[cfg(test)]
mod tests;
mod users;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE};
use pairing_core::{Cidrs, canonical_ip, escape};

use forwarded::{Forwarded, forwarding_header};
use host::Host;
use origin::Site;
pub use users::ProxyUsers;

/// Whom the door lets in.
///
/// - A trusted proxy is believed about the client it forwards for, and is never local itself: a client behind
///   one that says nothing would be, too.
/// - Nobody else may speak for others: any header by which proxies do so, from an address that is not
///   trusted, refuses the request.
/// - Pages have to call the gateway by an address, or a name that nobody else can point to it.
#[derive(Debug, Clone, Default)]
pub struct Door {
    proxies: Cidrs,
    origins: Vec<Site>,
    hosts: BTreeSet<String>,
    tls: bool,
    users: Option<ProxyUsers>,
    /// Whether Tailscale's proxy on this machine forwards requests.
    is_behind_tailscale: bool,
}

/// A name or origin that cannot be allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// No origin, or all of them.
    #[error(
        "{} is no origin such as https://ui.example.org or http://10.0.0.2:8080",
        escape(found)
    )]
    Origin {
        /// Its place in the list.
        index: usize,
        /// What was found.
        found: String,
    },
    /// No name.
    #[error("{} is no name of a host such as gateway.example.org", escape(found))]
    Host {
        /// Its place in the list.
        index: usize,
        /// What was found.
        found: String,
    },
}

/// A request that may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Whom it comes from; canonical. Behind a trusted proxy that does not tell, the proxy.
    pub address: IpAddr,
    /// Whether it came without a proxy and addressed this machine by an address or name of its own.
    /// From loopback that is a loopback address or `localhost`, and nothing else.
    pub is_direct: bool,
    /// Whether it is encrypted on its way here, or to the trusted proxy that says so.
    pub is_encrypted: bool,
    /// The page that it comes from.
    pub origin: Origin,
    /// Whether it came by the owner's socket, from a process of the owner's user.
    pub is_owners: bool,
    /// The user whom a trusted proxy has signed in.
    pub user: Option<String>,
}

/// Which page a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// None: no browser.
    None,
    /// One that may connect: the gateway's own, or an allowed one.
    Allowed(String),
    /// Any other. Its handshake is answered, and refused.
    Refused(String),
}

/// A request that may not come in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turned {
    /// It has a header of proxies, and comes from none that is trusted.
    UntrustedProxy {
        /// Where it comes from.
        peer: IpAddr,
        /// The header.
        header: HeaderName,
    },
    /// A trusted proxy tells what cannot be understood, or two things that differ.
    Forwarding {
        /// The header.
        header: HeaderName,
    },
    /// It has this header several times.
    Several {
        /// The header.
        header: HeaderName,
    },
    /// A page calls the gateway by a name that is not its own.
    UnknownHost {
        /// The name; empty where there is none.
        host: String,
    },
    /// Its `Host` is no host.
    BadHost,
}

impl Door {
    /// A door that trusts `proxies`, and lets pages in that come from `origins`, or call the gateway by
    /// one of `hosts` or of the hosts of `origins`. `tls` where it encrypts itself.
    ///
    /// `*` is no origin here: it would let every page in that the owner looks at.
    pub fn new(
        proxies: Cidrs,
        origins: &[impl AsRef<str>],
        hosts: &[impl AsRef<str>],
        tls: bool,
    ) -> Result<Self, DoorError> {
        let mut door = Self {
            proxies,
            tls,
            ..Self::default()
        };
        for (index, text) in origins.iter().enumerate() {
            let text = text.as_ref().trim();
            // Written with a slash at the end, as one copies it.
            let site = Site::parse(text.strip_suffix('/').unwrap_or(text));
            let site = site.ok_or_else(|| DoorError::Origin {
                index,
                found: text.to_owned(),
            })?;
            door.hosts.insert(site.host().to_owned());
            door.origins.push(site);
        }
        for (index, text) in hosts.iter().enumerate() {
            let text = text.as_ref().trim();
            let host = Host::parse(text).filter(|host| host.port.is_none());
            let host = host.ok_or_else(|| DoorError::Host {
                index,
                found: text.to_owned(),
            })?;
            door.hosts.insert(host.name);
        }
        Ok(door)
    }

    /// Believes trusted proxies about the users that they have signed in.
    pub fn with_users(self, users: Option<ProxyUsers>) -> Self {
        Self { users, ..self }
    }

    /// Believes Tailscale's proxy on this machine about the clients that it forwards for. Those are never local.
    pub fn behind_tailscale(self, is_behind_tailscale: bool) -> Self {
        Self {
            is_behind_tailscale,
            ..self
        }
    }

    /// Judges a request: `peer` is the address of its socket. What the request line says about the host
    /// is not seen here: refuse an absolute form.
    pub fn judge(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Arrival, Turned> {
        let peer = canonical_ip(peer);
        let host = single(headers, &HOST)?.map(|host| {
            let host = host.to_str().ok().and_then(Host::parse);
            host.ok_or(Turned::BadHost)
        });
        let host = host.transpose()?;
        let origin = single(headers, &ORIGIN)?;

        let forwarding = forwarding_header(headers);
        // Tailscale's proxy always says for whom it speaks. Without a word of that kind, the request is from a program
        // on this machine.
        let is_tailscale = self.is_behind_tailscale && peer.is_loopback() && forwarding.is_some();
        let is_trusted = is_tailscale || self.proxies.contains(peer);
        if let Some(header) = forwarding.filter(|_| !is_trusted) {
            let header = header.clone();
            return Err(Turned::UntrustedProxy { peer, header });
        }
        let told = if is_trusted {
            Forwarded::read(headers, &self.proxies)?
        } else {
            Forwarded::default()
        };

        let is_page = origin.is_some() || !is_upgrade(headers);
        if is_page && !host.as_ref().is_some_and(|host| self.is_own(host)) {
            let host = host.map_or_else(String::new, |host| host.name);
            return Err(Turned::UnknownHost { host });
        }
        let names_us = host.as_ref().is_some_and(|host| {
            if peer.is_loopback() {
                host.is_loopback()
            } else {
                self.is_own(host)
            }
        });
        let tls = told.tls.unwrap_or(self.tls);
        let user = match &self.users {
            Some(users) if is_trusted => users.read(headers, peer, told.client)?,
            _ => None,
        };
        Ok(Arrival {
            address: told.client.unwrap_or(peer),
            is_direct: !is_trusted && names_us,
            is_encrypted: tls,
            origin: self.origin(origin, host.as_ref(), tls),
            is_owners: false,
            user,
        })
    }

    /// Whether it is a proxy that is believed about whom it forwards for.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = canonical_ip(peer);
        self.proxies.contains(peer) || (self.is_behind_tailscale && peer.is_loopback())
    }

    /// Whether pages may address the gateway by this.
    fn is_own(&self, host: &Host) -> bool {
        host.is_beyond_rebinding() || self.hosts.contains(&host.name)
    }

    fn origin(&self, origin: Option<&HeaderValue>, host: Option<&Host>, tls: bool) -> Origin {
        let Some(origin) = origin else {
            return Origin::None;
        };
        let text = String::from_utf8_lossy(origin.as_bytes()).into_owned();
        let is_allowed = Site::parse(&text).is_some_and(|site| {
            let is_ours = host.is_some_and(|host| site.is_at(host, tls));
            is_ours || self.origins.contains(&site)
        });
        if is_allowed {
            Origin::Allowed(text)
        } else {
            Origin::Refused(text)
        }
    }
}

impl Arrival {
    /// A request by the owner's socket. Nobody stands between it and the gateway, and no browser can use it: a
    /// header that a page or a proxy would send refuses it.
    pub(crate) fn by_owner(headers: &HeaderMap) -> Result<Self, Turned> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if let Some(header) = forwarding_header(headers) {
            let header = header.clone();
            return Err(Turned::UntrustedProxy {
                peer: address,
                header,
            });
        }
        if headers.contains_key(ORIGIN) {
            return Err(Turned::UnknownHost {
                host: String::new(),
            });
        }
        Ok(Self {
            address,
            is_direct: true,
            is_encrypted: true,
            origin: Origin::None,
            is_owners: true,
            user: None,
        })
    }

    /// Whether it is a program on this machine, as opposed to a proxied client or a web page.
    pub fn is_local(&self) -> bool {
        self.is_of_this_machine() && self.origin == Origin::None
    }

    /// Whether it comes from this machine, from a program or a browser.
    pub(crate) fn is_of_this_machine(&self) -> bool {
        self.is_direct && self.address.is_loopback()
    }
}

impl Origin {
    /// The page, whether or not it is allowed.
    pub fn page(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Allowed(page) | Self::Refused(page) => Some(page),
        }
    }
}

impl Turned {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::UntrustedProxy { .. } | Self::UnknownHost { .. } => 403,
            Self::Forwarding { .. } | Self::Several { .. } | Self::BadHost => 400,
        }
    }

    /// A word for logs and metrics; one of five.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UntrustedProxy { .. } => "untrusted-proxy",
            Self::Forwarding { .. } => "bad-forwarding",
            Self::Several { .. } => "several-headers",
            Self::UnknownHost { .. } => "unknown-host",
            Self::BadHost => "bad-host",
        }
    }

    /// The text of the answer: one line that says what to do; safe to show.
    pub fn message(&self) -> String {
        match self {
            Self::UntrustedProxy { peer, header } => format!(
                "the request has the header {}, and {peer} is no trusted proxy: if it is a proxy of \
                 yours, add it to gateway.trustedProxies",
                escape(header.as_str()).limit(64)
            ),
            Self::Forwarding { header } => format!(
                "the proxy in gateway.trustedProxies tells nothing that makes sense in {}",
                escape(header.as_str()).limit(64)
            ),
            Self::Several { header } => {
                format!("the request has the header {header} several times")
            }
            Self::UnknownHost { host } if host.is_empty() => {
                "the request has no Host: call the gateway by its address".to_owned()
            }
            Self::UnknownHost { host } => format!(
                "{} is not a name of this gateway: call it by its address, or add the name to \
                 gateway.allowedHosts",
                escape(host).limit(128)
            ),
            Self::BadHost => "the Host of the request is none".to_owned(),
        }
    }
}

/// The one value of a header.
fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, Turned> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        let header = name.clone();
        return Err(Turned::Several { header });
    }
    Ok(value)
}

/// Whether it asks for a WebSocket. No page can do so without an Origin.
fn is_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(UPGRADE).iter();
    let mut words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case("websocket"))
}
