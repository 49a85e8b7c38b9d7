//! `gateway.auth.mode: "trusted-proxy"`: proxies that sign people in, and say in a header who they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName};
use pairing_core::{Scope, ScopeSet, canonical_ip};

use super::{Turned, single};
use crate::Interfaces;

/// Maximum length of a user's name, in bytes.
const MOST: usize = 256;

/// Which header of a trusted proxy names the user, and which users may come.
///
/// The word of a proxy stands in for the shared secret, and for nothing else: a device still has to be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUsers {
    header: HeaderName,
    required: Vec<HeaderName>,
    /// The users who may come; all if it is empty.
    allowed: BTreeSet<String>,
    /// If present, the scopes that each user has at most.
    scopes: Option<BTreeMap<String, ScopeSet>>,
}

impl ProxyUsers {
    /// Takes the names from a configuration. `None` if one of the headers or scopes cannot be one.
    pub fn from_config(config: &openclaw_config::TrustedProxy) -> Option<Self> {
        let header = |name: &String| HeaderName::from_bytes(name.as_bytes()).ok();
        let scopes = |names: &Vec<String>| {
            let scopes = names.iter().map(|name| Scope::parse(name).ok());
            scopes.collect::<Option<ScopeSet>>()
        };
        let of_users = config.scopes.as_ref().map(|users| {
            let users = users.iter();
            users
                .map(|(user, names)| Some((folded(user), scopes(names)?)))
                .collect::<Option<_>>()
        });
        Some(Self {
            header: header(&config.user_header)?,
            required: config
                .required_headers
                .iter()
                .map(header)
                .collect::<Option<_>>()?,
            allowed: config.allow_users.iter().map(|user| folded(user)).collect(),
            scopes: match of_users {
                Some(users) => Some(users?),
                None => None,
            },
        })
    }

    /// Who a proxy says that the request comes from. `peer` is a trusted proxy, and `client` the one it speaks for.
    ///
    /// A proxy on this machine is not believed, on whichever of its addresses: every process here could be it. Nor is
    /// one that does not say which client it speaks for.
    pub(super) fn read(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        client: Option<IpAddr>,
    ) -> Result<Option<String>, Turned> {
        let user = single(headers, &self.header)?;
        let user = user.and_then(|user| user.to_str().ok()).map(str::trim);
        let Some(user) = user.filter(|user| !user.is_empty() && user.len() <= MOST) else {
            return Ok(None);
        };
        for name in &self.required {
            let value = single(headers, name)?;
            if value.is_none_or(|value| value.as_bytes().trim_ascii().is_empty()) {
                return Ok(None);
            }
        }
        let user = folded(user);
        let may_come = self.allowed.is_empty() || self.allowed.contains(&user);
        let is_from_elsewhere = client.is_some_and(|client| !client.is_loopback());
        if !may_come || !is_from_elsewhere || is_of_this_machine(peer) {
            return Ok(None);
        }
        Ok(Some(user))
    }

    /// The scopes that a user has at most; `None` if there is no such limit. With a list of users, one who is not on
    /// it has none.
    pub fn limit(&self, user: &str) -> Option<ScopeSet> {
        let scopes = self.scopes.as_ref()?;
        Some(scopes.get(&folded(user)).cloned().unwrap_or_default())
    }
}

/// Addresses of mail are the same in upper and lower case; other names are not.
fn folded(user: &str) -> String {
    let user = user.trim();
    if user.contains('@') {
        user.to_lowercase()
    } else {
        user.to_owned()
    }
}

/// Whether it is an address of this machine. If that cannot be found out, it may be one.
fn is_of_this_machine(peer: IpAddr) -> bool {
    let peer = canonical_ip(peer);
    peer.is_loopback()
        || Interfaces::of_this_machine().map_or(true, |interfaces| interfaces.has(peer))
}

#[cfg(test)]
mod tests {
    use openclaw_config::Config;

    use super::*;

    /// No machine has an address for documentation.
    const PROXY: &str = "192.0.2.1";
    const CLIENT: &str = "198.51.100.7";

    fn users(proxy: &str, beside: &str) -> ProxyUsers {
        let text = format!(
            "{{ gateway: {{ trustedProxies: ['{PROXY}'], auth: {{ mode: 'trusted-proxy',
                trustedProxy: {{ userHeader: 'X-Forwarded-User', {proxy} }}, {beside} }} }} }}"
        );
        let config = Config::parse(&text).unwrap();
        assert_eq!(config.faults().count(), 0);
        ProxyUsers::from_config(config.gateway.auth.trusted_proxy.as_ref().unwrap()).unwrap()
    }

    fn read(
        users: &ProxyUsers,
        headers: &[(&'static str, &str)],
        peer: &str,
        client: Option<&str>,
    ) -> Result<Option<String>, Turned> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let client = client.map(|client| client.parse().unwrap());
        users.read(&map, peer.parse().unwrap(), client)
    }

    #[test]
    fn a_user_is_who_a_proxy_elsewhere_names() {
        let any = users("", "");
        let ann: &[(&str, &str)] = &[("x-forwarded-user", " Ann@Example.org ")];
        let named = Ok(Some("ann@example.org".to_owned()));
        assert_eq!(read(&any, ann, PROXY, Some(CLIENT)), named);
        // Names that are no addresses of mail keep their case.
        let bob: &[(&str, &str)] = &[("x-forwarded-user", "Bob")];
        assert_eq!(
            read(&any, bob, PROXY, Some(CLIENT)),
            Ok(Some("Bob".to_owned()))
        );
        let long = "a".repeat(257);
        for headers in [
            &[] as &[(&str, &str)],
            &[("x-forwarded-user", " ")],
            &[("x-forwarded-user", &long)],
            &[("remote-user", "ann@example.org")],
        ] {
            assert_eq!(
                read(&any, headers, PROXY, Some(CLIENT)),
                Ok(None),
                "{headers:?}"
            );
        }
        let twice: &[(&str, &str)] = &[("x-forwarded-user", "a"), ("x-forwarded-user", "b")];
        assert!(read(&any, twice, PROXY, Some(CLIENT)).is_err());
    }

    #[test]
    fn nobody_on_this_machine_is_believed() {
        let any = users("allowLoopback: true", "");
        let ann: &[(&str, &str)] = &[("x-forwarded-user", "ann@example.org")];
        let own = Interfaces::of_this_machine().unwrap();
        let own = own.lan_address().map(|address| address.to_string());
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
            .into_iter()
            .chain(own.as_deref())
        {
            assert_eq!(read(&any, ann, peer, Some(CLIENT)), Ok(None), "{peer}");
        }
        // Nor a proxy that keeps quiet about its client, or says that it is this machine.
        for client in [None, Some("127.0.0.1")] {
            assert_eq!(read(&any, ann, PROXY, client), Ok(None), "{client:?}");
        }
    }

    #[test]
    fn users_and_headers_may_be_required() {
        let some = users(
            "requiredHeaders: ['x-forwarded-proto'], allowUsers: ['ANN@example.org']",
            "",
        );
        let with = |user, proto| [("x-forwarded-user", user), ("x-forwarded-proto", proto)];
        let told = |headers: &[(&'static str, &str)]| read(&some, headers, PROXY, Some(CLIENT));
        assert!(told(&with("ann@example.org", "https")).unwrap().is_some());
        for headers in [
            &with("eve@example.org", "https")[..],
            &with("ann@example.org", " "),
            &with("ann@example.org", "https")[..1],
        ] {
            assert_eq!(told(headers), Ok(None), "{headers:?}");
        }
    }

    #[test]
    fn scopes_of_users_are_a_limit() {
        assert_eq!(users("", "").limit("ann@example.org"), None);
        let some = users(
            "",
            "identityScopes: { 'Ann@example.org': ['operator.read'] }",
        );
        let read: ScopeSet = [Scope::parse(Scope::READ).unwrap()].into_iter().collect();
        assert_eq!(some.limit("ann@example.org"), Some(read));
        assert_eq!(some.limit("eve@example.org"), Some(ScopeSet::default()));
    }
}
