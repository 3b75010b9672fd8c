//! What can go wrong, as values: each names the thing at fault.

/// Why a network, or a connection in it, could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has no meaning.
    #[error("option {option}: {problem}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A rule for outgoing connections has no meaning.
    #[error("rule {rule:?}: {problem}")]
    InvalidRule {
        /// The rule's target, as it was written.
        rule: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The network has as many connections as it may have.
    #[error("the network has {max} connections already, which is as many as it may have")]
    TooManyConnections {
        /// The limit: [`Options::max_connections`](crate::Options::max_connections).
        max: usize,
    },
    /// Port 0 is no port.
    #[error("port 0 cannot be connected to")]
    InvalidPort,
    /// The guest's end of the cable is gone, or the driver is.
    #[error("the network is over")]
    Ended,
    /// The system gave no random bytes, which initial sequence numbers are made of.
    #[error("the system gave no random bytes: {0}")]
    Entropy(String),
}
