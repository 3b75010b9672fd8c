//! The ports that the guest serves.

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::socket::udp;

use crate::http::Http;
use crate::wasi;

/// What fits into a window without scaling.
const BUFFER: usize = 65_535;

/// What is to go may be more.
const OUTPUT: usize = 256 << 10;

/// TCP: echo, discard, characters, HTTP, and some that are of use to tests alone.
const TCP: [u16; 8] = [7, 9, 19, 80, STALLED, COUNT, RESET, BYE];

/// Reads nothing until standard input says so.
const STALLED: u16 = 1_001;

/// Says at the end how many bytes came.
const COUNT: u16 = 1_002;

/// Resets the connection at the first byte.
const RESET: u16 = 1_003;

/// Says "bye" and ends its half; what comes after that is counted on standard output.
const BYE: u16 = 1_004;

/// UDP: echo, discard, as many datagrams as the text says.
const UDP: [u16; 3] = [7, 9, 19];

/// Lines of 72 printable characters, each beginning with the next one: RFC 864.
const LINE: usize = 72;
const PRINTABLE: usize = 95;

/// Bytes after which the pattern begins anew.
const PERIOD: usize = PRINTABLE * (LINE + 2);

enum Role {
    Echo,
    Discard,
    Characters { at: usize },
    Http(Http),
    Stalled,
    Count { bytes: u64 },
    Reset,
    Bye { said: bool, bytes: u64 },
}

struct Served {
    handle: SocketHandle,
    role: Role,
    /// It was over a turn ago.
    waited: bool,
}

pub(crate) struct Ports {
    listening: Vec<(u16, SocketHandle)>,
    served: Vec<Served>,
    datagrams: Vec<(u16, SocketHandle)>,
    /// Datagrams that are still to go: how many, how many there are, and to whom.
    burst: Option<(u32, u32, udp::UdpMetadata)>,
    pattern: Vec<u8>,
    reading: bool,
}

pub(crate) fn socket(output: usize) -> Socket<'static> {
    let mut socket = Socket::new(SocketBuffer::new(vec![0; BUFFER]), SocketBuffer::new(vec![0; output]));
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket
}

fn listen(sockets: &mut SocketSet<'static>, port: u16) -> (u16, SocketHandle) {
    let mut socket = socket(if [7, 19, 80].contains(&port) { OUTPUT } else { 4_096 });
    socket.listen(port).expect("a port is no 0, and the socket is new");
    (port, sockets.add(socket))
}

pub(crate) fn datagram_socket() -> udp::Socket<'static> {
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 256], vec![0; 256 << 10]);
    udp::Socket::new(buffer(), buffer())
}

fn role(port: u16) -> Role {
    match port {
        7 => Role::Echo,
        19 => Role::Characters { at: 0 },
        80 => Role::Http(Http::default()),
        STALLED => Role::Stalled,
        COUNT => Role::Count { bytes: 0 },
        RESET => Role::Reset,
        BYE => Role::Bye { said: false, bytes: 0 },
        _ => Role::Discard,
    }
}

impl Ports {
    pub(crate) fn new(sockets: &mut SocketSet<'static>) -> Self {
        let listening = TCP.map(|port| listen(sockets, port)).into();
        let datagrams = UDP
            .map(|port| {
                let mut socket = datagram_socket();
                socket.bind(port).expect("a port is no 0, and the socket is new");
                (port, sockets.add(socket))
            })
            .into();
        let pattern = (0..PERIOD + OUTPUT)
            .map(|at| match (at / (LINE + 2), at % (LINE + 2)) {
                (_, LINE) => b'\r',
                (line, column) if column < LINE => b' ' + ((line + column) % PRINTABLE) as u8,
                _ => b'\n',
            })
            .collect();
        Self { listening, served: Vec::new(), datagrams, burst: None, pattern, reading: false }
    }

    pub(crate) fn read_on(&mut self) {
        self.reading = true;
    }

    /// A socket that has begun is served, and another one listens in its place.
    pub(crate) fn accept(&mut self, sockets: &mut SocketSet<'static>) {
        for (port, handle) in &mut self.listening {
            if sockets.get::<Socket<'_>>(*handle).state() != State::Listen {
                self.served.push(Served { handle: *handle, role: role(*port), waited: false });
                *handle = listen(sockets, *port).1;
            }
        }
    }

    /// Reads and writes what can be; whether something was.
    pub(crate) fn serve(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let mut busy = self.serve_datagrams(sockets);
        let (pattern, reading) = (&self.pattern, self.reading);
        self.served.retain_mut(|served| {
            let socket = sockets.get_mut::<Socket<'_>>(served.handle);
            busy |= served.role.turn(socket, pattern, reading);
            let over = match socket.state() {
                // The reset, or the last acknowledgement, is to be on its way; one that was refused listens again.
                State::Closed | State::Listen | State::TimeWait => std::mem::replace(&mut served.waited, true),
                _ => false,
            };
            if over {
                served.role.over();
                sockets.remove(served.handle);
            }
            !over
        });
        busy
    }

    fn serve_datagrams(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let mut busy = false;
        for &(port, handle) in &self.datagrams {
            let socket = sockets.get_mut::<udp::Socket<'_>>(handle);
            while socket.can_send() && self.burst.is_none_or(|_| port != 19) {
                let Ok((data, from)) = socket.recv() else { break };
                let data = data.to_vec();
                busy = true;
                match port {
                    7 => drop(socket.send_slice(&data, from)),
                    19 => {
                        let count = std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                        self.burst = Some((0, count, from));
                    }
                    _ => {}
                }
            }
            if let Some((sent, count, to)) = self.burst.as_mut().filter(|_| port == 19) {
                while sent < count && socket.can_send() {
                    busy |= socket.send_slice(sent.to_string().as_bytes(), *to).is_ok();
                    *sent += 1;
                }
                if sent == count {
                    self.burst = None;
                }
            }
        }
        busy
    }
}

/// Reads and forgets; how many bytes.
pub(crate) fn discard(socket: &mut Socket<'_>) -> u64 {
    let mut bytes = 0;
    while socket.can_recv() {
        bytes += socket.recv(|data| (data.len(), data.len() as u64)).unwrap_or(0);
    }
    bytes
}

/// Whether the other end sends no more, and all of it was read.
pub(crate) fn at_end(socket: &Socket<'_>) -> bool {
    socket.state() == State::CloseWait && !socket.can_recv()
}

impl Role {
    fn turn(&mut self, socket: &mut Socket<'_>, pattern: &[u8], reading: bool) -> bool {
        let mut busy = false;
        match self {
            Self::Echo => {
                while socket.can_recv() && socket.can_send() {
                    let room = socket.send_capacity() - socket.send_queue();
                    let data = socket.recv(|data| {
                        let length = data.len().min(room);
                        (length, data[..length].to_vec())
                    });
                    let _ = data.map(|data| socket.send_slice(&data));
                    busy = true;
                }
            }
            Self::Discard => busy = discard(socket) > 0,
            Self::Characters { at } => {
                discard(socket);
                while socket.can_send() {
                    let sent = socket.send_slice(&pattern[*at..]).unwrap_or(0);
                    *at = (*at + sent) % PERIOD;
                    busy = true;
                }
            }
            Self::Http(http) => return http.turn(socket),
            Self::Stalled if reading => busy = discard(socket) > 0,
            Self::Stalled => return false,
            Self::Count { bytes } => {
                *bytes += discard(socket);
                if at_end(socket) {
                    let _ = socket.send_slice(bytes.to_string().as_bytes());
                }
            }
            Self::Reset => {
                if socket.can_recv() {
                    socket.abort();
                }
            }
            Self::Bye { said, bytes } => {
                if socket.can_send() && !*said {
                    let _ = socket.send_slice(b"bye");
                    socket.close();
                    *said = true;
                }
                *bytes += discard(socket);
            }
        }
        if at_end(socket) {
            socket.close();
        }
        busy
    }

    fn over(&self) {
        if let Self::Bye { bytes, .. } = self {
            wasi::print(&format!("bye {bytes}"));
        }
    }
}
