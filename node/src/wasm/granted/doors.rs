//! Where the connections of one instance may go: to what is granted by address, and to what a granted name stood for
//! when the instance looked it up.

use odeon_sourceauth::Remote;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use wasmtime_wasi::sockets::SocketAddrUse;

/// Addresses that names stood for, of which an instance keeps the last.
const FOUND_MAX: usize = 1024;

/// What one instance may connect to.
#[derive(Debug, Default)]
pub(super) struct Doors {
    granted: Vec<Remote>,
    /// An address, and the grant by whose name it was found.
    found: Mutex<VecDeque<(IpAddr, usize)>>,
}

impl Doors {
    pub(super) fn new(granted: Vec<Remote>) -> Self {
        Self { granted, found: Mutex::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.granted.is_empty()
    }

    /// The grants that a name falls under; one that falls under none is not looked up.
    pub(super) fn of_name(&self, name: &str) -> Vec<usize> {
        (0..self.granted.len()).filter(|at| self.granted[*at].fits_name(name)).collect()
    }

    /// A name that falls under these grants stands for this address.
    pub(super) fn found(&self, address: IpAddr, under: &[usize]) {
        let mut found = self.found.lock();
        for &grant in under {
            let entry = (address.to_canonical(), grant);
            if !found.contains(&entry) {
                if found.len() == FOUND_MAX {
                    found.pop_front();
                }
                found.push_back(entry);
            }
        }
    }

    /// Whether an address may be used so. There is one way only: to connect.
    pub(super) fn let_through(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        match purpose {
            // Each connection has an end here: one that the kernel chooses.
            SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpConnect => self.leads_to(address),
            _ => false,
        }
    }

    fn leads_to(&self, to: SocketAddr) -> bool {
        let (address, port) = (to.ip().to_canonical(), to.port());
        let by_name =
            |(known, grant): &(IpAddr, usize)| *known == address && self.granted[*grant].fits_port(Some(port));
        self.granted.iter().any(|granted| granted.fits_address(address, port)) || self.found.lock().iter().any(by_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(granted: &[&str]) -> Doors {
        Doors::new(granted.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn connects(doors: &Doors, to: &str) -> bool {
        doors.let_through(to.parse().unwrap(), SocketAddrUse::TcpConnect)
    }

    #[test]
    fn a_connection_goes_to_what_is_granted_and_nothing_else_is_done_with_an_address() {
        let doors = doors(&["127.0.0.1:80", "10.0.0.0/8:*"]);
        assert!(
            connects(&doors, "127.0.0.1:80")
                && connects(&doors, "10.1.2.3:9")
                && connects(&doors, "[::ffff:10.0.0.1]:9")
        );
        assert!(
            !connects(&doors, "127.0.0.1:81") && !connects(&doors, "127.0.0.2:80") && !connects(&doors, "[::1]:80")
        );
        use SocketAddrUse as Use;
        for purpose in [Use::TcpListen, Use::TcpAccept, Use::UdpBind, Use::UdpSend, Use::UdpReceive] {
            assert!(!doors.let_through("10.1.2.3:9".parse().unwrap(), purpose), "{purpose:?}");
        }
        assert!(doors.let_through("0.0.0.0:0".parse().unwrap(), Use::TcpBind));
        assert!(!doors.let_through("0.0.0.0:80".parse().unwrap(), Use::TcpBind));
        assert!(!doors.let_through("10.1.2.3:0".parse().unwrap(), Use::TcpBind));
        assert!(!connects(&Doors::default(), "10.1.2.3:9"));
    }

    #[test]
    fn a_name_leads_to_the_addresses_that_it_was_found_to_stand_for_at_its_own_ports() {
        let doors = doors(&["db.org:5432", "*.org:443", "web.org:80"]);
        let under = doors.of_name("DB.org");
        assert_eq!(under, [0, 1]);
        assert!(!connects(&doors, "10.0.0.1:5432"), "it was not looked up");
        doors.found("10.0.0.1".parse().unwrap(), &under);
        assert!(connects(&doors, "10.0.0.1:5432") && connects(&doors, "10.0.0.1:443"));
        assert!(!connects(&doors, "10.0.0.1:80") && !connects(&doors, "10.0.0.2:5432"));
        assert!(doors.of_name("db.net").is_empty());
    }

    #[test]
    fn the_last_addresses_are_kept() {
        let doors = doors(&["*.org:443"]);
        for number in 0..FOUND_MAX as u32 + 1 {
            doors.found(std::net::Ipv4Addr::from_bits((10 << 24) + number).into(), &[0]);
            doors.found("10.0.0.9".parse().unwrap(), &[0]);
        }
        assert!(!connects(&doors, "10.0.0.0:443") && connects(&doors, "10.0.4.0:443"));
        assert_eq!(doors.found.lock().len(), FOUND_MAX);
    }
}
