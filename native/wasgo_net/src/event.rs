//! What a host is told, and the words in which it answers.

use std::fmt;
use std::net::Ipv4Addr;

use bytes::Bytes;

/// Names a connection, or a flow of datagrams, of one network. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) u64);

impl ConnectionId {
    /// The id as a number, for tables and logs.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A stream of bytes each way.
    Tcp,
    /// Datagrams each way.
    Udp,
}

/// Where a guest wants to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A name that it asked the network's DNS for: in lower case, without a dot at its end, not resolved.
    Name(String),
    /// An address that it named itself.
    Address(Ipv4Addr),
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// What happens in a network. Told by the driver while it holds no lock, so that whoever hears it may call any function of
/// [`Network`](crate::Network); it should return soon, as the network stands still meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The guest has its address, and uses it.
    Up {
        /// The address.
        address: Ipv4Addr,
    },
    /// A connection is there: data can go both ways.
    Connected(ConnectionId),
    /// What the guest sent: a part of its stream, or one datagram.
    Data(ConnectionId, Bytes),
    /// The guest will send no more (its FIN), and everything that it sent has been told. It may still read.
    PeerClosed(ConnectionId),
    /// There is room again after [`WriteOutcome::Full`].
    Writable(ConnectionId),
    /// A connection is over. Nothing more is told of it.
    Closed(ConnectionId, CloseReason),
    /// The guest wants to connect to something outside, which the rules allow: to be answered by
    /// [`accept`](crate::Network::accept) or [`reject`](crate::Network::reject).
    Outgoing {
        /// The connection that is not there yet.
        id: ConnectionId,
        /// To where.
        target: Target,
        /// To which port.
        port: u16,
        /// By which protocol.
        protocol: Protocol,
    },
    /// The guest sent what makes its end of the cable unusable. The network is over, after a [`Event::Closed`] for each connection.
    Broken(BrokenReason),
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides said that they were done.
    Done,
    /// Nothing listens on that port of the guest.
    Refused,
    /// The guest reset it.
    Reset,
    /// The host reset it.
    Aborted,
    /// The host rejected it.
    Rejected,
    /// The guest had no address in time.
    NoAddress,
    /// The guest did not answer in time.
    ConnectTimeout,
    /// The host did not decide in time whether it may be.
    DecisionTimeout,
    /// No datagram went either way for a long time.
    IdleTimeout,
    /// The host closed it, and the guest did not do so in time.
    LingerTimeout,
    /// The guest gave its address back, or another one has it now.
    AddressReleased,
    /// The guest's end of the cable is gone.
    Unplugged,
    /// The network broke: see [`Event::Broken`].
    Broken,
}

/// Why a network broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenReason {
    /// The guest declared a frame so long that what it sends can't be frames: where the next one begins is unknown from there on.
    #[error("the guest declared a frame of {0} bytes")]
    FrameLength(u32),
    /// The network stack failed at something that the guest sent: a fault in this crate, or in one that it is made of.
    #[error("the network stack failed")]
    Fault,
}

/// How a guest is told that it may not connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reject {
    /// As if nothing listened there: a reset, or "port unreachable" for datagrams.
    #[default]
    Refused,
    /// As if there was no way there: "host unreachable".
    Unreachable,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteOutcome {
    /// All of it will be sent.
    Written,
    /// None of it was taken; [`Event::Writable`] tells when to try again.
    Full,
    /// None of it was taken: the connection is not, or no longer, open for writing.
    Closed,
    /// None of it was taken: a datagram has at most [`MAX_DATAGRAM`](crate::MAX_DATAGRAM) bytes.
    TooLong,
}
