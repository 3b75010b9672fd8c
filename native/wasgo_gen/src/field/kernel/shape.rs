//! Signed distances to simple bodies: above 0 inside, in metres.

/// A ball, a box with round edges, a capsule, or a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body {
    Sphere {
        radius: f32,
    },
    Cuboid {
        half: [f32; 3],
        round: f32,
    },
    /// From the centre to the centre plus `to`.
    Capsule {
        to: [f32; 3],
        radius: f32,
    },
    /// In the plane square to the axis (0 to 2).
    Torus {
        axis: usize,
        radius: f32,
        thickness: f32,
    },
}

/// At a point relative to the body's centre.
#[inline(always)]
pub(crate) fn inside(body: &Body, p: [f32; 3]) -> f32 {
    match *body {
        Body::Sphere { radius } => radius - length(p),
        Body::Cuboid { half, round } => {
            let q = [p[0].abs() - half[0] + round, p[1].abs() - half[1] + round, p[2].abs() - half[2] + round];
            let outside = length(q.map(|v| v.max(0.0)));
            round - outside - q[0].max(q[1]).max(q[2]).min(0.0)
        }
        Body::Capsule { to, radius } => {
            let square = to[0] * to[0] + to[1] * to[1] + to[2] * to[2];
            let along = ((p[0] * to[0] + p[1] * to[1] + p[2] * to[2]) / square.max(1e-12)).clamp(0.0, 1.0);
            radius - length([p[0] - to[0] * along, p[1] - to[1] * along, p[2] - to[2] * along])
        }
        Body::Torus { axis, radius, thickness } => {
            let (a, b, c) = match axis {
                0 => (p[1], p[2], p[0]),
                1 => (p[0], p[2], p[1]),
                _ => (p[0], p[1], p[2]),
            };
            let ring = (a * a + b * b).sqrt() - radius;
            thickness - (ring * ring + c * c).sqrt()
        }
    }
}

#[inline(always)]
fn length(p: [f32; 3]) -> f32 {
    (p[0] * p[0] + p[1] * p[1] + p[2] * p[2]).sqrt()
}

impl Body {
    /// The greatest value: deepest inside.
    pub(crate) fn deepest(&self) -> f32 {
        match *self {
            Self::Sphere { radius } | Self::Capsule { radius, .. } => radius,
            Self::Cuboid { half, .. } => half[0].min(half[1]).min(half[2]),
            Self::Torus { thickness, .. } => thickness,
        }
    }
}
