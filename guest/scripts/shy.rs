//! shy: a creature that runs from whoever comes near, and walks home when it is left alone.
//!
//! A `_notification` script. For NOTIFICATION_PHYSICS_PROCESS the row that comes in is
//!
//! ```text
//! delta REAL (seconds), x REAL, z REAL, home_x REAL, home_z REAL (metres), then x REAL, z REAL of each visitor
//! ```
//!
//! and the one that goes out is where the creature stands and looks after this step: nothing when it need not move. Every other
//! notification changes nothing. The script keeps nothing from step to step: place and visitors come in each row.

use wasgo::{Row, RowWriter, notification};

wasgo::script! { columns: "position:x,position:z,rotation:y", notification: shy }

/// Metres at which a visitor begins to count. One at half of that counts three times as much as one at three quarters.
const NEAR: f64 = 8.0;
/// Metres in a second.
const RUN: f64 = 5.0;
const WALK: f64 = 1.2;
/// Closer to home than this it rests.
const AT_HOME: f64 = 0.1;
/// The longest step, in seconds: after a pause of the game it must not leap.
const LONGEST_STEP: f64 = 0.1;

/// Values of the row before the visitors.
const FIRST_VISITOR: usize = 5;

#[derive(Clone, Copy)]
struct Vector {
    x: f64,
    z: f64,
}

fn shy(what: i32, row: Row, answer: RowWriter) -> Option<RowWriter> {
    if what != notification::PHYSICS_PROCESS || row.len() < FIRST_VISITOR {
        return None;
    }
    let delta = row.real(0).clamp(0.0, LONGEST_STEP);
    let place = Vector::new(row.real(1), row.real(2));
    let home = Vector::new(row.real(3), row.real(4));

    if !(delta + place.length() + home.length()).is_finite() {
        return None;
    }

    let fear = fear(place, &row);
    let (way, speed) = if fear.length() > 0.0 { (fear, RUN) } else { (home.minus(place), WALK) };
    let distance = way.length();
    if speed == WALK && distance < AT_HOME {
        return None;
    }

    // The way home ends there; fear is no distance.
    let step = if speed == WALK { (speed * delta).min(distance) } else { speed * delta };
    let next = Vector::new(place.x + way.x / distance * step, place.z + way.z / distance * step);
    // A node looks along its own -Z.
    Some(answer.real(next.x).real(next.z).real((-way.x).atan2(-way.z)))
}

/// Away from all visitors that are near, the nearest counting most; nothing when there are none.
fn fear(place: Vector, row: &Row) -> Vector {
    let mut fear = Vector::new(0.0, 0.0);
    for i in (FIRST_VISITOR..row.len().saturating_sub(1)).step_by(2) {
        let away = place.minus(Vector::new(row.real(i), row.real(i + 1)));
        let distance = away.length();
        if distance >= NEAR {
            continue;
        }
        // Whoever stands exactly where the creature is drives it along +X.
        let away = if distance > 0.0 { away } else { Vector::new(1.0, 0.0) };
        let weight = (NEAR - distance) / (distance.max(0.01) * away.length());
        fear = Vector::new(fear.x + away.x * weight, fear.z + away.z * weight);
    }
    fear
}

impl Vector {
    fn new(x: f64, z: f64) -> Self {
        Self { x, z }
    }

    fn minus(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.z - other.z)
    }

    fn length(self) -> f64 {
        (self.x * self.x + self.z * self.z).sqrt()
    }
}
