//! The address at which a phone finds the gateway, for setup codes.

use gateway_protocol::{GatewayUrl, GatewayUrlError};
use std::net::{IpAddr, SocketAddr};

use openclaw_config::{Bind, Config, Tailscale};

use crate::{Interfaces, Settings};

const PUBLIC_URL: &str = "plugins.entries.device-pair.config.publicUrl";

/// An address at which a phone finds the gateway, and its source. It has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// The address.
    pub url: GatewayUrl,
    /// The key or flag that it comes from.
    pub source: &'static str,
    /// The fingerprint of the certificate there, if a phone has to know it.
    pub tls_fingerprint: Option<String>,
}

/// No setup code can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// Setup codes are turned off.
    #[error("plugins.entries.device-pair.enabled is false")]
    Disabled,
    /// The configuration names no address, or none that another machine can reach.
    #[error("no address is known at which a phone reaches the gateway")]
    Unknown,
    /// The address cannot be used by a phone.
    #[error("{key} is an address that no phone could use")]
    Configured {
        /// The key or flag that names it.
        key: &'static str,
        /// The reason.
        source: GatewayUrlError,
    },
}

impl ReachError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Disabled => "set it to true in openclaw.json",
            Self::Unknown => {
                "set plugins.entries.device-pair.config.publicUrl to the address by which phones come \
                 (wss://…), or gateway.bind to \"lan\" or \"tailnet\", in openclaw.json"
            }
            Self::Configured { .. } => "write it as wss://host or wss://host:port",
        }
    }
}

impl Reach {
    /// Uses an address that was named.
    pub fn at(url: GatewayUrl, source: &'static str) -> Self {
        Self {
            url,
            source,
            tls_fingerprint: None,
        }
    }

    /// Uses the address of the remote gateway, if the configuration names one.
    pub fn remote(config: &Config) -> Option<Result<Self, ReachError>> {
        if !config.device_pair.enabled {
            return Some(Err(ReachError::Disabled));
        }
        let remote = &config.gateway.remote;
        let reach = Self::parse(remote.url.as_deref()?, "gateway.remote.url");
        Some(reach.map(|reach| Self {
            tls_fingerprint: remote.tls_fingerprint.clone(),
            ..reach
        }))
    }

    /// Uses what the configuration names, for a program other than the gateway: the public address, the name of this
    /// machine in its tailnet if Tailscale makes the gateway reachable, the remote gateway, or the host that the
    /// gateway is bound to.
    pub fn configured(
        config: &Config,
        tailnet: impl FnOnce() -> Option<String>,
    ) -> Result<Self, ReachError> {
        if let Some(public) = Self::public(config)? {
            return Ok(public);
        }
        if let Some(served) = Self::served(config, tailnet)? {
            return Ok(served);
        }
        if let Some(remote) = Self::remote(config) {
            return remote;
        }
        let gateway = &config.gateway;
        if let Bind::Custom(host) = &gateway.bind {
            let bare = host.trim().trim_matches(['[', ']']);
            let text = address(bare, gateway.port, gateway.tls.enabled);
            return Self::parse(&text, "gateway.customBindHost");
        }
        Err(ReachError::Unknown)
    }

    /// Finds the address of a gateway that listens on `port`: its public address, the name of this machine in its
    /// tailnet if Tailscale makes the gateway reachable, or the address of this machine that it is bound to. For the
    /// latter, its own certificate has to be known.
    pub fn of_gateway(
        settings: &Settings,
        port: u16,
        certificate: Option<&str>,
        interfaces: &Interfaces,
        tailnet: impl FnOnce() -> Option<String>,
    ) -> Result<Self, ReachError> {
        if let Some(public) = Self::public(&settings.config)? {
            // A proxy at the public address has a certificate of its own.
            return Ok(public);
        }
        if let Some(served) = Self::served(&settings.config, tailnet)? {
            return Ok(served);
        }
        let (found, key) = match &settings.bind {
            Bind::Lan => (interfaces.lan_address(), "gateway.bind"),
            Bind::Tailnet => (interfaces.tailnet(), "gateway.bind"),
            Bind::Custom(host) => {
                let bare = host.trim().trim_matches(['[', ']']);
                let named = bare.parse::<IpAddr>().ok();
                let everywhere = named.filter(IpAddr::is_unspecified);
                let found = everywhere.map_or(named, |_| interfaces.lan_address());
                (found, "gateway.customBindHost")
            }
            _ => (None, "gateway.bind"),
        };
        let found = found.filter(|address| !address.is_loopback());
        let host = found.ok_or(ReachError::Unknown)?.to_string();
        Ok(Self {
            tls_fingerprint: certificate.map(str::to_owned),
            ..Self::parse(&address(&host, port, certificate.is_some()), key)?
        })
    }

    fn public(config: &Config) -> Result<Option<Self>, ReachError> {
        if !config.device_pair.enabled {
            return Err(ReachError::Disabled);
        }
        let named = config.device_pair.public_url.as_deref();
        named.map(|text| Self::parse(text, PUBLIC_URL)).transpose()
    }

    /// The address at which Tailscale's proxy on this machine serves the gateway, with a certificate of its own.
    fn served(
        config: &Config,
        tailnet: impl FnOnce() -> Option<String>,
    ) -> Result<Option<Self>, ReachError> {
        if config.gateway.tailscale == Tailscale::Off {
            return Ok(None);
        }
        let name = tailnet();
        name.map(|name| Self::parse(&format!("wss://{name}"), "gateway.tailscale.mode"))
            .transpose()
    }

    fn parse(text: &str, key: &'static str) -> Result<Self, ReachError> {
        let url = GatewayUrl::parse(text);
        let url = url.map_err(|source| ReachError::Configured { key, source })?;
        Ok(Self::at(url, key))
    }
}

/// Returns the address at which other gateways reach this one: the configured one, or an address on which it
/// listens, preferably one that other machines can reach. `None` if it does not listen.
pub(crate) fn peer_url(
    config: &Config,
    listens_on: &[SocketAddr],
    encrypted: bool,
    interfaces: &Interfaces,
) -> Result<Option<GatewayUrl>, GatewayUrlError> {
    if let Some(named) = &config.state.etcd.peer_url {
        return GatewayUrl::parse(named).map(Some);
    }
    let found = listens_on.iter().filter_map(|at| {
        let ip = if at.ip().is_unspecified() {
            interfaces.lan_address()?
        } else {
            at.ip()
        };
        let text = address(&ip.to_string(), at.port(), encrypted);
        Some((ip.is_loopback(), GatewayUrl::parse(&text).ok()?))
    });
    Ok(found
        .min_by_key(|(is_loopback, _)| *is_loopback)
        .map(|(_, url)| url))
}

fn address(host: &str, port: u16, encrypted: bool) -> String {
    let scheme = if encrypted { "wss" } else { "ws" };
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tailscale_names_the_address_unless_there_is_a_public_one() {
        let reach = |gateway: &str, beside: &str, name: Option<&str>| {
            let text = format!("{{ gateway: {{ {gateway} }}, {beside} }}");
            let config = Config::parse(&text).unwrap();
            let reach = Reach::configured(&config, || name.map(str::to_owned));
            reach.map(|reach| (reach.url.as_str().to_owned(), reach.source))
        };
        let (serve, name) = ("tailscale: { mode: 'serve' }", Some("home.tail1.ts.net"));
        let served = (
            "wss://home.tail1.ts.net".to_owned(),
            "gateway.tailscale.mode",
        );
        assert_eq!(reach(serve, "", name), Ok(served));
        assert_eq!(reach("", "", name), Err(ReachError::Unknown));
        assert_eq!(reach(serve, "", None), Err(ReachError::Unknown));
        let public = "plugins: { entries: { 'device-pair': { config: { publicUrl: 'wss://gw.example.org' } } } }";
        assert_eq!(reach(serve, public, name).unwrap().1, PUBLIC_URL);
    }
}
