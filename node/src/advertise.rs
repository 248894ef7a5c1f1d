//! Where others can dial this node: what the operator says, else where it listens, else its hosts' own addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses of one node that others are told of.
pub(crate) const ADVERTISED_MAX: usize = 4;

/// The addresses of this host's interfaces, as the kernel lists them.
#[derive(Debug, Default)]
pub(crate) struct Interfaces(Vec<IpAddr>);

/// The addresses that others dial, the best first.
pub(crate) fn addresses(said: &[String], local: SocketAddr, interfaces: &Interfaces) -> Vec<String> {
    if !said.is_empty() {
        return said.to_vec();
    }
    if !local.ip().is_unspecified() {
        return vec![local.to_string()];
    }
    // Nobody can dial "everywhere". A socket takes addresses of its own kind.
    let own = interfaces.0.iter().filter(|ip| ip.is_ipv4() == local.is_ipv4());
    let (loopback, others): (Vec<IpAddr>, Vec<IpAddr>) = own.partition(|ip| ip.is_loopback());
    let best = if others.is_empty() { loopback } else { others };
    let found: Vec<_> =
        best.iter().take(ADVERTISED_MAX).map(|ip| SocketAddr::new(*ip, local.port()).to_string()).collect();
    match found.is_empty() {
        true => vec![local.to_string()],
        false => found,
    }
}

impl Interfaces {
    /// What Linux says; none where it cannot be read.
    pub(crate) fn read() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/net/fib_trie"), &read("/proc/net/if_inet6"))
    }

    fn parse(fib_trie: &str, if_inet6: &str) -> Self {
        let mut all: Vec<IpAddr> = Vec::new();
        let found = local_of(fib_trie).map(IpAddr::V4).chain(global_of(if_inet6).map(IpAddr::V6));
        for ip in found {
            if !all.contains(&ip) {
                all.push(ip);
            }
        }
        Self(all)
    }
}

/// The addresses in the routing tables of IPv4 that are this host's own: the line after each says so.
fn local_of(fib_trie: &str) -> impl Iterator<Item = Ipv4Addr> {
    let pairs = fib_trie.lines().zip(fib_trie.lines().skip(1));
    pairs
        .filter(|(_, next)| next.trim() == "/32 host LOCAL")
        .filter_map(|(leaf, _)| leaf.trim().strip_prefix("|--").and_then(|address| address.trim().parse().ok()))
}

/// The addresses of IPv6 interfaces that are not only of one link: 32 digits, then index, length and scope.
fn global_of(if_inet6: &str) -> impl Iterator<Item = Ipv6Addr> {
    if_inet6.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let bits = u128::from_str_radix(words.next()?, 16).ok()?;
        let scope = words.nth(2)?;
        matches!(scope, "00" | "10").then(|| Ipv6Addr::from(bits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB_TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.7
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.168.1.2
        /32 host LOCAL
Local:
        |-- 10.0.0.7
           /32 host LOCAL
";
    const IF_INET6: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000546869fffe6e6e6e 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
";

    fn found(said: &[&str], local: &str, interfaces: &Interfaces) -> Vec<String> {
        let said: Vec<_> = said.iter().map(|s| (*s).to_owned()).collect();
        addresses(&said, local.parse().unwrap(), interfaces)
    }

    #[test]
    fn what_the_operator_says_counts_then_where_it_listens_then_what_the_host_has() {
        let host = Interfaces::parse(FIB_TRIE, IF_INET6);
        assert_eq!(found(&["a.example:1", "10.0.0.7:2"], "0.0.0.0:5", &host), ["a.example:1", "10.0.0.7:2"]);
        assert_eq!(found(&[], "127.0.0.1:5", &host), ["127.0.0.1:5"]);
        assert_eq!(found(&[], "0.0.0.0:5", &host), ["10.0.0.7:5", "192.168.1.2:5"]);
        assert_eq!(found(&[], "[::]:5", &host), ["[2001:db8::7]:5"]);
    }

    #[test]
    fn a_host_with_nothing_but_itself_can_be_dialled_by_itself() {
        let host = Interfaces(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        assert_eq!(found(&[], "0.0.0.0:5", &host), ["127.0.0.1:5"]);
        assert_eq!(found(&[], "[::]:5", &host), ["[::1]:5"]);
        assert_eq!(found(&[], "0.0.0.0:5", &Interfaces::default()), ["0.0.0.0:5"], "nothing is known");
    }

    #[test]
    fn a_host_with_many_addresses_names_a_few() {
        let host = Interfaces((1..=9).map(|n| IpAddr::from([10, 0, 0, n])).collect());
        assert_eq!(found(&[], "0.0.0.0:5", &host).len(), ADVERTISED_MAX);
    }

    #[test]
    fn text_that_is_no_list_of_addresses_gives_none() {
        let Interfaces(found) = Interfaces::parse("|-- x\n/32 host LOCAL\n|-- 1.2.3.4", "zz 01 80 00\n1 2\n\n");
        assert_eq!(found, Vec::<IpAddr>::new());
    }
}
