//! The server that gives the guest its address.

use std::net::Ipv4Addr;

use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress};

use crate::options::Options;

/// Where DHCP servers listen, and where clients do.
pub(crate) const SERVER_PORT: u16 = 67;
pub(crate) const CLIENT_PORT: u16 = 68;

/// What BOOTP had at least. Old clients insist on it.
const MIN_MESSAGE: usize = 300;

/// Who has the address. There is one to give, and one guest to give it to: the last that asked for it.
#[derive(Default)]
pub(crate) struct Dhcp {
    offered: Option<EthernetAddress>,
    leased: Option<EthernetAddress>,
}

/// What came of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) reply: Option<Reply>,
    pub(crate) change: Option<Change>,
}

/// An answer, and where it goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) message: Vec<u8>,
    pub(crate) mac: EthernetAddress,
    pub(crate) address: Ipv4Addr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Somebody else than before has the address.
    Leased(EthernetAddress),
    /// Nobody has it any longer.
    Released,
}

impl Dhcp {
    /// Reads a message that came from `source`; none if it is malformed.
    pub(crate) fn receive(&mut self, message: &[u8], source: EthernetAddress, options: &Options) -> Option<Outcome> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let request = DhcpRepr::parse(&packet).ok()?;
        let client = request.client_hardware_address;
        // There is no relay on a cable, nor anybody who may speak for others.
        if client != source || !client.is_unicast() || !request.relay_agent_ip.is_unspecified() {
            return None;
        }
        let to_us = request.server_identifier.is_none_or(|server| server == options.gateway);
        Some(match request.message_type {
            DhcpMessageType::Discover => {
                self.offered = Some(client);
                reply(&request, DhcpMessageType::Offer, options)
            }
            DhcpMessageType::Request if to_us => self.request(&request, options),
            DhcpMessageType::Release | DhcpMessageType::Decline if to_us && self.leased == Some(client) => {
                *self = Self::default();
                Outcome { reply: None, change: Some(Change::Released) }
            }
            DhcpMessageType::Inform => reply(&request, DhcpMessageType::Ack, options),
            _ => Outcome::default(),
        })
    }

    fn request(&mut self, request: &DhcpRepr<'_>, options: &Options) -> Outcome {
        let client = request.client_hardware_address;
        let wanted = request.requested_ip.unwrap_or(request.client_ip);
        let may_have = match (self.offered, self.leased) {
            // It remembers its address from before.
            (None, None) => true,
            (offered, leased) => offered == Some(client) || leased == Some(client),
        };
        if wanted != options.guest || !may_have {
            return reply(request, DhcpMessageType::Nak, options);
        }
        self.offered = None;
        let before = self.leased.replace(client);
        let change = (before != Some(client)).then_some(Change::Leased(client));
        Outcome { change, ..reply(request, DhcpMessageType::Ack, options) }
    }
}

fn reply(request: &DhcpRepr<'_>, message_type: DhcpMessageType, options: &Options) -> Outcome {
    let refused = message_type == DhcpMessageType::Nak;
    let informed = request.message_type == DhcpMessageType::Inform;
    let lease = u32::try_from(options.lease.as_secs()).unwrap_or(u32::MAX);
    let reply = DhcpRepr {
        message_type,
        transaction_id: request.transaction_id,
        secs: 0,
        client_hardware_address: request.client_hardware_address,
        client_ip: if refused { Ipv4Addr::UNSPECIFIED } else { request.client_ip },
        your_ip: if refused || informed { Ipv4Addr::UNSPECIFIED } else { options.guest },
        server_ip: Ipv4Addr::UNSPECIFIED,
        router: (!refused).then_some(options.gateway),
        subnet_mask: (!refused).then(|| options.mask()),
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        broadcast: request.broadcast,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(options.gateway),
        parameter_request_list: None,
        dns_servers: (!refused).then(|| [options.gateway].into_iter().collect()),
        max_size: None,
        lease_duration: (!refused && !informed).then_some(lease),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    };
    let mut message = vec![0; reply.buffer_len().max(MIN_MESSAGE)];
    let length = reply.buffer_len();
    if reply.emit(&mut DhcpPacket::new_unchecked(&mut message[..length])).is_err() {
        return Outcome::default();
    }
    let (mac, address) = if refused || (request.broadcast && request.client_ip.is_unspecified()) {
        (EthernetAddress::BROADCAST, Ipv4Addr::BROADCAST)
    } else {
        let known = if request.client_ip.is_unspecified() { reply.your_ip } else { options.guest };
        (request.client_hardware_address, known)
    };
    Outcome { reply: Some(Reply { message, mac, address }), change: None }
}
