//! The addresses on which the gateway listens, and at which others find it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use openclaw_config::Bind;
use pairing_core::{canonical_ip, escape};

use crate::SharedSecret;

/// The addresses of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces(Vec<Interface>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Interface {
    name: String,
    address: IpAddr,
    is_up: bool,
}

/// The gateway may not listen there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is beyond this machine, and there is no secret.
    #[error("the gateway asks for no secret, and would listen on {address}")]
    Open {
        /// The address.
        address: IpAddr,
    },
    /// `gateway.customBindHost` is not an address.
    #[error("gateway.customBindHost: {} is no IP address", escape(host))]
    Host {
        /// Its text.
        host: String,
    },
}

impl BindError {
    /// A line that says what to do next, for a person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Open { .. } => {
                "set gateway.auth.token, or gateway.bind to \"loopback\": without a secret everybody who \
                 reaches the gateway could command it"
            }
            Self::Host { .. } => "write one of this machine's addresses, such as 192.168.1.2",
        }
    }
}

/// Returns the addresses on which a gateway listens.
///
/// - On loopback that is 127.0.0.1 and, where this machine has it, `::1`; the latter not for port 0,
///   which would be another port there.
/// - `lan` is all IPv4 addresses; `tailnet` the one in 100.64.0.0/10, and loopback where there is none.
/// - Anywhere but on loopback it listens only with a secret.
pub fn addresses(
    bind: &Bind,
    port: u16,
    secret: &SharedSecret,
    interfaces: &Interfaces,
) -> Result<Vec<SocketAddr>, BindError> {
    let found = match bind {
        Bind::Loopback | Bind::Auto => interfaces.loopback(port),
        Bind::Lan => vec![Ipv4Addr::UNSPECIFIED.into()],
        Bind::Tailnet => match interfaces.tailnet() {
            // The commands of this machine connect by loopback, whatever else is bound.
            Some(address) if port != 0 => vec![address, Ipv4Addr::LOCALHOST.into()],
            Some(address) => vec![address],
            None => interfaces.loopback(port),
        },
        Bind::Custom(host) => {
            let address = custom(host)?;
            let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let is_enough = address.is_loopback() || address.is_unspecified() || port == 0;
            [address]
                .into_iter()
                .chain((!is_enough).then_some(local))
                .collect()
        }
    };
    guard(found.iter().copied(), secret)?;
    Ok(found
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

/// Refuses to listen beyond this machine without a secret.
pub(crate) fn guard(
    addresses: impl IntoIterator<Item = IpAddr>,
    secret: &SharedSecret,
) -> Result<(), BindError> {
    let mut addresses = addresses.into_iter();
    match addresses.find(|address| !canonical_ip(*address).is_loopback()) {
        Some(address) if secret.is_open() => Err(BindError::Open { address }),
        _ => Ok(()),
    }
}

fn custom(host: &str) -> Result<IpAddr, BindError> {
    let text = host.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bad = || BindError::Host {
        host: host.to_owned(),
    };
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        text => bare
            .unwrap_or(text)
            .parse()
            .map(canonical_ip)
            .map_err(|_| bad()),
    }
}

impl Interfaces {
    /// Whether this is an address of this machine.
    pub fn has(&self, address: IpAddr) -> bool {
        let address = canonical_ip(address);
        self.0
            .iter()
            .any(|own| canonical_ip(own.address) == address)
    }

    /// Asks the operating system.
    pub fn of_this_machine() -> io::Result<Self> {
        let found = if_addrs::get_if_addrs()?
            .into_iter()
            .map(|found| Interface {
                address: canonical_ip(found.ip()),
                is_up: found.is_oper_up(),
                name: found.name,
            });
        Ok(Self(found.collect()))
    }

    /// Returns an address at which phones and computers of the same network find this machine: a private IPv4
    /// address that belongs to no tunnel, bridge or container.
    pub fn lan_address(&self) -> Option<IpAddr> {
        let private = |address| matches!(address, IpAddr::V4(v4) if v4.is_private());
        let mut found = self
            .0
            .iter()
            .filter(|found| private(found.address) && found.is_up);
        found
            .find(|found| !is_virtual(&found.name))
            .map(|found| found.address)
    }

    /// Returns the address in 100.64.0.0/10.
    pub fn tailnet(&self) -> Option<IpAddr> {
        let is_of_tailnet = |address| match address {
            IpAddr::V4(v4) => v4.to_bits() >> 22 == Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22,
            IpAddr::V6(_) => false,
        };
        let mut addresses = self.0.iter().map(|found| found.address);
        addresses.find(|address| is_of_tailnet(*address))
    }

    fn loopback(&self, port: u16) -> Vec<IpAddr> {
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let has_v6 = port != 0 && self.0.iter().any(|found| found.address == v6);
        let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        [v4].into_iter().chain(has_v6.then_some(v6)).collect()
    }
}

/// Names of tunnels, bridges and containers, whose addresses the local network cannot reach.
fn is_virtual(name: &str) -> bool {
    const BEGINNINGS: [&str; 16] = [
        "docker",
        "br-",
        "bridge",
        "veth",
        "virbr",
        "vmnet",
        "vboxnet",
        "lxc",
        "podman",
        "cni",
        "tun",
        "tap",
        "utun",
        "wg",
        "tailscale",
        "zt",
    ];
    BEGINNINGS
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(found: &[(&str, &str)]) -> Interfaces {
        let found = found.iter().map(|(name, address)| Interface {
            name: (*name).to_owned(),
            address: address.parse().unwrap(),
            is_up: true,
        });
        Interfaces(found.collect())
    }

    fn usual() -> Interfaces {
        interfaces(&[
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("docker0", "172.17.0.1"),
            ("tailscale0", "100.101.102.103"),
            ("wg0", "10.8.0.2"),
            ("eth0", "fe80::1"),
            ("eth0", "192.168.1.2"),
        ])
    }

    fn listens(bind: &Bind, port: u16, interfaces: &Interfaces) -> Vec<String> {
        let secret = SharedSecret::token("secret");
        let found = addresses(bind, port, &secret, interfaces).unwrap();
        found.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn every_word_is_an_address() {
        let custom = |host: &str| Bind::Custom(host.to_owned());
        let none = Interfaces::default();
        for (bind, port, interfaces, expected) in [
            (Bind::Loopback, 1, usual(), &["127.0.0.1:1", "[::1]:1"][..]),
            (Bind::Auto, 1, usual(), &["127.0.0.1:1", "[::1]:1"]),
            (Bind::Loopback, 0, usual(), &["127.0.0.1:0"]),
            (Bind::Loopback, 1, none.clone(), &["127.0.0.1:1"]),
            (Bind::Lan, 1, usual(), &["0.0.0.0:1"]),
            (
                Bind::Tailnet,
                1,
                usual(),
                &["100.101.102.103:1", "127.0.0.1:1"],
            ),
            (Bind::Tailnet, 0, usual(), &["100.101.102.103:0"]),
            (Bind::Tailnet, 1, none.clone(), &["127.0.0.1:1"]),
            (
                custom("192.168.1.2"),
                1,
                usual(),
                &["192.168.1.2:1", "127.0.0.1:1"],
            ),
            (custom("192.168.1.2"), 0, usual(), &["192.168.1.2:0"]),
            (custom(" [::1] "), 1, usual(), &["[::1]:1"]),
            (custom("::"), 1, usual(), &["[::]:1"]),
            (custom("localhost"), 1, usual(), &["127.0.0.1:1"]),
        ] {
            assert_eq!(
                listens(&bind, port, &interfaces),
                expected,
                "{bind:?} {port}"
            );
        }
    }

    #[test]
    fn t30_hosts_are_addresses_and_no_names_that_look_like_some() {
        let secret = SharedSecret::open();
        for host in [
            "127.evil.com",
            "",
            "127.1",
            "example.org",
            "192.168.1.2:80",
            "\u{1b}[2J",
        ] {
            let bind = Bind::Custom(host.to_owned());
            let error = addresses(&bind, 1, &secret, &usual()).unwrap_err();
            assert_eq!(
                error,
                BindError::Host {
                    host: host.to_owned()
                }
            );
            assert!(
                !error.to_string().contains('\u{1b}') && error.advice().contains("192.168.1.2")
            );
        }
    }

    #[test]
    fn t48_beyond_this_machine_only_with_a_secret() {
        let open = SharedSecret::open();
        let listens = |bind: Bind| addresses(&bind, 1, &open, &usual());
        for (bind, address) in [
            (Bind::Lan, "0.0.0.0"),
            (Bind::Tailnet, "100.101.102.103"),
            (Bind::Custom("::".into()), "::"),
            (Bind::Custom("0.0.0.0".into()), "0.0.0.0"),
            (Bind::Custom("::ffff:192.168.1.2".into()), "192.168.1.2"),
        ] {
            let error = listens(bind).unwrap_err();
            let address = address.parse().unwrap();
            assert_eq!(error, BindError::Open { address });
            assert!(error.advice().contains("gateway.auth.token"));
        }
        for bind in [Bind::Loopback, Bind::Auto, Bind::Custom("127.0.0.2".into())] {
            assert!(listens(bind).is_ok());
        }
        assert!(addresses(&Bind::Tailnet, 1, &open, &Interfaces::default()).is_ok());
    }

    #[test]
    fn t48_phones_are_told_of_no_tunnel_and_no_container() {
        assert_eq!(usual().lan_address(), "192.168.1.2".parse().ok());
        let tunnels = interfaces(&[
            ("lo", "127.0.0.1"),
            ("utun3", "10.8.0.2"),
            ("en0", "203.0.113.1"),
        ]);
        assert_eq!(tunnels.lan_address(), None);
        assert_eq!(
            interfaces(&[("eth0", "100.128.0.1"), ("x", "100.63.255.255")]).tailnet(),
            None
        );
        let mut down = usual();
        down.0.iter_mut().for_each(|found| found.is_up = false);
        assert_eq!(down.lan_address(), None);
        assert!(Interfaces::of_this_machine().is_ok());
    }
}
