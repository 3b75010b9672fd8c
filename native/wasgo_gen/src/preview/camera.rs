//! From where a picture is drawn: in parallel rays that come from the south, at an angle.

use super::View;

/// Where pixels are in the world, and the other way round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Camera {
    /// Pixels along a side.
    pub(super) size: usize,
    /// Metres from pixel to pixel.
    pub(super) step: f64,
    /// Of the angle above the horizon.
    pub(super) sin: f64,
    pub(super) cos: f64,
    /// What is in the middle of the picture.
    pub(super) target: [f64; 3],
}

impl Camera {
    pub(super) fn new(view: &View) -> Self {
        let (sin, cos) = libm::sincos(f64::from(view.angle).to_radians());
        let above = view.angle >= super::ANGLES.1;
        let (sin, cos) = if above { (1.0, 0.0) } else { (sin, cos) };
        let step = view.metres / f64::from(view.size);
        Self { size: view.size as usize, step, sin, cos, target: [view.center[0], 0.0, view.center[1]] }
    }

    pub(super) fn half(&self) -> f64 {
        self.size as f64 * self.step * 0.5
    }

    /// Column and row in pixels, and metres along the view.
    pub(super) fn project(&self, at: [f64; 3]) -> [f64; 3] {
        let [x, y, z] = [0, 1, 2].map(|axis| at[axis] - self.target[axis]);
        let middle = self.size as f64 * 0.5;
        [middle + x / self.step, middle - (y * self.cos - z * self.sin) / self.step, -y * self.sin - z * self.cos]
    }

    /// A place on the ray of a pixel's middle.
    pub(super) fn place(&self, column: usize, row: usize) -> [f64; 3] {
        let middle = self.size as f64 * 0.5;
        let right = (column as f64 + 0.5 - middle) * self.step;
        let up = (middle - row as f64 - 0.5) * self.step;
        [self.target[0] + right, self.target[1] + up * self.cos, self.target[2] - up * self.sin]
    }

    /// Where rays go, of length 1.
    pub(super) fn direction(&self) -> [f64; 3] {
        [0.0, -self.sin, -self.cos]
    }

    /// From the farthest to the nearest z of what is seen between two heights.
    pub(super) fn depth_of_field(&self, low: f64, high: f64) -> (f64, f64) {
        let (low, high) = (low - self.target[1], high - self.target[1]);
        let north = (low * self.cos - self.half()) / self.sin;
        let south = (high * self.cos + self.half()) / self.sin;
        (self.target[2] + north, self.target[2] + south)
    }
}
