//! Where a connection may go: a host or many, and a port or any.

use super::GrantError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

const EXPECTED: &str = "HOST:PORT, where HOST is a name, *.NAME, an address, a network such as 10.0.0.0/8, [ADDRESS] or \
                        [NETWORK] of IPv6, or *, and PORT a number or *";

/// One or more hosts, by name or address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// Every one.
    Any,
    /// The one of this name, in lower case.
    Name(String),
    /// Those whose name ends with a dot and this.
    Below(String),
    /// Those whose address begins with the same bits.
    Network {
        /// The lowest address of the network.
        address: IpAddr,
        /// How many bits.
        bits: u8,
    },
}

/// A host or many, and a port or any: `db.example.org:5432`, `10.0.0.0/8:443`, `[2001:db8::/32]:*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    /// Whom.
    pub host: Host,
    /// At which port; none for any.
    pub port: Option<u16>,
}

impl Remote {
    /// Whether whoever is granted this may connect to everything that the other names.
    pub fn covers(&self, other: &Self) -> bool {
        self.fits_port(other.port) && self.host.covers(&other.host)
    }

    /// Whether this is, or may be, a host of that name.
    pub fn fits_name(&self, name: &str) -> bool {
        let name = plain_name(name);
        match &self.host {
            Host::Any => true,
            Host::Name(known) => *known == name,
            Host::Below(parent) => is_below(&name, parent),
            Host::Network { .. } => false,
        }
    }

    /// Whether a host at that address is meant, whatever its name.
    pub fn fits_address(&self, address: IpAddr, port: u16) -> bool {
        let is_meant = match &self.host {
            Host::Any => true,
            Host::Name(_) | Host::Below(_) => false,
            Host::Network { address: network, bits } => is_within(address.to_canonical(), *network, *bits),
        };
        is_meant && self.fits_port(Some(port))
    }

    /// Whether that port is meant; none for any.
    pub fn fits_port(&self, port: Option<u16>) -> bool {
        self.port.is_none() || self.port == port
    }
}

impl Host {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Below(parent), Self::Name(name)) => is_below(name, parent),
            (Self::Below(parent), Self::Below(other)) => other == parent || is_below(other, parent),
            (Self::Network { address, bits }, Self::Network { address: other, bits: more }) => {
                more >= bits && is_within(*other, *address, *bits)
            }
            (one, other) => one == other,
        }
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|start| start.ends_with('.'))
}

/// A name as it is compared.
fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => first_bits(a.to_bits().into(), 32, bits) == u128::from(n.to_bits()),
        (IpAddr::V6(a), IpAddr::V6(n)) => first_bits(a.to_bits(), 128, bits) == n.to_bits(),
        _ => false,
    }
}

/// A number of so many bits, with only its first ones kept.
fn first_bits(number: u128, of: u32, bits: u8) -> u128 {
    let rest = of - u32::from(bits);
    number.checked_shr(rest).and_then(|kept| kept.checked_shl(rest)).unwrap_or(0)
}

impl FromStr for Remote {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let wrong = || GrantError::new(text, EXPECTED);
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            digits => {
                let is_plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
                Some(digits.parse().ok().filter(|_| is_plain).ok_or_else(wrong)?)
            }
        };
        Ok(Self { host: host_of(host).ok_or_else(wrong)?, port })
    }
}

fn host_of(text: &str) -> Option<Host> {
    if text == "*" {
        return Some(Host::Any);
    }
    if let Some(inside) = text.strip_prefix('[') {
        return network_of::<Ipv6Addr>(inside.strip_suffix(']')?, 128);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'/') {
        return network_of::<Ipv4Addr>(text, 32);
    }
    match text.strip_prefix("*.") {
        Some(parent) => is_name(parent).then(|| Host::Below(plain_name(parent))),
        None => is_name(text).then(|| Host::Name(plain_name(text))),
    }
}

fn network_of<A: FromStr + Into<IpAddr>>(text: &str, most: u8) -> Option<Host> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|_| bits.bytes().all(|b| b.is_ascii_digit()))?),
        None => (text, most),
    };
    let address: IpAddr = address.parse::<A>().ok()?.into();
    // An address of IPv4 that is written as one of IPv6 would never be met.
    let is_lowest = bits <= most && is_within(address, address, bits) && address == address.to_canonical();
    is_lowest.then_some(Host::Network { address, bits })
}

/// Whether a text may be the name of a host, as the DNS has it: perhaps with the dot at its end.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        matches!(label.len(), 1..=63) && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Below(parent) => write!(f, "*.{parent}")?,
            Host::Network { address: IpAddr::V4(address), bits: 32 } => write!(f, "{address}")?,
            Host::Network { address: IpAddr::V4(address), bits } => write!(f, "{address}/{bits}")?,
            Host::Network { address: IpAddr::V6(address), bits: 128 } => write!(f, "[{address}]")?,
            Host::Network { address: IpAddr::V6(address), bits } => write!(f, "[{address}/{bits}]")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn remote(text: &str) -> Remote {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "db:5432",
            "db.example.org:5432",
            "*.example.org:443",
            "*:443",
            "*:*",
            "db:*",
            "10.1.2.3:80",
            "10.0.0.0/8:443",
            "0.0.0.0/0:1",
            "[::1]:65535",
            "[2001:db8::/32]:*",
            "_sip.x-1.org:1",
        ] {
            assert_eq!(remote(text).to_string(), text);
        }
        assert_eq!(remote("DB.Example.ORG.:1").to_string(), "db.example.org:1");
        assert_eq!(remote("10.1.2.3/32:80"), remote("10.1.2.3:80"));
    }

    #[test]
    fn what_names_no_host_or_no_port_is_refused_with_what_was_expected() {
        for text in [
            "",
            "db",
            "db:",
            ":80",
            "db:0",
            "db:080",
            "db:+80",
            "db:65536",
            "db:http",
            "d b:80",
            "-db:80",
            "db-:80",
            "db..org:80",
            "*db:80",
            "a.*:80",
            "10.0.0.1/8:80",
            "10.0.0:80",
            "10.0.0.0/33:80",
            "10.0.0.0/+8:80",
            "1.2:80",
            "::1:80",
            "[::1:80",
            "[10.0.0.1]:80",
            "[::ffff:10.0.0.1]:80",
            "[2001:db8::1/32]:80",
            "http://db:80",
            "ä:80",
        ] {
            let refused = text.parse::<Remote>();
            assert!(
                refused.as_ref().is_err_and(|e| e.to_string().contains("expected HOST:PORT")),
                "{text}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_is_wider_covers_what_is_narrower() {
        for (allowed, ask) in [
            ("db:80", "db:80"),
            ("*:80", "db:80"),
            ("*:*", "10.0.0.0/8:*"),
            ("db:*", "db:80"),
            ("*.org:80", "a.b.org:80"),
            ("*.org:80", "*.b.org:80"),
            ("*.org:80", "*.org:80"),
            ("10.0.0.0/8:80", "10.9.0.0/16:80"),
            ("[::/0]:1", "[::1]:1"),
        ] {
            assert!(remote(allowed).covers(&remote(ask)), "{allowed} {ask}");
        }
        for (allowed, ask) in [
            ("db:80", "db:81"),
            ("db:80", "db:*"),
            ("db:80", "*:80"),
            ("*.org:80", "org:80"),
            ("*.org:80", "borg:80"),
            ("*.b.org:80", "*.org:80"),
            ("10.9.0.0/16:80", "10.0.0.0/8:80"),
            ("10.0.0.0/8:80", "11.0.0.0/8:80"),
            ("0.0.0.0/0:80", "db:80"),
            ("*.org:80", "10.0.0.1:80"),
            ("0.0.0.0/0:1", "[::1]:1"),
        ] {
            assert!(!remote(allowed).covers(&remote(ask)), "{allowed} {ask}");
        }
    }

    #[test]
    fn an_address_is_meant_by_its_network_and_a_name_only_by_a_name() {
        let fits = |text: &str, address: &str, port| remote(text).fits_address(address.parse().unwrap(), port);
        assert!(fits("10.0.0.0/8:443", "10.255.0.1", 443) && fits("10.0.0.0/8:443", "::ffff:10.0.0.1", 443));
        assert!(fits("*:443", "::1", 443) && fits("10.0.0.1:*", "10.0.0.1", 1));
        assert!(!fits("10.0.0.0/8:443", "10.0.0.1", 444) && !fits("10.0.0.0/8:443", "11.0.0.1", 443));
        assert!(!fits("db:443", "10.0.0.1", 443) && !fits("*.org:443", "10.0.0.1", 443));
        assert!(remote("db.org:1").fits_name("DB.org.") && remote("*.org:1").fits_name("db.org"));
        assert!(!remote("db.org:1").fits_name("xdb.org") && !remote("0.0.0.0/0:1").fits_name("db.org"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_as_it_is_read(text in ".{0,40}") {
            if let Ok(remote) = text.parse::<Remote>() {
                prop_assert_eq!(remote.to_string().parse::<Remote>(), Ok(remote));
            }
        }

        #[test]
        fn what_covers_a_network_fits_each_of_its_addresses(bits in 0_u8..=32, more in 0_u8..=32, number: u32, port in 1_u16..) {
            let network = |bits| {
                let address = first_bits(number.into(), 32, bits) as u32;
                Remote { host: Host::Network { address: Ipv4Addr::from_bits(address).into(), bits }, port: Some(port) }
            };
            let (one, other) = (network(bits), network(more));
            prop_assert_eq!(one.covers(&other), bits <= more);
            prop_assert!(one.fits_address(Ipv4Addr::from_bits(number).into(), port));
        }
    }
}
