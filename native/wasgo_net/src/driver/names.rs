//! The names that a guest asked for, and the addresses that stand for them.

use std::collections::HashMap;
use std::net::Ipv4Addr;

/// 198.18.0.0/15, which is set aside for networks that are not the internet.
const BASE: u32 = u32::from_be_bytes([198, 18, 0, 0]);

/// How many addresses that are.
const SIZE: u32 = 1 << 17;

/// How many names have an address at once.
const MAX_NAMES: usize = 1_024;

/// Whether an address stands for a name, or may.
pub(crate) fn is_virtual(address: Ipv4Addr) -> bool {
    u32::from(address) & !(SIZE - 1) == BASE
}

struct Entry {
    name: String,
    /// When it was last asked for, or connected to.
    used: u64,
}

/// Names and their addresses. A name that is new when there are too many takes the place of the one that was not used for longest; an
/// address is given again only after all others were.
#[derive(Default)]
pub(crate) struct Names {
    addresses: HashMap<String, Ipv4Addr>,
    entries: HashMap<Ipv4Addr, Entry>,
    last: u32,
    clock: u64,
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The address of a name.
    pub(crate) fn address(&mut self, name: &str) -> Ipv4Addr {
        self.clock += 1;
        if let Some(&address) = self.addresses.get(name) {
            if let Some(entry) = self.entries.get_mut(&address) {
                entry.used = self.clock;
            }
            return address;
        }
        if self.entries.len() >= MAX_NAMES {
            self.forget_one();
        }
        let address = loop {
            self.last = (self.last + 1) % SIZE;
            let address = Ipv4Addr::from(BASE + self.last);
            // Some take these for the addresses of networks, or of all in one.
            let looks_odd = matches!(address.octets()[3], 0 | 255);
            if !looks_odd && !self.entries.contains_key(&address) {
                break address;
            }
        };
        self.addresses.insert(name.to_owned(), address);
        self.entries.insert(address, Entry { name: name.to_owned(), used: self.clock });
        address
    }

    /// The name that an address stands for.
    pub(crate) fn name(&mut self, address: Ipv4Addr) -> Option<String> {
        self.clock += 1;
        let entry = self.entries.get_mut(&address)?;
        entry.used = self.clock;
        Some(entry.name.clone())
    }

    fn forget_one(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(address, _)| *address);
        if let Some(entry) = oldest.and_then(|oldest| self.entries.remove(&oldest)) {
            self.addresses.remove(&entry.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_address_and_an_address_its_name() {
        let mut names = Names::default();
        let (a, b) = (names.address("a"), names.address("b"));
        assert!(a != b && is_virtual(a) && is_virtual(b));
        assert_eq!((names.address("a"), names.name(b)), (a, Some("b".into())));
        assert_eq!(names.name(Ipv4Addr::new(198, 19, 0, 1)), None);
    }

    #[test]
    fn the_name_that_was_not_used_for_longest_goes_and_its_address_is_not_soon_given_again() {
        let mut names = Names::default();
        let all: Vec<_> = (0..MAX_NAMES).map(|index| names.address(&index.to_string())).collect();
        names.name(all[0]);
        let new = names.address("new");
        assert!(!all.contains(&new));
        assert_eq!((names.name(all[0]), names.name(all[1])), (Some("0".into()), None));
        for index in 0..200_000 {
            assert!(is_virtual(names.address(&format!("n{index}"))));
            assert!(names.len() <= MAX_NAMES && names.addresses.len() == names.len());
        }
    }
}
