//! Hosts of a test's own: network namespaces with an address each, on a bridge in a namespace of its own.
//!
//! Nothing outside these namespaces is touched, and dropping [`Hosts`] removes them. Needs root and `ip`.

use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Hosts on one network.
pub struct Hosts {
    hub: String,
    names: Vec<String>,
}

impl Hosts {
    /// As many hosts, numbered from 0.
    pub fn new(count: u8) -> Result<Self> {
        let id = std::process::id();
        let tag = std::thread::current().id();
        let tag: String = format!("{tag:?}").chars().filter(char::is_ascii_digit).collect();
        let mut hosts = Self { hub: format!("odeon-{id}-{tag}-hub"), names: Vec::new() };
        ip(&["netns", "add", &hosts.hub])?;
        ip(&["-n", &hosts.hub, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", &hosts.hub, "link", "set", "bridge", "up"])?;
        for number in 0..count {
            let name = format!("odeon-{id}-{tag}-{number}");
            ip(&["netns", "add", &name])?;
            hosts.names.push(name.clone());
            let port = format!("port{number}");
            ip(&["-n", &hosts.hub, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
            ip(&["-n", &hosts.hub, "link", "set", &port, "master", "bridge"])?;
            ip(&["-n", &hosts.hub, "link", "set", &port, "up"])?;
            ip(&["-n", &name, "address", "add", &format!("{}/24", Self::address(number)), "dev", "eth0"])?;
            ip(&["-n", &name, "link", "set", "eth0", "up"])?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
        }
        Ok(hosts)
    }

    /// The address of a host.
    pub fn address(number: u8) -> String {
        format!("10.99.53.{}", number + 1)
    }

    /// What runs a program on a host.
    pub fn on(&self, number: u8) -> Vec<String> {
        ["ip", "netns", "exec", &self.names[usize::from(number)]].map(str::to_owned).to_vec()
    }

    /// From now on a host sends and receives no more than so many megabits a second, each.
    pub fn limit(&self, number: u8, mbit: u32) -> Result<()> {
        let rate = format!("{mbit}mbit");
        let port = format!("port{number}");
        for (netns, device) in [(&self.names[usize::from(number)], "eth0"), (&self.hub, port.as_str())] {
            let limits = ["root", "tbf", "rate", &rate, "burst", "128kb", "latency", "100ms"];
            run("tc", &[&["-n", netns, "qdisc", "add", "dev", device][..], &limits[..]].concat())?;
        }
        Ok(())
    }

    /// Bytes that a host has sent since it was made.
    pub fn sent_bytes(&self, number: u8) -> Result<u64> {
        let port = format!("/sys/class/net/port{number}/statistics/rx_bytes");
        let ran = Command::new("ip").args(["netns", "exec", &self.hub, "cat", &port]).output().context("`ip` runs")?;
        String::from_utf8_lossy(&ran.stdout).trim().parse().context("bytes that came through a port")
    }

    /// Cuts the way between two hosts, both ways; others are not affected.
    pub fn cut(&self, a: u8, b: u8) -> Result<()> {
        self.blackhole("add", a, b)
    }

    /// Heals what was cut.
    pub fn heal(&self, a: u8, b: u8) -> Result<()> {
        self.blackhole("del", a, b)
    }

    /// From now on no UDP reaches a host, as behind a firewall that lets only TCP through.
    pub fn block_udp(&self, number: u8) -> Result<()> {
        let name = &self.names[usize::from(number)];
        // Before the table of the host's own addresses, which comes first otherwise.
        ip(&["-n", name, "rule", "add", "pref", "1", "lookup", "local"])?;
        ip(&["-n", name, "rule", "del", "pref", "0"])?;
        ip(&["-n", name, "rule", "add", "pref", "0", "ipproto", "udp", "iif", "eth0", "blackhole"])
    }

    /// Lets UDP through again.
    pub fn let_udp_through(&self, number: u8) -> Result<()> {
        ip(&["-n", &self.names[usize::from(number)], "rule", "del", "pref", "0"])
    }

    fn blackhole(&self, verb: &str, a: u8, b: u8) -> Result<()> {
        for (from, to) in [(a, b), (b, a)] {
            let to = format!("{}/32", Self::address(to));
            ip(&["-n", &self.names[usize::from(from)], "route", verb, "blackhole", &to])?;
        }
        Ok(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in self.names.iter().chain([&self.hub]) {
            if let Err(error) = ip(&["netns", "del", name]) {
                eprintln!("{error}");
            }
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let ran = Command::new(program).args(arguments).output().context("`ip` and `tc` run (package iproute2)")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{program} {}: {said} (network namespaces need root)", arguments.join(" "));
    Ok(())
}
