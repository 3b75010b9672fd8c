//! How a network is to be.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::error::Error;
use crate::rules::Outgoing;

/// How a network is to be. The defaults are those that images made by container2wasm find everywhere else.
#[derive(Debug, Clone)]
pub struct Options {
    /// The host's address in the network: router, DHCP and DNS server to the guest. 192.168.127.1.
    pub gateway: Ipv4Addr,
    /// The address that the guest gets. 192.168.127.3.
    pub guest: Ipv4Addr,
    /// How many bits of both addresses are the network's. 24.
    pub prefix: u8,
    /// The host's MAC address. One that is locally administered.
    pub gateway_mac: [u8; 6],
    /// How long the guest is told that it may keep its address; nobody takes it away after that. A day.
    pub lease: Duration,
    /// How long a connection to a guest waits for the guest to have an address. 30 s.
    pub address_timeout: Duration,
    /// How long it then waits for the guest to answer. 10 s.
    pub connect_timeout: Duration,
    /// How long the guest waits for the host to accept a connection. 10 s.
    pub decision_timeout: Duration,
    /// How long a connection that the host closed may take until the guest closed it too. 60 s.
    pub linger_timeout: Duration,
    /// How long a flow of datagrams that the guest began is kept when nothing goes either way. 60 s.
    pub idle_timeout: Duration,
    /// How many connections and flows there may be at once, those that wait for something included. Each can hold up to 640 KiB. 64.
    pub max_connections: usize,
    /// How many of them may wait at once for the host to accept them. 16.
    pub max_held: usize,
    /// What the guest may connect to. Nothing.
    pub outgoing: Outgoing,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gateway: Ipv4Addr::new(192, 168, 127, 1),
            guest: Ipv4Addr::new(192, 168, 127, 3),
            prefix: 24,
            gateway_mac: [0x02, 0x57, 0x41, 0x53, 0x47, 0x4f],
            lease: Duration::from_secs(24 * 60 * 60),
            address_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            decision_timeout: Duration::from_secs(10),
            linger_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            max_connections: 64,
            max_held: 16,
            outgoing: Outgoing::None,
        }
    }
}

/// No option may ask for more time: a year. What is added to a time stays one.
const MAX_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Nor for more connections: a port each.
const MAX_CONNECTIONS: usize = 16_384;

impl Options {
    /// The network's mask.
    pub(crate) fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |option, problem: &str| Err(Error::InvalidOption { option, problem: problem.to_owned() });
        if !(1..=30).contains(&self.prefix) {
            return wrong("prefix", "a network has a prefix of 1 to 30 bits");
        }
        let mask = u32::from(self.mask());
        let network = u32::from(self.gateway) & mask;
        for (option, address) in [("gateway", self.gateway), ("guest", self.guest)] {
            let bits = u32::from(address);
            if !is_host(address) || bits & !mask == 0 || bits & !mask == !mask {
                return wrong(option, "it is not the address of a host");
            }
            if crate::driver::names::is_virtual(address) {
                return wrong(option, "198.18.0.0/15 is for names");
            }
        }
        if u32::from(self.guest) & mask != network || self.guest == self.gateway {
            return wrong("guest", "it is not another address of the gateway's network");
        }
        if self.gateway_mac[0] & 1 != 0 || self.gateway_mac == [0; 6] {
            return wrong("gateway_mac", "it is not the address of one");
        }
        let times = [
            ("lease", self.lease),
            ("address_timeout", self.address_timeout),
            ("connect_timeout", self.connect_timeout),
            ("decision_timeout", self.decision_timeout),
            ("linger_timeout", self.linger_timeout),
            ("idle_timeout", self.idle_timeout),
        ];
        if let Some((option, _)) = times.into_iter().find(|(_, time)| *time > MAX_TIME) {
            return wrong(option, "it is longer than a year");
        }
        if self.lease.as_secs() == 0 {
            return wrong("lease", "it is less than a second");
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.max_connections) {
            return wrong("max_connections", "a network has 1 to 16,384 connections");
        }
        Ok(())
    }
}

/// Whether an address can be that of one host.
pub(crate) fn is_host(address: Ipv4Addr) -> bool {
    !(address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_loopback()
        || address.octets()[0] == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_a_meaning() {
        assert_eq!(Options::default().check(), Ok(()));
    }

    #[test]
    fn options_without_a_meaning_are_named() {
        let wrong = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            match options.check() {
                Err(Error::InvalidOption { option, .. }) => option,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wrong(|options| options.prefix = 31), "prefix");
        assert_eq!(wrong(|options| options.prefix = 0), "prefix");
        assert_eq!(wrong(|options| options.guest = options.gateway), "guest");
        assert_eq!(wrong(|options| options.guest = Ipv4Addr::new(192, 168, 128, 3)), "guest");
        assert_eq!(wrong(|options| options.guest = Ipv4Addr::new(192, 168, 127, 255)), "guest");
        assert_eq!(wrong(|options| options.gateway = Ipv4Addr::new(198, 18, 0, 1)), "gateway");
        assert_eq!(wrong(|options| options.gateway = Ipv4Addr::new(224, 0, 0, 1)), "gateway");
        assert_eq!(wrong(|options| options.gateway_mac = [1; 6]), "gateway_mac");
        assert_eq!(wrong(|options| options.lease = Duration::ZERO), "lease");
        assert_eq!(wrong(|options| options.idle_timeout = Duration::MAX), "idle_timeout");
        assert_eq!(wrong(|options| options.max_connections = 0), "max_connections");
    }
}
