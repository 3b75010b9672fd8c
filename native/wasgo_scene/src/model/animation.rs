//! What moves nodes over time.

use std::borrow::Cow;

use super::extra::Extras;
use super::own;

/// A movement of nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Animation<'a> {
    /// A name for people.
    pub name: String,
    /// What moves; no two move the same of one node.
    pub channels: Vec<Channel<'a>>,
    /// For whoever reads the scene.
    pub extras: Extras,
}

impl Animation<'_> {
    /// The same animation, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Animation<'_> {
        Animation {
            name: self.name.clone(),
            channels: self.channels.iter().map(Channel::borrow).collect(),
            extras: self.extras.clone(),
        }
    }

    /// The same animation with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Animation<'static> {
        let own_channel =
            |channel: Channel<'_>| Channel { times: own(channel.times), values: own(channel.values), ..channel };
        Animation {
            name: self.name,
            channels: self.channels.into_iter().map(own_channel).collect(),
            extras: self.extras,
        }
    }
}

/// How one property of one node moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel<'a> {
    /// Index into [`Scene::nodes`](super::Scene::nodes).
    pub node: usize,
    /// What of the node.
    pub path: Path,
    /// What is between two keys.
    pub interpolation: Interpolation,
    /// 4 bytes a key: f32 seconds, 0 or more, each above the one before.
    pub times: Cow<'a, [u8]>,
    /// f32 values, as many a key as `path` has numbers; for [`Interpolation::Cubic`] three times as many: the tangent
    /// in, the value, the tangent out.
    pub values: Cow<'a, [u8]>,
}

impl Channel<'_> {
    fn borrow(&self) -> Channel<'_> {
        Channel { times: Cow::Borrowed(&self.times), values: Cow::Borrowed(&self.values), ..*self }
    }
}

/// What of a node moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Three numbers: metres.
    Translation,
    /// Four numbers: a unit quaternion.
    Rotation,
    /// Three numbers.
    Scale,
    /// One number for each morph of the node's mesh.
    Weights,
}

/// What is between two keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interpolation {
    /// Straight on, rotations along the shortest arc.
    #[default]
    Linear,
    /// The value of the key before.
    Step,
    /// A cubic spline.
    Cubic,
}
