//! A network of our own between real processes.
//!
//! Each host is a network namespace (and a mount namespace) without a name,
//! which lives only in the thread that made it and in the processes started from
//! there: when the run ends, however it ends, nothing is left behind. Its
//! only interface is a TUN device, and [`Switch`] is the wire between them: this
//! process reads every packet, and drops it, delays it or hands it on, as the
//! [`Link`] from one host to the other says. So one direction of one pair can be
//! cut, silently, as a broken cable does it.
//!
//! It needs root and `/dev/net/tun`; [`Network::start`] says so where they are missing.

mod host;
mod link;
mod queue;
mod switch;
mod tun;

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, ensure};

pub use host::Host;
pub use link::Link;
use switch::Switch;

/// The most hosts of a network.
pub const MAX_HOSTS: usize = 16;

/// Hosts and the wires between them.
#[derive(Debug)]
pub struct Network {
    hosts: Vec<Arc<Host>>,
    switch: Switch,
}

impl Network {
    /// Makes this many hosts, all connected.
    pub fn start(hosts: usize) -> anyhow::Result<Self> {
        ensure!(hosts <= MAX_HOSTS, "at most {MAX_HOSTS} hosts");
        ensure!(is_possible(), "a network needs root and /dev/net/tun");
        let mut made = Vec::new();
        let mut devices = Vec::new();
        for number in 0..hosts {
            let (host, device) = Host::start(address(number))
                .with_context(|| format!("make the host {}", address(number)))?;
            made.push(Arc::new(host));
            devices.push(device);
        }
        Ok(Self {
            hosts: made,
            switch: Switch::start(devices)?,
        })
    }

    /// A host.
    pub fn host(&self, number: usize) -> anyhow::Result<&Arc<Host>> {
        self.hosts
            .get(number)
            .with_context(|| format!("no host {number}"))
    }

    /// Lets hosts send no larger packets than this, with their headers: long ways
    /// have the 1,500 bytes of Ethernet.
    pub fn limit_packets(&self, bytes: u16) -> anyhow::Result<()> {
        self.hosts
            .iter()
            .try_for_each(|host| host.limit_packets(bytes))
    }

    /// Changes what happens to packets from one host to another.
    pub fn set(&self, from: usize, to: usize, link: Link) {
        self.switch.set(from, to, link);
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        for from in 0..self.hosts.len() {
            for to in 0..self.hosts.len() {
                self.set(from, to, Link::default());
            }
        }
    }
}

/// Whether this process may make a network.
pub fn is_possible() -> bool {
    rustix::process::geteuid().is_root() && std::path::Path::new("/dev/net/tun").exists()
}

/// The address of a host.
fn address(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number + 1).unwrap_or(u8::MAX);
    Ipv4Addr::new(10, 77, 0, last)
}

/// The host with this address.
fn number(address: [u8; 4]) -> Option<usize> {
    match address {
        [10, 77, 0, last] => usize::from(last).checked_sub(1),
        _ => None,
    }
}
