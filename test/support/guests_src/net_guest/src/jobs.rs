//! What standard input asked for and is not done yet.

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::socket::{dns, udp};
use smoltcp::wire::{DnsQueryType, IpAddress, Ipv4Address};

use crate::Machine;
use crate::ports::{datagram_socket, socket};
use crate::wasi;

/// Ports that are tried at once.
const SCANNED: usize = 32;

pub(crate) enum Job {
    /// A name's address, and what it is for.
    LookUp(String, Option<dns::QueryHandle>, Then),
    Connection(Connection),
    /// The one that the answer is waited for at.
    Datagram(SocketHandle),
    Scan(Scan),
}

pub(crate) enum Then {
    Say,
    Connect { port: u16, data: Vec<u8> },
    Send { port: u16, data: Vec<u8>, wait: bool },
}

pub(crate) struct Connection {
    handle: SocketHandle,
    data: Vec<u8>,
    sent: usize,
    came: Vec<u8>,
    connected: bool,
    ended: bool,
}

pub(crate) struct Scan {
    address: Ipv4Address,
    next: u32,
    last: u32,
    trying: Vec<(u16, SocketHandle)>,
    open: Vec<u16>,
    refused: u32,
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// A port of its own for each connection that goes out.
fn free_port() -> u16 {
    49_152 + (wasi::random() % 16_384) as u16
}

impl Job {
    pub(crate) fn look_up(name: &str) -> Self {
        Self::LookUp(name.to_owned(), None, Then::Say)
    }

    pub(crate) fn connect(target: &str, port: u16, data: Vec<u8>) -> Self {
        Self::LookUp(target.to_owned(), None, Then::Connect { port, data })
    }

    pub(crate) fn datagram(target: &str, port: u16, data: Vec<u8>, wait: bool) -> Self {
        Self::LookUp(target.to_owned(), None, Then::Send { port, data, wait })
    }

    pub(crate) fn scan(address: Ipv4Address, first: u16, last: u16) -> Self {
        Self::Scan(Scan {
            address,
            next: first.into(),
            last: last.into(),
            trying: Vec::new(),
            open: Vec::new(),
            refused: 0,
        })
    }

    /// Does what can be done now; what is left, if anything.
    pub(crate) fn turn(self, machine: &mut Machine) -> Option<Self> {
        match self {
            Self::LookUp(name, query, then) => look_up(machine, name, query, then),
            Self::Connection(connection) => connection.turn(machine).map(Self::Connection),
            Self::Datagram(handle) => {
                let socket = machine.sockets.get_mut::<udp::Socket<'_>>(handle);
                let Ok((data, _from)) = socket.recv() else { return Some(self) };
                wasi::print(&format!("udp {}", hex(data)));
                machine.sockets.remove(handle);
                None
            }
            Self::Scan(scan) => scan.turn(machine).map(Self::Scan),
        }
    }
}

fn look_up(machine: &mut Machine, name: String, query: Option<dns::QueryHandle>, then: Then) -> Option<Job> {
    if let Ok(address) = name.parse::<Ipv4Address>() {
        return found(machine, Some(address), then);
    }
    let socket = machine.sockets.get_mut::<dns::Socket<'_>>(machine.dns);
    let Some(handle) = query else {
        return match socket.start_query(machine.interface.context(), &name, DnsQueryType::A) {
            Ok(handle) => Some(Job::LookUp(name, Some(handle), then)),
            Err(_) => found(machine, None, then),
        };
    };
    match socket.get_query_result(handle) {
        Err(dns::GetQueryResultError::Pending) => Some(Job::LookUp(name, query, then)),
        Err(dns::GetQueryResultError::Failed) => found(machine, None, then),
        Ok(addresses) => {
            let address = addresses.first().map(|IpAddress::Ipv4(address)| *address);
            found(machine, address, then)
        }
    }
}

fn found(machine: &mut Machine, address: Option<Ipv4Address>, then: Then) -> Option<Job> {
    let Some(address) = address else {
        wasi::print("dns failed");
        return None;
    };
    match then {
        Then::Say => {
            wasi::print(&format!("dns {address}"));
            None
        }
        Then::Connect { port, data } => {
            let mut socket = socket(65_536);
            if socket.connect(machine.interface.context(), (address, port), free_port()).is_err() {
                wasi::print("connect unaddressable");
                return None;
            }
            let handle = machine.sockets.add(socket);
            let connection = Connection { handle, data, sent: 0, came: Vec::new(), connected: false, ended: false };
            Some(Job::Connection(connection))
        }
        Then::Send { port, data, wait } => {
            let mut socket = datagram_socket();
            let sent = socket.bind(free_port()).is_ok() && socket.send_slice(&data, (address, port)).is_ok();
            let handle = machine.sockets.add(socket);
            if !sent || !wait {
                // It goes in the next turn, and the socket is left: the program does not run for long.
                wasi::print(if sent { "told" } else { "udp unaddressable" });
                return None;
            }
            Some(Job::Datagram(handle))
        }
    }
}

impl Connection {
    fn turn(mut self, machine: &mut Machine) -> Option<Self> {
        let socket = machine.sockets.get_mut::<Socket<'_>>(self.handle);
        self.connected |= !matches!(socket.state(), State::SynSent | State::Closed);
        if socket.may_send() && !self.ended {
            self.sent += socket.send_slice(&self.data[self.sent..]).unwrap_or(0);
            if self.sent == self.data.len() {
                socket.close();
                self.ended = true;
            }
        }
        while socket.can_recv() {
            let _ = socket.recv(|data| {
                self.came.extend_from_slice(data);
                (data.len(), ())
            });
        }
        let answer = match socket.state() {
            State::Closed if !self.connected => "connect refused".to_owned(),
            State::Closed => "connect reset".to_owned(),
            State::TimeWait => format!("connect {}", hex(&self.came)),
            // The other end had ended before.
            State::LastAck => format!("connect {}", hex(&self.came)),
            _ => return Some(self),
        };
        wasi::print(&answer);
        // One in TIME-WAIT goes by itself.
        None
    }
}

impl Scan {
    fn turn(mut self, machine: &mut Machine) -> Option<Self> {
        self.trying.retain(|&(port, handle)| {
            let socket = machine.sockets.get_mut::<Socket<'_>>(handle);
            match socket.state() {
                State::SynSent => return true,
                State::Closed => self.refused += 1,
                _ => {
                    self.open.push(port);
                    socket.abort();
                    return true;
                }
            }
            machine.sockets.remove(handle);
            false
        });
        while self.trying.len() < SCANNED && self.next <= self.last {
            let mut socket = Socket::new(SocketBuffer::new(vec![0; 64]), SocketBuffer::new(vec![0; 64]));
            let port = self.next as u16;
            let own = 20_000 + (self.next % 20_000) as u16;
            if socket.connect(machine.interface.context(), (self.address, port), own).is_ok() {
                self.trying.push((port, machine.sockets.add(socket)));
            }
            self.next += 1;
        }
        if !self.trying.is_empty() || self.next <= self.last {
            return Some(self);
        }
        self.open.sort_unstable();
        self.open.dedup();
        let open: String = self.open.iter().map(|port| format!(" {port}")).collect();
        // Those that were open were closed by a reset, and counted.
        let refused = self.refused as usize - self.open.len();
        wasi::print(&format!("scan open{open} refused {refused}"));
        None
    }
}
