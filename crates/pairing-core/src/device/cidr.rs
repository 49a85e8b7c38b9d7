//! Ranges of IP addresses from the configuration.

use std::net::IpAddr;

/// Returns the canonical address: IPv4 if it is mapped into IPv6, as on a socket that listens on both.
pub fn canonical_ip(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// A list of address ranges such as `gateway.nodes.pairing.autoApproveCidrs`.
///
/// - A range of IPv4 addresses mapped into IPv6 equals the IPv4 range, and addresses are compared in the
///   form of [`canonical_ip`]: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
/// - An IPv6 range contains no IPv4 address, so `::/0` alone does not open the gateway to all of IPv4.
/// - An empty list contains no address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cidrs(Vec<Range>);

/// The text is not an address range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is no address range such as 192.168.1.0/24 or fd00::/8",
    crate::escape(found)
)]
pub struct ParseCidrError {
    /// The text.
    pub found: String,
}

impl Cidrs {
    /// Parses ranges; a single address is the range of only that address.
    pub fn parse<T: AsRef<str>>(
        ranges: impl IntoIterator<Item = T>,
    ) -> Result<Self, ParseCidrError> {
        let ranges = ranges.into_iter().map(|text| {
            let text = text.as_ref();
            Range::parse(text.trim()).ok_or_else(|| ParseCidrError {
                found: text.to_owned(),
            })
        });
        ranges.collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of the ranges contains the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = canonical_ip(address);
        self.0.iter().any(|range| range.contains(address))
    }

    /// Whether there are no ranges.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The addresses of one family whose first bits equal those of `network`, which is canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    network: IpAddr,
    /// Number of free bits at the end.
    free: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = width(address);
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => all,
        };
        let free = all.checked_sub(prefix)?;
        // A range wider than that of all mapped addresses is an IPv6 range.
        let canonical = canonical_ip(address);
        let network = if free <= width(canonical) {
            canonical
        } else {
            address
        };
        Some(Self { network, free })
    }

    fn contains(self, address: IpAddr) -> bool {
        let differing = bits(self.network) ^ bits(address);
        self.network.is_ipv4() == address.is_ipv4()
            && differing.checked_shr(self.free).unwrap_or(0) == 0
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(range: &str, address: &str) -> bool {
        Cidrs::parse([range])
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn t29_mapped_addresses_and_ranges_are_those_they_stand_for() {
        for range in [
            "10.0.0.0/8",
            "::ffff:10.0.0.0/104",
            "::ffff:a00:0/104",
            " 10.1.2.3/8 ",
        ] {
            for inside in ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"] {
                assert!(holds(range, inside), "{range} holds {inside}");
            }
            for outside in [
                "11.0.0.0",
                "9.255.255.255",
                "::ffff:11.0.0.1",
                "::10.1.2.3",
                "::1",
            ] {
                assert!(!holds(range, outside), "{range} does not hold {outside}");
            }
        }
    }

    #[test]
    fn t29_a_bad_range_is_an_error_that_names_it() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "010.0.0.0/8",
            "10.0.0.0/8/8",
            "ten",
            "::ffff:10.0.0.0/130",
        ] {
            let found = bad.to_owned();
            let ranges = ["192.168.0.0/16", bad];
            assert_eq!(
                Cidrs::parse(ranges),
                Err(ParseCidrError { found }),
                "{bad:?}"
            );
        }
        let error = Cidrs::parse(["\u{1b}[2J"]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(r"\u{1b}[2J is no address range"),
            "{error}"
        );
    }

    #[test]
    fn ranges_of_one_kind_hold_no_address_of_the_other() {
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("::/0", "10.0.0.1"));
        assert!(!holds("::/0", "::ffff:10.0.0.1"));
        assert!(holds("0.0.0.0/0", "::ffff:10.0.0.1"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fc00::1"));
        assert!(holds("::ffff:0.0.0.0/95", "::fffe:1.2.3.4"));
        assert!(!holds("::ffff:0.0.0.0/95", "1.2.3.4"));
        assert!(holds("192.168.1.7", "192.168.1.7") && !holds("192.168.1.7", "192.168.1.8"));
        assert!(!Cidrs::default().contains("127.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn as_the_bits_have_it(range: u32, prefix in 0u8..=32, address: u32) {
            let same = |a: u32, b: u32| prefix == 0 || (a ^ b) >> (32 - prefix) == 0;
            let of = std::net::Ipv4Addr::from_bits;
            let plain = Cidrs::parse([format!("{}/{prefix}", of(range))]).unwrap();
            let mapped = Cidrs::parse([format!("::ffff:{}/{}", of(range), prefix + 96)]).unwrap();
            for address in [address, range ^ 1, range] {
                prop_assert_eq!(plain.contains(of(address).into()), same(range, address));
                prop_assert_eq!(mapped.contains(of(address).into()), same(range, address));
            }
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = Cidrs::parse([text]);
        }
    }
}
