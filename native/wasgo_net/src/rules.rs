//! What a guest may connect to.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use crate::error::Error;
use crate::event::{Protocol, Target};

/// The longest name that DNS knows, written with dots.
pub(crate) const MAX_NAME: usize = 253;

/// Whether a guest may connect to anything outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Outgoing {
    /// To nothing.
    #[default]
    None,
    /// To what any of these rules allows, if the host accepts it.
    Allow(Vec<Rule>),
}

impl Outgoing {
    pub(crate) fn rules(&self) -> &[Rule] {
        match self {
            Self::None => &[],
            Self::Allow(rules) => rules,
        }
    }

    /// Whether a connection may be asked for.
    pub(crate) fn allows(&self, target: &Target, port: u16, protocol: Protocol) -> bool {
        let matches = |rule: &Rule| rule.protocol == protocol && rule.ports.contains(&port);
        match target {
            Target::Name(name) => self.rules().iter().any(|rule| matches(rule) && rule.pattern.has_name(name)),
            Target::Address(address) => {
                self.rules().iter().any(|rule| matches(rule) && rule.pattern.has_address(*address))
            }
        }
    }

    /// Whether any rule is about the name, whatever the port.
    pub(crate) fn knows_name(&self, name: &str) -> bool {
        self.rules().iter().any(|rule| rule.pattern.has_name(name))
    }

    /// Whether any rule is about the address, whatever the port.
    pub(crate) fn knows_address(&self, address: Ipv4Addr) -> bool {
        self.rules().iter().any(|rule| rule.pattern.has_address(address))
    }
}

/// Allows connections to one target, or to a group of them.
///
/// ```
/// use wasgo_net::{Protocol, Rule};
///
/// Rule::new("api.example.com", 443..=443, Protocol::Tcp)?;
/// Rule::new("*.example.com", 1..=65_535, Protocol::Tcp)?;
/// Rule::new("10.1.0.0/16", 5_000..=5_100, Protocol::Udp)?;
/// assert!(Rule::new("10.1.2.3.4", 80..=80, Protocol::Tcp).is_err());
/// # Ok::<(), wasgo_net::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pattern: Pattern,
    ports: RangeInclusive<u16>,
    protocol: Protocol,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Name(String),
    /// A suffix with a dot before it.
    Below(String),
    Network {
        address: u32,
        mask: u32,
    },
}

impl Pattern {
    fn has_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Below(suffix) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
            Self::Network { .. } => false,
        }
    }

    fn has_address(&self, other: Ipv4Addr) -> bool {
        match self {
            Self::Network { address, mask } => u32::from(other) & mask == *address,
            _ => false,
        }
    }
}

impl Rule {
    /// A rule for a `target`: a name (`example.com`), all names below one (`*.example.com`, which `example.com` is not), an IPv4
    /// address, or a network in CIDR notation.
    pub fn new(target: &str, ports: RangeInclusive<u16>, protocol: Protocol) -> Result<Self, Error> {
        let wrong = |problem| Error::InvalidRule { rule: target.to_owned(), problem };
        if ports.is_empty() || *ports.start() == 0 {
            return Err(wrong("its ports are none of 1 to 65,535"));
        }
        Ok(Self { pattern: pattern(target).map_err(wrong)?, ports, protocol })
    }
}

fn pattern(target: &str) -> Result<Pattern, &'static str> {
    if let Some((address, prefix)) = target.split_once('/') {
        let address: Ipv4Addr = address.parse().map_err(|_| "what is before the / is no IPv4 address")?;
        let prefix: u32 = prefix.parse().map_err(|_| "what is after the / is no number")?;
        let host_bits = 32_u32.checked_sub(prefix).ok_or("a prefix has at most 32 bits")?;
        let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
        if u32::from(address) & !mask != 0 {
            return Err("the address has bits beyond its prefix");
        }
        return Ok(Pattern::Network { address: address.into(), mask });
    }
    if let Ok(address) = target.parse::<Ipv4Addr>() {
        return Ok(Pattern::Network { address: address.into(), mask: u32::MAX });
    }
    let name = target.strip_suffix('.').unwrap_or(target).to_ascii_lowercase();
    let (below, name) = name.strip_prefix("*.").map_or((false, name.as_str()), |rest| (true, rest));
    if !is_host_name(name) {
        return Err(
            "it is neither a host name, nor *. and a host name, nor an IPv4 address, nor a network in CIDR notation",
        );
    }
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("a host name does not end with a number");
    }
    Ok(if below { Pattern::Below(format!(".{name}")) } else { Pattern::Name(name.to_owned()) })
}

/// Whether a name in lower case is one that a rule can be about. Underscores are there, though no host has one by the standards.
pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_')
    };
    name.len() <= MAX_NAME && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, target: &str) -> bool {
        let rules = Outgoing::Allow(vec![Rule::new(rule, 80..=81, Protocol::Tcp).unwrap()]);
        let target = target.parse().map_or_else(|_| Target::Name(target.into()), Target::Address);
        assert!(!rules.allows(&target, 79, Protocol::Tcp) && !rules.allows(&target, 80, Protocol::Udp));
        rules.allows(&target, 80, Protocol::Tcp) && rules.allows(&target, 81, Protocol::Tcp)
    }

    #[test]
    fn a_name_is_itself_alone_whatever_its_case_in_the_rule() {
        assert!(allows("Example.COM", "example.com") && allows("example.com.", "example.com"));
        assert!(!allows("example.com", "a.example.com") && !allows("example.com", "badexample.com"));
    }

    #[test]
    fn a_star_is_for_all_names_below_but_not_for_the_name_itself() {
        assert!(allows("*.example.com", "a.example.com") && allows("*.example.com", "a.b.example.com"));
        assert!(!allows("*.example.com", "example.com") && !allows("*.example.com", "badexample.com"));
        assert!(!allows("*.example.com", ".example.com") && !allows("*.example.com", "1.2.3.4"));
    }

    #[test]
    fn networks_have_their_addresses() {
        assert!(allows("1.2.3.4", "1.2.3.4") && !allows("1.2.3.4", "1.2.3.5") && !allows("1.2.3.4", "a"));
        assert!(allows("10.0.0.0/8", "10.255.0.1") && !allows("10.0.0.0/8", "11.0.0.0"));
        assert!(allows("0.0.0.0/0", "8.8.8.8") && allows("8.8.8.8/32", "8.8.8.8"));
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_is_wrong() {
        for wrong in
            ["", ".", "*", "*.", "a..b", "a b", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "1.2.3", "a.*.b", "::1", "a/8"]
        {
            assert!(Rule::new(wrong, 1..=1, Protocol::Tcp).is_err(), "{wrong}");
        }
        assert!(Rule::new("a", 0..=1, Protocol::Tcp).is_err());
        #[expect(clippy::reversed_empty_ranges)]
        let empty = 2..=1;
        assert!(Rule::new("a", empty, Protocol::Tcp).is_err());
    }
}
