//! Frames to the guest, and the device that the TCP stack sees.

use std::net::Ipv4Addr;

use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv4DstUnreachable,
    Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    UdpPacket, UdpRepr,
};

use crate::cable::TO_GUEST;
use crate::status::Traffic;

/// What a packet has at most.
pub(crate) const MTU: usize = 1_500;

pub(crate) const ETHERNET_HEADER: usize = 14;

/// The length before each frame.
const LENGTH: usize = 4;

const IP_HEADER: usize = 20;

const UDP_HEADER: usize = 8;

/// Gathers frames for the guest: the queue that it reads from is locked once for all of them.
pub(crate) struct Out {
    batch: Vec<u8>,
    room: usize,
    gateway_mac: EthernetAddress,
    /// Who has the guest's address.
    pub(crate) guest_mac: EthernetAddress,
    pub(crate) sent: Traffic,
    /// Frames that there was no room for.
    pub(crate) dropped: u64,
}

impl Out {
    pub(crate) fn new(gateway_mac: [u8; 6]) -> Self {
        Self {
            batch: Vec::new(),
            room: 0,
            gateway_mac: EthernetAddress(gateway_mac),
            guest_mac: EthernetAddress::BROADCAST,
            sent: Traffic::default(),
            dropped: 0,
        }
    }

    /// Begins a batch, when the guest has so many bytes to read already.
    pub(crate) fn begin(&mut self, unread: usize) {
        self.room = TO_GUEST.saturating_sub(unread);
    }

    /// The batch, to be taken.
    pub(crate) fn batch(&mut self) -> &mut Vec<u8> {
        &mut self.batch
    }

    /// Whether any frame would fit.
    pub(crate) fn has_room(&self) -> bool {
        self.room >= LENGTH + ETHERNET_HEADER + MTU
    }

    /// Adds a frame, if it fits. What `fill` makes is lost otherwise.
    pub(crate) fn frame<R>(
        &mut self,
        to: EthernetAddress,
        protocol: EthernetProtocol,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        let start = self.batch.len();
        let frame = ETHERNET_HEADER + length;
        self.batch.extend_from_slice(&(frame as u32).to_be_bytes());
        self.batch.resize(start + LENGTH + frame, 0);
        let mut ethernet = EthernetFrame::new_unchecked(&mut self.batch[start + LENGTH..]);
        ethernet.set_dst_addr(to);
        ethernet.set_src_addr(self.gateway_mac);
        ethernet.set_ethertype(protocol);
        let result = fill(ethernet.payload_mut());
        if LENGTH + frame > self.room {
            self.batch.truncate(start);
            self.dropped += 1;
        } else {
            self.room -= LENGTH + frame;
            self.sent.frames += 1;
            self.sent.bytes += frame as u64;
        }
        result
    }

    /// Asks who has an address.
    pub(crate) fn ask_for(&mut self, own: Ipv4Addr, address: Ipv4Addr) {
        let question = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: self.gateway_mac,
            source_protocol_addr: own,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: address,
        };
        self.frame(EthernetAddress::BROADCAST, EthernetProtocol::Arp, question.buffer_len(), |buffer| {
            question.emit(&mut ArpPacket::new_unchecked(buffer));
        });
    }

    /// Adds a packet from `from` to `to`, whose content has `length` bytes.
    fn packet(
        &mut self,
        mac: EthernetAddress,
        from: Ipv4Addr,
        to: Ipv4Addr,
        next_header: IpProtocol,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) {
        let repr = Ipv4Repr { src_addr: from, dst_addr: to, next_header, payload_len: length, hop_limit: 64 };
        self.frame(mac, EthernetProtocol::Ipv4, IP_HEADER + length, |buffer| {
            let mut packet = Ipv4Packet::new_unchecked(buffer);
            repr.emit(&mut packet, &ChecksumCapabilities::default());
            fill(packet.payload_mut());
        });
    }

    /// Adds a datagram to whoever has `mac`.
    pub(crate) fn datagram_to(
        &mut self,
        mac: EthernetAddress,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        payload: &[u8],
    ) {
        let repr = UdpRepr { src_port: from.1, dst_port: to.1 };
        self.packet(mac, from.0, to.0, IpProtocol::Udp, UDP_HEADER + payload.len(), |buffer| {
            let mut packet = UdpPacket::new_unchecked(buffer);
            let fill = |buffer: &mut [u8]| buffer.copy_from_slice(payload);
            repr.emit(&mut packet, &from.0.into(), &to.0.into(), payload.len(), fill, &ChecksumCapabilities::default());
        });
    }

    /// Adds a datagram to the guest.
    pub(crate) fn datagram(&mut self, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) {
        self.datagram_to(self.guest_mac, from, to, payload);
    }

    /// Answers a segment with a reset.
    pub(crate) fn refuse(&mut self, ip: &Ipv4Repr, segment: &TcpRepr<'_>) {
        let answers_ack = segment.ack_number.is_some();
        let reset = TcpRepr {
            src_port: segment.dst_port,
            dst_port: segment.src_port,
            control: TcpControl::Rst,
            seq_number: segment.ack_number.unwrap_or(TcpSeqNumber(0)),
            ack_number: (!answers_ack).then(|| segment.seq_number + segment.segment_len()),
            window_len: 0,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        self.packet(self.guest_mac, ip.dst_addr, ip.src_addr, IpProtocol::Tcp, reset.buffer_len(), |buffer| {
            let mut packet = TcpPacket::new_unchecked(buffer);
            reset.emit(&mut packet, &ip.dst_addr.into(), &ip.src_addr.into(), &ChecksumCapabilities::default());
        });
    }

    /// Answers a packet with "unreachable", from the gateway or from where the packet was to go.
    pub(crate) fn unreachable(&mut self, from: Ipv4Addr, ip: &Ipv4Repr, content: &[u8], reason: Icmpv4DstUnreachable) {
        // What is quoted is the packet's header and the beginning of its content, which has the ports.
        let Some(data) = content.get(..8) else { return };
        self.icmp(from, ip.src_addr, &Icmpv4Repr::DstUnreachable { reason, header: *ip, data });
    }

    pub(crate) fn icmp(&mut self, from: Ipv4Addr, to: Ipv4Addr, repr: &Icmpv4Repr<'_>) {
        self.packet(self.guest_mac, from, to, IpProtocol::Icmp, repr.buffer_len(), |buffer| {
            repr.emit(&mut Icmpv4Packet::new_unchecked(buffer), &ChecksumCapabilities::default());
        });
    }
}

/// What the TCP stack takes for its network: one packet that came, and packets that go.
pub(crate) struct Wire<'a> {
    pub(crate) packet: Option<&'a [u8]>,
    pub(crate) out: &'a mut Out,
}

impl Device for Wire<'_> {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Sending<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        let packet = self.packet.take()?;
        Some((Received(packet), Sending(self.out)))
    }

    /// Without room for a packet there is no sending, so that none of TCP's is ever lost: a guest that reads slowly slows the sender.
    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        self.out.has_room().then_some(Sending(self.out))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        // They were looked at before, when what is wrong can still be counted.
        (capabilities.checksum.ipv4, capabilities.checksum.tcp) = (Checksum::Tx, Checksum::Tx);
        capabilities
    }
}

pub(crate) struct Received<'a>(&'a [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

pub(crate) struct Sending<'a>(&'a mut Out);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        self.0.frame(self.0.guest_mac, EthernetProtocol::Ipv4, length, fill)
    }
}
