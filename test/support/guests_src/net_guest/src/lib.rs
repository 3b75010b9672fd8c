//! A WASI program with a TCP/IP stack of its own, for tests of a service's network: it gets its address by DHCP, serves at some ports, and does
//! on the network what its standard input says. Nothing here knows of Wasgo.
//!
//! Started with the argument `wait` it asks for no address before it reads `up`.

mod cable;
mod commands;
mod http;
mod jobs;
mod ports;
mod wasi;

use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::{dhcpv4, dns};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use cable::Cable;
use commands::Commands;
use jobs::Job;
use ports::Ports;

/// The guest's own MAC address.
const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x03];

/// Everything there is.
pub(crate) struct Machine {
    pub(crate) cable: Cable,
    pub(crate) interface: Interface,
    pub(crate) sockets: SocketSet<'static>,
    pub(crate) dhcp: Option<SocketHandle>,
    pub(crate) dns: SocketHandle,
    pub(crate) ports: Ports,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) now: Instant,
}

impl Machine {
    fn new(mut cable: Cable) -> Self {
        let now = wasi::now();
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(MAC)));
        config.random_seed = wasi::random();
        let interface = Interface::new(config, &mut cable, now);
        let mut sockets = SocketSet::new(Vec::new());
        let dns = sockets.add(dns::Socket::new(&[], Vec::new()));
        let ports = Ports::new(&mut sockets);
        Self { cable, interface, sockets, dhcp: None, dns, ports, jobs: VecDeque::new(), now }
    }

    /// Asks for an address.
    pub(crate) fn up(&mut self) {
        if self.dhcp.is_none() {
            self.dhcp = Some(self.sockets.add(dhcpv4::Socket::new()));
        }
    }

    fn configure(&mut self) {
        let Some(handle) = self.dhcp else { return };
        match self.sockets.get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
            Some(dhcpv4::Event::Configured(config)) => {
                let servers: Vec<_> = config.dns_servers.iter().map(|&address| address.into()).collect();
                let router = config.router;
                let address = config.address;
                self.interface.update_ip_addrs(|addresses| {
                    addresses.clear();
                    let _ = addresses.push(IpCidr::Ipv4(address));
                });
                if let Some(router) = router {
                    let _ = self.interface.routes_mut().add_default_ipv4_route(router);
                }
                self.sockets.get_mut::<dns::Socket<'_>>(self.dns).update_servers(&servers);
                wasi::print(&format!("ready {}", address.address()));
            }
            Some(dhcpv4::Event::Deconfigured) => self.interface.update_ip_addrs(|addresses| addresses.clear()),
            None => {}
        }
    }

    /// Takes what came, does what there is to do, sends what is to go. Whether it is to be done again at once.
    fn turn(&mut self) -> bool {
        self.now = wasi::now();
        let mut busy = self.cable.fill();
        while self.cable.has_frame() {
            let result = self.interface.poll_ingress_single(self.now, &mut self.cable, &mut self.sockets);
            if result == PollIngressSingleResult::SocketStateChanged {
                // The next frame may be for the same port.
                self.ports.accept(&mut self.sockets);
            }
            busy = true;
        }
        self.interface.poll_maintenance(self.now);
        self.configure();
        busy |= self.ports.serve(&mut self.sockets);
        for _ in 0..self.jobs.len() {
            if let Some(job) = self.jobs.pop_front()
                && let Some(job) = job.turn(self)
            {
                self.jobs.push_back(job);
            }
        }
        while self.cable.has_room() {
            match self.interface.poll_egress(self.now, &mut self.cable, &mut self.sockets) {
                PollResult::None => break,
                PollResult::SocketStateChanged => busy = true,
            }
        }
        self.cable.flush();
        busy
    }
}

/// Where the program begins.
#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    let mut commands = Commands::default();
    let Some(cable) = Cable::plug_in() else {
        wasi::print("ready no socket");
        while let Some(line) = commands.wait() {
            wasi::print(&format!("no socket for {line}"));
        }
        return;
    };
    let mut machine = Machine::new(cable);
    if wasi::arguments().iter().any(|argument| argument == "wait") {
        wasi::print("ready to wait");
    } else {
        machine.up();
    }
    loop {
        let mut busy = machine.turn();
        while let Some(line) = commands.next() {
            commands::obey(&mut machine, &line);
            busy = true;
        }
        if busy && !machine.cable.is_full() {
            // What was given meanwhile is looked at, at the latest after some turns.
            if commands.look_up_later() {
                continue;
            }
        }
        let wait = if busy && !machine.cable.is_full() {
            Some(0)
        } else {
            let delay = machine.interface.poll_delay(machine.now, &machine.sockets);
            delay.map(|delay| delay.total_micros() * 1_000)
        };
        let ready = wasi::wait(machine.cable.descriptor(), machine.cable.is_full(), wait);
        if ready && !commands.read() {
            return;
        }
    }
}
