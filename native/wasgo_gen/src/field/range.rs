//! Intervals: between what bounds the values of a whole block are.

/// From the least to the greatest value, both included. Never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f32,
    pub(crate) high: f32,
}

impl Range {
    pub(crate) const fn new(low: f32, high: f32) -> Self {
        Self { low, high }
    }

    pub(crate) const fn point(value: f32) -> Self {
        Self { low: value, high: value }
    }

    pub(crate) fn around(a: f32, b: f32) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }

    /// The value, where all are the same.
    pub(crate) fn constant(self) -> Option<f32> {
        (self.low == self.high).then_some(self.low)
    }

    /// All values and one more.
    pub(crate) fn with(self, value: f32) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    pub(crate) fn hull(self, other: Self) -> Self {
        self.with(other.low).with(other.high)
    }

    /// Values known to be in both; `self` where rounding has left nothing in common.
    pub(crate) fn meet(self, other: Self) -> Self {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        if low <= high { Self { low, high } } else { self }
    }

    /// The images of both ends under a function that never falls, or never rises. Computed as values are, rounding keeps their order.
    pub(crate) fn monotonic(self, function: impl Fn(f32) -> f32) -> Self {
        Self::around(function(self.low), function(self.high))
    }

    pub(crate) fn add(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        Self { low: self.low - other.high, high: self.high - other.low }
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        let corners = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high];
        corners.into_iter().fold(Self::point(corners[0]), Self::with)
    }

    pub(crate) fn abs(self) -> Self {
        if self.low <= 0.0 && self.high >= 0.0 {
            Self { low: 0.0, high: self.high.max(-self.low) }
        } else {
            self.monotonic(f32::abs)
        }
    }
}

/// The range of values.
pub(crate) fn of(values: &[f32]) -> Range {
    values.iter().fold(Range::new(f32::INFINITY, f32::NEG_INFINITY), |range, value| range.with(*value))
}

/// An interval of a coordinate, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Span {
    pub(crate) fn middle(self) -> f64 {
        self.low + (self.high - self.low) * 0.5
    }

    pub(crate) fn half(self) -> f64 {
        (self.high - self.low) * 0.5
    }
}

/// The span of coordinates.
pub(crate) fn span(values: &[f64]) -> Span {
    let first = values.first().copied().unwrap_or(0.0);
    let init = Span { low: first, high: first };
    values.iter().fold(init, |span, value| Span { low: span.low.min(*value), high: span.high.max(*value) })
}
