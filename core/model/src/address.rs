//! Addresses and subnets: how they are written, which lies in which, and which no host can have.
//! Never resolves a name.

use crate::cluster::{Address, Subnet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The text is not an address, or not one with a prefix where one is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let (address, prefix) = text.split_once('/').ok_or(AddressError)?;
        let address: IpAddr = address.parse().map_err(|_| AddressError)?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse::<u8>().ok().filter(|prefix| digits && *prefix <= width(address));
        Ok(Address { address, prefix: prefix.ok_or(AddressError)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Address {
    /// The subnet that it lies in.
    pub fn subnet(self) -> Subnet {
        Subnet {
            base: with_bits(self.address, bits(self.address) & mask(self.address, self.prefix)),
            prefix: self.prefix,
        }
    }
}

impl Subnet {
    /// Whether `address` lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        same_family(self.base, address) && bits(address) & mask(self.base, self.prefix) == bits(self.base)
    }

    /// Whether the two have an address in common.
    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }

    /// The last address.
    pub fn last(self) -> IpAddr {
        let host = bits(with_bits(self.base, u128::MAX)) & !mask(self.base, self.prefix);
        with_bits(self.base, bits(self.base) | host)
    }

    /// Whether `address` names the subnet itself or its broadcast, and so no host.
    pub(crate) fn reserves(self, address: IpAddr) -> bool {
        address == self.base || (address.is_ipv4() && address == self.last())
    }

    /// Whether its prefix suits a network that joins nodes.
    pub(crate) fn is_sensible(self) -> bool {
        match self.base {
            IpAddr::V4(_) => (8..=30).contains(&self.prefix),
            IpAddr::V6(_) => (16..=126).contains(&self.prefix),
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// Whether both are IPv4, or both IPv6.
pub(crate) fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

/// The family's name.
pub(crate) fn family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

/// What makes `address` unfit to be a host's own on a network, if anything does.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    let kinds = match address {
        IpAddr::V4(v4) => [
            (v4.octets()[0] == 0, "is unspecified"),
            (address.is_loopback(), "is loopback"),
            (address.is_multicast(), "is multicast"),
            (v4 == Ipv4Addr::BROADCAST || v4.octets()[0] >= 240, "is reserved"),
            (v4.is_link_local(), "is link-local"),
        ],
        IpAddr::V6(v6) => [
            (address.is_unspecified(), "is unspecified"),
            (address.is_loopback(), "is loopback"),
            (address.is_multicast(), "is multicast"),
            (v6.to_ipv4_mapped().is_some(), "is IPv4 within IPv6"),
            (v6.is_unicast_link_local(), "is link-local"),
        ],
    };
    kinds.into_iter().find_map(|(is, kind)| is.then_some(kind))
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of the family of `like` with these bits; what does not fit is cut off.
fn with_bits(like: IpAddr, bits: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits((bits & u128::from(u32::MAX)) as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// Ones where the first `prefix` bits of an address of the family of `like` are.
fn mask(like: IpAddr, prefix: u8) -> u128 {
    let host_bits = u32::from(width(like).saturating_sub(prefix));
    u128::MAX.checked_shl(host_bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect(text)
    }

    #[test]
    fn addresses_are_written_with_their_prefix() {
        for text in ["10.11.0.100/24", "fd00:11::1/64", "0.0.0.0/0", "::/0", "1.2.3.4/32", "::1/128"] {
            assert_eq!(address(text).to_string(), text);
        }
        for text in [
            "10.11.0.100",
            "10.11.0.100/33",
            "::1/129",
            "10.11.0/24",
            "host/24",
            "::1%eth0/64",
            "1.2.3.4/+8",
            "/",
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn subnets_hold_their_addresses_and_no_others() {
        let check = |subnet: &str, inside: &str, expected| {
            assert_eq!(
                address(subnet).subnet().contains(inside.parse().unwrap()),
                expected,
                "{inside} in {subnet}"
            );
        };
        check("10.11.0.0/24", "10.11.0.255", true);
        check("10.11.0.0/24", "10.11.1.0", false);
        check("10.11.0.77/24", "10.11.0.1", true);
        check("fd00:11::/64", "fd00:11::ffff", true);
        check("fd00:11::/64", "fd00:12::1", false);
        check("::/0", "10.0.0.1", false);
        check("0.0.0.0/0", "10.0.0.1", true);
        assert_eq!(address("10.11.0.0/22").subnet().last().to_string(), "10.11.3.255");
        assert_eq!(address("fd00::/126").subnet().last().to_string(), "fd00::3");
    }

    #[test]
    fn no_host_has_a_special_address() {
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "169.254.1.1",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(special(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in ["10.0.0.1", "192.0.2.1", "8.8.8.8", "fd00::1", "2001:db8::1"] {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
    }
}
