//! A network that exists only in memory: the host's end of an Ethernet cable whose other end is a guest.
//!
//! The guest is whoever reads and writes frames at a [`Port`]: a container image in a WebAssembly sandbox, a virtual machine. It finds
//! what it expects of a network: a DHCP server that gives it an address, a router that answers ARP and ping, DNS. The host connects to
//! the guest's ports, and decides about each connection that the guest wants to make. No socket of the machine is ever opened, no name
//! resolved and no packet forwarded: what the guest sends to some address goes to the host's program as bytes, or nowhere.
//!
//! Three things are made at once: a [`Network`] for the host, a [`Port`] for the guest, and a [`Driver`], a future that somebody has to
//! poll. What happens is told to a function as [`Event`]s. The crate knows of no runtime: who polls the driver also wakes it, by
//! [`Timers`].
//!
//! # What a guest may do
//!
//! Anything, with its bytes: it is taken to be hostile. Nothing that it sends makes the driver hold more than a bounded amount of
//! memory, and [`Status`] counts what was dropped, and why. What it may reach are its own ports, and what [`Outgoing`] names; a name is
//! answered with an address out of 198.18.0.0/15 that stands for that name and nothing else. IP fragments are not put together, so
//! that a datagram has at most [`MAX_DATAGRAM`] bytes; IPv6 is ignored.
//!
//! # Bounds
//!
//! | what | at most |
//! | --- | --- |
//! | bytes from the guest that were not processed | 256 KiB |
//! | bytes to the guest that it did not read | 256 KiB; TCP waits, what else does not fit is dropped |
//! | a connection: written by the host, not taken | 256 KiB and one write |
//! | a connection: sent, not acknowledged | 256 KiB |
//! | a connection: from the guest, not told | 64 KiB, or 32 datagrams |
//! | connections, and those of them that wait to be accepted | [`Options::max_connections`], [`Options::max_held`] |
//! | names with an address | 1,024 |
//! | the length of a frame | 1,518; a declared one of over 1 MiB breaks the network |
#![forbid(unsafe_code)]

mod cable;
mod driver;
mod error;
mod event;
mod frames;
mod network;
mod options;
mod rules;
mod shared;
mod status;
mod timers;

pub use cable::Port;
pub use driver::Driver;
pub use error::Error;
pub use event::{BrokenReason, CloseReason, ConnectionId, Event, Protocol, Reject, Target, WriteOutcome};
pub use network::Network;
pub use options::Options;
pub use rules::{Outgoing, Rule};
pub use shared::MAX_DATAGRAM;
pub use status::{Drops, Status, Traffic};
pub use timers::Timers;
