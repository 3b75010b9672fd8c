//! What a network says about itself.

use std::net::Ipv4Addr;

/// How a network is, as of the driver's last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Status {
    /// The guest's address, if it has one and uses it.
    pub address: Option<Ipv4Addr>,
    /// The guest's MAC address, if it was given an address.
    pub mac: Option<[u8; 6]>,
    /// What the guest sent.
    pub received: Traffic,
    /// What was sent to the guest.
    pub sent: Traffic,
    /// What was not processed, or not sent.
    pub dropped: Drops,
    /// Connections and flows that there are, those that wait for something included.
    pub connections: usize,
    /// The names that have an address for the guest.
    pub names: usize,
}

/// Frames that went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// How many.
    pub frames: u64,
    /// Their bytes, without the lengths before them.
    pub bytes: u64,
}

/// Frames that were dropped, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Drops {
    /// Frames without a byte, or with more than a frame may have.
    pub length: u64,
    /// Frames whose content is not what it says it is: headers, lengths, checksums.
    pub malformed: u64,
    /// Frames of a kind that this network has no use for: IPv6, multicast, tagged frames, other protocols.
    pub ignored: u64,
    /// Parts of packets: none is put together.
    pub fragments: u64,
    /// Frames that came from another address than the guest has.
    pub foreign: u64,
    /// Connections and datagrams that the rules do not allow, and those to ports where nothing is.
    pub refused: u64,
    /// New connections and datagrams beyond what may be held.
    pub overload: u64,
    /// Frames to the guest that did not fit into the queue that it reads from.
    pub unread: u64,
}
