//! Frames by hand.

use std::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame,
    EthernetProtocol, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber, UdpPacket, UdpRepr,
};

use super::{GATEWAY, GUEST_MAC};

pub const GATEWAY_MAC: [u8; 6] = [0x02, 0x57, 0x41, 0x53, 0x47, 0x4f];
pub const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

pub fn ethernet(
    from: [u8; 6],
    to: [u8; 6],
    protocol: EthernetProtocol,
    length: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let mut bytes = vec![0; 14 + length];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    frame.set_src_addr(EthernetAddress(from));
    frame.set_dst_addr(EthernetAddress(to));
    frame.set_ethertype(protocol);
    fill(frame.payload_mut());
    bytes
}

pub fn ipv4(
    mac: [u8; 6],
    from: Ipv4Addr,
    to: Ipv4Addr,
    next_header: IpProtocol,
    length: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let to_mac = if to.is_broadcast() { [0xff; 6] } else { GATEWAY_MAC };
    let repr = Ipv4Repr { src_addr: from, dst_addr: to, next_header, payload_len: length, hop_limit: 64 };
    ethernet(mac, to_mac, EthernetProtocol::Ipv4, 20 + length, |bytes| {
        let mut packet = Ipv4Packet::new_unchecked(bytes);
        repr.emit(&mut packet, &ChecksumCapabilities::default());
        fill(packet.payload_mut());
    })
}

pub fn udp(mac: [u8; 6], from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let repr = UdpRepr { src_port: from.1, dst_port: to.1 };
    ipv4(mac, from.0, to.0, IpProtocol::Udp, 8 + payload.len(), |bytes| {
        let mut packet = UdpPacket::new_unchecked(bytes);
        let fill = |bytes: &mut [u8]| bytes.copy_from_slice(payload);
        repr.emit(&mut packet, &from.0.into(), &to.0.into(), payload.len(), fill, &ChecksumCapabilities::default());
    })
}

pub fn tcp(
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    control: TcpControl,
    seq: i32,
    ack: Option<i32>,
    payload: &[u8],
) -> Vec<u8> {
    let repr = TcpRepr {
        src_port: from.1,
        dst_port: to.1,
        control,
        seq_number: TcpSeqNumber(seq),
        ack_number: ack.map(TcpSeqNumber),
        window_len: 1_000,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload,
    };
    ipv4(GUEST_MAC, from.0, to.0, IpProtocol::Tcp, repr.buffer_len(), |bytes| {
        let mut packet = TcpPacket::new_unchecked(bytes);
        repr.emit(&mut packet, &from.0.into(), &to.0.into(), &ChecksumCapabilities::default());
    })
}

pub fn syn(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Vec<u8> {
    tcp(from, to, TcpControl::Syn, 1_000, None, &[])
}

pub fn arp(mac: [u8; 6], from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac),
        source_protocol_addr: from,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: to,
    };
    ethernet(mac, [0xff; 6], EthernetProtocol::Arp, repr.buffer_len(), |bytes| {
        repr.emit(&mut ArpPacket::new_unchecked(bytes))
    })
}

/// An answer to the gateway's question who has an address.
pub fn arp_answer(mac: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(mac),
        source_protocol_addr: address,
        target_hardware_addr: EthernetAddress(GATEWAY_MAC),
        target_protocol_addr: GATEWAY,
    };
    ethernet(mac, GATEWAY_MAC, EthernetProtocol::Arp, repr.buffer_len(), |bytes| {
        repr.emit(&mut ArpPacket::new_unchecked(bytes))
    })
}

pub fn ping(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let repr = Icmpv4Repr::EchoRequest { ident: 1, seq_no: 2, data: b"abc" };
    ipv4(GUEST_MAC, from, to, IpProtocol::Icmp, repr.buffer_len(), |bytes| {
        repr.emit(&mut Icmpv4Packet::new_unchecked(bytes), &ChecksumCapabilities::default());
    })
}

/// A client's message, with what it asks for and of whom.
pub struct Dhcp {
    pub kind: DhcpMessageType,
    pub mac: [u8; 6],
    pub wants: Option<Ipv4Addr>,
    pub has: Ipv4Addr,
    pub server: Option<Ipv4Addr>,
    pub broadcast: bool,
}

impl Dhcp {
    pub fn new(kind: DhcpMessageType, mac: [u8; 6]) -> Self {
        Self { kind, mac, wants: None, has: ANY, server: None, broadcast: false }
    }

    pub fn repr(&self) -> DhcpRepr<'static> {
        DhcpRepr {
            message_type: self.kind,
            transaction_id: 0x1234_5678,
            secs: 0,
            client_hardware_address: EthernetAddress(self.mac),
            client_ip: self.has,
            your_ip: ANY,
            server_ip: ANY,
            router: None,
            subnet_mask: None,
            relay_agent_ip: ANY,
            broadcast: self.broadcast,
            requested_ip: self.wants,
            client_identifier: Some(EthernetAddress(self.mac)),
            server_identifier: self.server,
            parameter_request_list: Some(&[1, 3, 6]),
            dns_servers: None,
            max_size: None,
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        }
    }

    pub fn message(&self) -> Vec<u8> {
        let repr = self.repr();
        let mut message = vec![0; repr.buffer_len()];
        repr.emit(&mut DhcpPacket::new_unchecked(&mut message[..])).unwrap();
        message
    }

    pub fn frame(&self) -> Vec<u8> {
        udp(self.mac, (self.has, 68), (Ipv4Addr::BROADCAST, 67), &self.message())
    }
}

/// A question for a name.
pub fn dns(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&1_u16.to_be_bytes());
    message
}

/// What a frame is, shortly.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// Who is where.
    Arp([u8; 6], Ipv4Addr),
    Pong,
    /// From whom, for a packet to whom, and the code.
    Unreachable(Ipv4Addr, Ipv4Addr, u8),
    /// From whom, and to which port.
    Reset((Ipv4Addr, u16), u16),
    Segment((Ipv4Addr, u16), u16),
    Datagram((Ipv4Addr, u16), u16, Vec<u8>),
}

/// Whether a frame asks for a MAC address.
pub fn asks(frame: &[u8]) -> bool {
    frame[12..14] == [8, 6] && frame[21] == 1
}

/// Reads a frame that came from the gateway.
pub fn read(frame: &[u8]) -> Seen {
    let frame = EthernetFrame::new_checked(frame).unwrap();
    assert_eq!(frame.src_addr().0, GATEWAY_MAC);
    if frame.ethertype() == EthernetProtocol::Arp {
        let Ok(ArpRepr::EthernetIpv4 { source_hardware_addr, source_protocol_addr, .. }) =
            ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).unwrap())
        else {
            panic!("no ARP");
        };
        return Seen::Arp(source_hardware_addr.0, source_protocol_addr);
    }
    let checksums = ChecksumCapabilities::default();
    let packet = Ipv4Packet::new_checked(frame.payload()).unwrap();
    let ip = Ipv4Repr::parse(&packet, &checksums).unwrap();
    let (from, to) = (ip.src_addr, ip.dst_addr);
    match ip.next_header {
        // The stack's own reader insists on all of what is quoted.
        IpProtocol::Icmp if packet.payload()[0] == 3 => {
            let message = Icmpv4Packet::new_checked(packet.payload()).unwrap();
            assert!(message.verify_checksum());
            Seen::Unreachable(from, Ipv4Packet::new_unchecked(message.data()).dst_addr(), message.msg_code())
        }
        IpProtocol::Icmp => {
            match Icmpv4Repr::parse(&Icmpv4Packet::new_checked(packet.payload()).unwrap(), &checksums).unwrap() {
                Icmpv4Repr::EchoReply { ident: 1, seq_no: 2, data: b"abc" } if from == GATEWAY => Seen::Pong,
                other => panic!("{other:?}"),
            }
        }
        IpProtocol::Udp => {
            let datagram = UdpPacket::new_checked(packet.payload()).unwrap();
            let repr = UdpRepr::parse(&datagram, &from.into(), &to.into(), &checksums).unwrap();
            Seen::Datagram((from, repr.src_port), repr.dst_port, datagram.payload().to_vec())
        }
        IpProtocol::Tcp => {
            let segment = TcpPacket::new_checked(packet.payload()).unwrap();
            let repr = TcpRepr::parse(&segment, &from.into(), &to.into(), &checksums).unwrap();
            let (from, to) = ((from, repr.src_port), repr.dst_port);
            if repr.control == TcpControl::Rst { Seen::Reset(from, to) } else { Seen::Segment(from, to) }
        }
        other => panic!("{other}"),
    }
}
