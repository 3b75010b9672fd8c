//! Whether anything is near a place.

/// Points of the plane, by their x.
pub(super) struct Near {
    points: Vec<(f64, f64)>,
}

impl Near {
    pub(super) fn new(points: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<_> = points.collect();
        points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self { points }
    }

    /// Whether a point is nearer than `distance`.
    pub(super) fn any_within(&self, x: f64, z: f64, distance: f64) -> bool {
        let first = self.points.partition_point(|point| point.0 <= x - distance);
        let near = self.points[first..].iter().take_while(|point| point.0 < x + distance);
        let square = distance * distance;
        near.into_iter().any(|point| {
            let (dx, dz) = (point.0 - x, point.1 - z);
            dx * dx + dz * dz < square
        })
    }
}
