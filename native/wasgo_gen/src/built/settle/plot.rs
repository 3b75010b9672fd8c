//! Rectangles that look somewhere.

/// A rectangle of the plane that faces a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// Its middle, x and z in world metres.
    pub center: [f64; 2],
    /// Half its width, and half its depth from front to back, in metres.
    pub half: [f64; 2],
    /// The direction (x, z) in which its front looks: of length 1.
    pub front: [f64; 2],
}

impl Rectangle {
    /// The direction (x, z) of the local +X of a building that looks to the front with its -Z.
    #[must_use]
    pub fn right(&self) -> [f64; 2] {
        [-self.front[1], self.front[0]]
    }

    /// The turn about +Y that makes -Z look to the front, in radians.
    #[must_use]
    pub fn yaw(&self) -> f32 {
        libm::atan2(-self.front[0], -self.front[1]) as f32
    }

    /// Larger by some metres on all sides.
    #[must_use]
    pub fn grown(&self, by: f64) -> Self {
        Self { half: self.half.map(|half| half + by), ..*self }
    }

    /// A point at metres to the local right, and to the front.
    #[must_use]
    pub fn at(&self, right: f64, front: f64) -> [f64; 2] {
        let [rx, rz] = self.right();
        [self.center[0] + rx * right + self.front[0] * front, self.center[1] + rz * right + self.front[1] * front]
    }

    /// Its corners, in order around it.
    #[must_use]
    pub fn corners(&self) -> [[f64; 2]; 4] {
        let [w, d] = self.half;
        [self.at(w, d), self.at(-w, d), self.at(-w, -d), self.at(w, -d)]
    }

    /// A point as metres to the right and to the front of the middle.
    fn local(&self, point: [f64; 2]) -> [f64; 2] {
        let (dx, dz) = (point[0] - self.center[0], point[1] - self.center[1]);
        let [rx, rz] = self.right();
        [dx * rx + dz * rz, dx * self.front[0] + dz * self.front[1]]
    }

    /// The distance of a point in metres, 0 inside.
    #[must_use]
    pub fn distance(&self, point: [f64; 2]) -> f64 {
        let [right, front] = self.local(point);
        let (dx, dz) = ((right.abs() - self.half[0]).max(0.0), (front.abs() - self.half[1]).max(0.0));
        (dx * dx + dz * dz).sqrt()
    }

    /// Whether it has a point in common with another.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let apart = |one: &Self, other: &Self| {
            let corners = other.corners().map(|corner| one.local(corner));
            (0..2).any(|axis| {
                let low = corners.iter().map(|corner| corner[axis]).fold(f64::MAX, f64::min);
                let high = corners.iter().map(|corner| corner[axis]).fold(f64::MIN, f64::max);
                low > one.half[axis] || high < -one.half[axis]
            })
        };
        !apart(self, other) && !apart(other, self)
    }
}
