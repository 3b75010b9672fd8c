//! Points, planes and distances as f64.

pub(super) type Point = [f64; 3];

pub(super) fn sub(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn ahead(from: Point, along: Point, share: f64) -> Point {
    [from[0] + along[0] * share, from[1] + along[1] * share, from[2] + along[2] * share]
}

/// The sum of squares of distances to planes, weighted with the areas of the triangles that they were taken from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quadric {
    /// Products of the plane's coefficients: xx, xy, xz, xw, yy, yz, yw, zz, zw, ww.
    products: [f64; 10],
}

impl Quadric {
    /// Of the plane of a triangle; nothing for one without area.
    pub fn of_plane([a, b, c]: [Point; 3]) -> Self {
        let normal = cross(sub(b, a), sub(c, a));
        let twice_area = dot(normal, normal).sqrt();
        if twice_area <= 0.0 {
            return Self::default();
        }
        let [x, y, z] = normal.map(|part| part / twice_area);
        let w = -dot([x, y, z], a);
        let products = [x * x, x * y, x * z, x * w, y * y, y * z, y * w, z * z, z * w, w * w];
        Self { products: products.map(|product| product * twice_area / 2.0) }
    }

    pub fn add(&mut self, other: &Self) {
        self.products.iter_mut().zip(other.products).for_each(|(sum, product)| *sum += product);
    }

    /// At least 0.
    pub fn at(&self, [x, y, z]: Point) -> f64 {
        let [xx, xy, xz, xw, yy, yz, yw, zz, zw, ww] = self.products;
        let sum = (xx * x * x + yy * y * y + zz * z * z + ww)
            + 2.0 * (xy * x * y + xz * x * z + yz * y * z + xw * x + yw * y + zw * z);
        // Never -0, whose bits are above all others.
        if sum > 0.0 { sum } else { 0.0 }
    }
}

/// Where a triangle looks, and how long its sides are.
pub(super) struct Shape {
    /// As long as twice the area.
    pub normal: Point,
    /// The sum of the squares of the sides.
    sides: f64,
}

impl Shape {
    pub fn of([a, b, c]: [Point; 3]) -> Self {
        let (ab, bc, ca) = (sub(b, a), sub(c, b), sub(a, c));
        Self { normal: cross(ab, bc), sides: dot(ab, ab) + dot(bc, bc) + dot(ca, ca) }
    }

    /// The square of the area over that of an equilateral triangle with as much in the squares of its sides: 0 to 1.
    pub fn compactness(&self) -> f64 {
        if self.sides > 0.0 { 12.0 * dot(self.normal, self.normal) / (self.sides * self.sides) } else { 0.0 }
    }
}

/// A triangle, ready to be asked how far points are from it.
pub(super) struct Face {
    corners: [Point; 3],
    sides: [Point; 2],
    normal: Point,
    square: f64,
}

impl Face {
    pub fn new(corners: [Point; 3]) -> Self {
        let sides = [sub(corners[1], corners[0]), sub(corners[2], corners[0])];
        let normal = cross(sides[0], sides[1]);
        Self { corners, sides, normal, square: dot(normal, normal) }
    }

    /// The square of the distance of a point, if it is less than `limit`.
    pub fn nearer(&self, point: Point, limit: f64) -> Option<f64> {
        let [a, b, c] = self.corners;
        if self.square > 0.0 {
            let from = sub(point, a);
            let off = dot(from, self.normal);
            let far = off * off / self.square;
            if far >= limit {
                return None;
            }
            // Shares of b and c in the nearest point of the plane.
            let at_b = dot(cross(from, self.sides[1]), self.normal);
            let at_c = dot(cross(self.sides[0], from), self.normal);
            if at_b >= 0.0 && at_c >= 0.0 && at_b + at_c <= self.square {
                return Some(far);
            }
        }
        let far = to_side(point, a, b).min(to_side(point, b, c)).min(to_side(point, c, a));
        (far < limit).then_some(far)
    }
}

/// The square of the distance from a stretch.
fn to_side(point: Point, a: Point, b: Point) -> f64 {
    let along = sub(b, a);
    let length = dot(along, along);
    let share = if length > 0.0 { (dot(sub(point, a), along) / length).clamp(0.0, 1.0) } else { 0.0 };
    let off = sub(point, ahead(a, along, share));
    dot(off, off)
}
