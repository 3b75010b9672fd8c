//! What comes from the guest: whom each frame is for.

use std::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv4DstUnreachable,
    Icmpv4Message, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    UdpPacket, UdpRepr,
};

use super::dhcp::{CLIENT_PORT, Change, SERVER_PORT};
use super::names::is_virtual;
use super::table::Kind;
use super::{Key, Stack, dns};
use crate::event::{CloseReason, Event, Protocol, Target};
use crate::options::is_host;

const DNS_PORT: u16 = 53;

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    Malformed,
    Ignored,
    Fragment,
    Foreign,
    Refused,
    Overload,
}

type Taken = Result<(), Dropped>;

fn sound<T>(read: Result<T, smoltcp::wire::Error>) -> Result<T, Dropped> {
    read.map_err(|_| Dropped::Malformed)
}

impl Stack {
    pub(super) fn take_frame(&mut self, frame: &[u8]) {
        self.status.received.frames += 1;
        self.status.received.bytes += frame.len() as u64;
        if let Err(why) = self.ethernet(frame) {
            let drops = &mut self.status.dropped;
            *match why {
                Dropped::Malformed => &mut drops.malformed,
                Dropped::Ignored => &mut drops.ignored,
                Dropped::Fragment => &mut drops.fragments,
                Dropped::Foreign => &mut drops.foreign,
                Dropped::Refused => &mut drops.refused,
                Dropped::Overload => &mut drops.overload,
            } += 1;
        }
    }

    fn ethernet(&mut self, frame: &[u8]) -> Taken {
        let frame = sound(EthernetFrame::new_checked(frame))?;
        let to = frame.dst_addr();
        if to != EthernetAddress(self.options.gateway_mac) && !to.is_broadcast() {
            return Err(Dropped::Ignored);
        }
        match frame.ethertype() {
            EthernetProtocol::Arp => self.arp(frame.payload()),
            EthernetProtocol::Ipv4 => self.ipv4(frame.payload(), frame.src_addr()),
            _ => Err(Dropped::Ignored),
        }
    }

    /// Whether the gateway stands for an address, in its own network and around it.
    fn stands_for(&self, address: Ipv4Addr) -> bool {
        address == self.options.gateway
            || (address != self.options.guest && (is_virtual(address) || self.options.outgoing.knows_address(address)))
    }

    fn arp(&mut self, packet: &[u8]) -> Taken {
        let ArpRepr::EthernetIpv4 {
            operation, source_hardware_addr, source_protocol_addr, target_protocol_addr, ..
        } = sound(ArpRepr::parse(&sound(ArpPacket::new_checked(packet))?))?
        else {
            return Err(Dropped::Ignored);
        };
        // Whoever speaks of the address as its own uses it; to say so when asked is all that a guest which only serves ever does.
        let uses_it = self.mac() == Some(source_hardware_addr) && source_protocol_addr == self.options.guest;
        if uses_it {
            self.reached();
        }
        if uses_it && operation == ArpOperation::Reply {
            return Ok(());
        }
        if operation != ArpOperation::Request
            || !source_hardware_addr.is_unicast()
            || !self.stands_for(target_protocol_addr)
        {
            return Err(Dropped::Ignored);
        }
        let answer = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: EthernetAddress(self.options.gateway_mac),
            source_protocol_addr: target_protocol_addr,
            target_hardware_addr: source_hardware_addr,
            target_protocol_addr: source_protocol_addr,
        };
        self.out.frame(source_hardware_addr, EthernetProtocol::Arp, answer.buffer_len(), |buffer| {
            answer.emit(&mut ArpPacket::new_unchecked(buffer));
        });
        Ok(())
    }

    fn ipv4(&mut self, bytes: &[u8], source: EthernetAddress) -> Taken {
        let packet = sound(Ipv4Packet::new_checked(bytes))?;
        if packet.more_frags() || packet.frag_offset() != 0 {
            return Err(Dropped::Fragment);
        }
        let ip = sound(Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()))?;
        let content = packet.payload();
        if ip.next_header == IpProtocol::Udp {
            let datagram = sound(UdpPacket::new_checked(content))?;
            if datagram.dst_port() == SERVER_PORT && (ip.dst_addr.is_broadcast() || ip.dst_addr == self.options.gateway)
            {
                return self.dhcp(&ip, &datagram, source);
            }
        }
        if self.mac() != Some(source) || ip.src_addr != self.options.guest {
            return Err(Dropped::Foreign);
        }
        self.reached();
        // Neither to all, nor to many, nor to itself by a detour.
        let broadcast = u32::from(self.options.guest) | !u32::from(self.options.mask());
        if !is_host(ip.dst_addr) || ip.dst_addr == self.options.guest || u32::from(ip.dst_addr) == broadcast {
            return Err(Dropped::Ignored);
        }
        match ip.next_header {
            IpProtocol::Tcp => self.tcp(&ip, content, &bytes[..usize::from(packet.total_len())]),
            IpProtocol::Udp => self.udp(&ip, content),
            IpProtocol::Icmp => self.icmp(&ip, content),
            _ => {
                self.out.unreachable(self.options.gateway, &ip, content, Icmpv4DstUnreachable::ProtoUnreachable);
                Err(Dropped::Ignored)
            }
        }
    }

    fn dhcp(&mut self, ip: &Ipv4Repr, datagram: &UdpPacket<&[u8]>, source: EthernetAddress) -> Taken {
        let checksums = ChecksumCapabilities::default();
        sound(UdpRepr::parse(datagram, &ip.src_addr.into(), &ip.dst_addr.into(), &checksums))?;
        let outcome = self.dhcp.receive(datagram.payload(), source, &self.options).ok_or(Dropped::Malformed)?;
        if let Some(reply) = outcome.reply {
            let (from, to) = ((self.options.gateway, SERVER_PORT), (reply.address, CLIENT_PORT));
            self.out.datagram_to(reply.mac, from, to, &reply.message);
        }
        match outcome.change {
            Some(Change::Leased(mac)) => self.leased(mac),
            Some(Change::Released) => self.down(),
            None => {}
        }
        Ok(())
    }

    /// What a guest means by an address.
    fn target(&mut self, address: Ipv4Addr) -> Option<Target> {
        if is_virtual(address) { self.names.name(address).map(Target::Name) } else { Some(Target::Address(address)) }
    }

    fn tcp(&mut self, ip: &Ipv4Repr, content: &[u8], packet: &[u8]) -> Taken {
        let header = sound(TcpPacket::new_checked(content))?;
        let checksums = ChecksumCapabilities::default();
        let segment = sound(TcpRepr::parse(&header, &ip.src_addr.into(), &ip.dst_addr.into(), &checksums))?;
        let key = Key {
            protocol: Protocol::Tcp,
            local: ip.dst_addr,
            local_port: segment.dst_port,
            guest_port: segment.src_port,
        };
        if let Some(id) = self.find(&key) {
            match self.connections.get_mut(&id).map(|connection| &mut connection.kind) {
                Some(Kind::Tcp(tcp)) => {
                    tcp.receive(packet, self.clock, &mut self.interface, &mut self.out);
                    self.make_ready(id);
                }
                Some(Kind::Held(_)) if segment.control == TcpControl::Rst => self.finish(id, CloseReason::Reset),
                // It says again what it said.
                _ => {}
            }
            return Ok(());
        }
        match (segment.control, segment.ack_number) {
            (TcpControl::Rst, _) => Ok(()),
            (TcpControl::Syn, None) => {
                let asked = self.ask(key, Kind::Held(packet.to_vec()));
                if asked.is_err() {
                    self.out.refuse(ip, &segment);
                }
                asked
            }
            _ => {
                self.out.refuse(ip, &segment);
                Err(Dropped::Refused)
            }
        }
    }

    /// Asks the host whether the guest may connect, if the rules allow it.
    fn ask(&mut self, key: Key, kind: Kind) -> Taken {
        let target = self.target(key.local).ok_or(Dropped::Refused)?;
        if !self.options.outgoing.allows(&target, key.local_port, key.protocol) {
            return Err(Dropped::Refused);
        }
        let (port, protocol) = (key.local_port, key.protocol);
        let id = self.hold(key, kind).ok_or(Dropped::Overload)?;
        (self.tell)(Event::Outgoing { id, target, port, protocol });
        Ok(())
    }

    fn udp(&mut self, ip: &Ipv4Repr, content: &[u8]) -> Taken {
        let datagram = sound(UdpPacket::new_checked(content))?;
        let repr = sound(UdpRepr::parse(
            &datagram,
            &ip.src_addr.into(),
            &ip.dst_addr.into(),
            &ChecksumCapabilities::default(),
        ))?;
        if ip.dst_addr == self.options.gateway && repr.dst_port == DNS_PORT {
            return self.dns(ip, repr.src_port, datagram.payload());
        }
        if repr.src_port == 0 {
            return Err(Dropped::Malformed);
        }
        let key =
            Key { protocol: Protocol::Udp, local: ip.dst_addr, local_port: repr.dst_port, guest_port: repr.src_port };
        if self.find(&key).is_none() {
            let asked = self.ask(key, Kind::Udp(super::udp::Udp::new(true, self.now)));
            if asked.is_err() {
                self.out.unreachable(ip.dst_addr, ip, content, Icmpv4DstUnreachable::PortUnreachable);
                return asked;
            }
        }
        let Some(id) = self.find(&key) else { return Err(Dropped::Refused) };
        let Some(Kind::Udp(udp)) = self.connections.get_mut(&id).map(|connection| &mut connection.kind) else {
            return Err(Dropped::Refused);
        };
        if !udp.receive(datagram.payload(), self.now) {
            return Err(Dropped::Overload);
        }
        self.make_ready(id);
        Ok(())
    }

    fn dns(&mut self, ip: &Ipv4Repr, port: u16, message: &[u8]) -> Taken {
        let query = dns::parse(message).ok_or(Dropped::Malformed)?;
        let answer =
            dns::answer(&query, |name| self.options.outgoing.knows_name(name), |name| self.names.address(name));
        self.out.datagram((ip.dst_addr, DNS_PORT), (ip.src_addr, port), &dns::emit(&query, answer));
        Ok(())
    }

    fn icmp(&mut self, ip: &Ipv4Repr, content: &[u8]) -> Taken {
        let packet = sound(Icmpv4Packet::new_checked(content))?;
        if packet.msg_type() == Icmpv4Message::DstUnreachable && packet.verify_checksum() {
            return self.unreachable(packet.data());
        }
        match sound(Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default()))? {
            Icmpv4Repr::EchoRequest { ident, seq_no, data } if ip.dst_addr == self.options.gateway => {
                self.out.icmp(ip.dst_addr, ip.src_addr, &Icmpv4Repr::EchoReply { ident, seq_no, data });
                Ok(())
            }
            Icmpv4Repr::EchoRequest { .. } => {
                self.out.unreachable(self.options.gateway, ip, content, Icmpv4DstUnreachable::HostProhibited);
                Err(Dropped::Refused)
            }
            _ => Err(Dropped::Ignored),
        }
    }

    /// The guest says that nothing takes what was sent to it, and quotes the beginning of it. Of TCP it says so by a reset.
    fn unreachable(&mut self, quoted: &[u8]) -> Taken {
        let Some((header, _)) = quoted.split_first_chunk::<20>() else { return Err(Dropped::Malformed) };
        let header = Ipv4Packet::new_unchecked(header.as_slice());
        let Some(&[a, b, c, d]) =
            quoted.get(usize::from(header.header_len())..).and_then(|content| content.first_chunk::<4>())
        else {
            return Err(Dropped::Malformed);
        };
        if header.next_header() != IpProtocol::Udp || header.dst_addr() != self.options.guest {
            return Err(Dropped::Ignored);
        }
        let (local_port, guest_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let key = Key { protocol: Protocol::Udp, local: header.src_addr(), local_port, guest_port };
        let id = self.find(&key).ok_or(Dropped::Ignored)?;
        self.finish(id, CloseReason::Refused);
        Ok(())
    }
}
