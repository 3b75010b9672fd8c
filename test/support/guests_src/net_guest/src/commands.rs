//! What standard input says, a line for each.

use smoltcp::wire::Ipv4Address;

use crate::Machine;
use crate::jobs::{Job, unhex};
use crate::wasi;

/// Of so many turns one looks whether there is input.
const TURNS: u32 = 16;

#[derive(Default)]
pub(crate) struct Commands {
    input: Vec<u8>,
    turns: u32,
}

impl Commands {
    /// Counts turns: whether this is none of those that look for input.
    pub(crate) fn look_up_later(&mut self) -> bool {
        self.turns = (self.turns + 1) % TURNS;
        self.turns != 0
    }

    /// Reads more; false at the end.
    pub(crate) fn read(&mut self) -> bool {
        let mut buffer = vec![0; 64 << 10];
        let length = wasi::read(&mut buffer);
        self.input.extend_from_slice(&buffer[..length]);
        length > 0
    }

    /// The next line, if all of it is there.
    pub(crate) fn next(&mut self) -> Option<String> {
        let end = self.input.iter().position(|&byte| byte == b'\n')?;
        let line: Vec<u8> = self.input.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// The next line, whenever it comes; none at the end.
    pub(crate) fn wait(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.next() {
                return Some(line);
            }
            if !self.read() {
                return None;
            }
        }
    }
}

fn number<T: std::str::FromStr>(word: Option<&&str>) -> Option<T> {
    word.and_then(|word| word.parse().ok())
}

/// Does what a line says, or begins it.
///
/// | line | answer |
/// | --- | --- |
/// | `up` | `ready ADDRESS`, when it has one |
/// | `address` | `ADDRESS` or `none` |
/// | `dns NAME` | `dns ADDRESS`, or `dns failed` |
/// | `connect TARGET PORT [HEX]` | `connect HEX` with what came until the end, or `connect refused`, `connect reset` |
/// | `udp TARGET PORT HEX` | `udp HEX` with the datagram that came back |
/// | `tell TARGET PORT HEX` | `told`: a datagram that nothing is expected of |
/// | `scan ADDRESS FROM TO` | `scan open 80 81 refused 5` |
/// | `frames HEX` | `put N`: bytes into the cable as they are |
/// | `rubbish COUNT SEED` | `put N`: frames of random bytes, some of them nearly right |
/// | `read` | `reading`: what port 1001 had left in its buffers is read from now on |
/// | `exit STATUS` | |
pub(crate) fn obey(machine: &mut Machine, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let data = |index: usize| words.get(index).map_or(Some(Vec::new()), |text| unhex(text));
    let begun = match words[0] {
        "up" => {
            machine.up();
            Some(())
        }
        "address" => {
            let address = machine.interface.ipv4_addr();
            wasi::print(&address.map_or("none".to_owned(), |address| address.to_string()));
            Some(())
        }
        "dns" => words.get(1).map(|name| machine.jobs.push_back(Job::look_up(name))),
        "connect" => words.get(1).zip(number(words.get(2))).zip(data(3)).map(|((target, port), data)| {
            machine.jobs.push_back(Job::connect(target, port, data));
        }),
        "udp" | "tell" => words.get(1).zip(number(words.get(2))).zip(data(3)).map(|((target, port), data)| {
            machine.jobs.push_back(Job::datagram(target, port, data, words[0] == "udp"));
        }),
        "scan" => number::<Ipv4Address>(words.get(1))
            .zip(number::<u16>(words.get(2)))
            .zip(number::<u16>(words.get(3)))
            .map(|((address, first), last)| machine.jobs.push_back(Job::scan(address, first, last))),
        "frames" => data(1).map(|bytes| {
            machine.cable.put(&bytes);
            wasi::print(&format!("put {}", bytes.len()));
        }),
        "rubbish" => number(words.get(1)).zip(number(words.get(2))).map(|(count, seed)| rubbish(machine, count, seed)),
        "read" => {
            machine.ports.read_on();
            wasi::print("reading");
            Some(())
        }
        "exit" => wasi::exit(number(words.get(1)).unwrap_or(0)),
        _ => None,
    };
    if begun.is_none() {
        wasi::print(&format!("what is {line}?"));
    }
}

/// Frames that nobody should send. Each is short, so that those of one command fit into the cable.
fn rubbish(machine: &mut Machine, count: u32, mut seed: u64) {
    // Marsaglia's xorshift.
    let mut random = move || {
        seed = seed.max(1);
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..count {
        let length = (random() % 120) as usize;
        let mut frame: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        // From here, to the router or to all, with a type that is known; then IPv4 of a kind that is known.
        for (bytes, from, odds) in [
            (&[0x02, 0x57, 0x41, 0x53, 0x47, 0x4f][..], 0, 3),
            (&[0x02, 0, 0, 0, 0, 0x03], 6, 8),
            (&[0x08, 0x00], 12, 6),
            (&[0x08, 0x06], 12, 4),
            (&[0x45, 0x00, 0x00], 14, 4),
            (&[192, 168, 127, 3, 192, 168, 127, 1], 26, 2),
        ] {
            if length >= from + bytes.len() && random() % odds != 0 {
                frame[from..from + bytes.len()].copy_from_slice(bytes);
            }
        }
        machine.cable.put(&(frame.len() as u32).to_be_bytes());
        machine.cable.put(&frame);
    }
    wasi::print(&format!("put {count}"));
}
