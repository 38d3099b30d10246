//! How many faults a detector would find in a series that has no marks: faults of known kinds are put into copies of it.

use grid_model::Timestamp;

use super::{Detector, POINTS_MIN, Tier};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One point far up.
    Spike,
    /// One point far down.
    Dip,
    /// A higher level from here on.
    Level,
}

/// All kinds.
pub const FAULTS: [Fault; 3] = [Fault::Spike, Fault::Dip, Fault::Level];

impl Fault {
    /// As it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Dip => "dip",
            Self::Level => "level",
        }
    }

    /// What is added to the point so many after the fault began, in usual deviations.
    fn size(self, after: usize) -> f64 {
        match self {
            Self::Spike if after == 0 => 8.0,
            Self::Dip if after == 0 => -8.0,
            Self::Spike | Self::Dip => 0.0,
            Self::Level => 5.0,
        }
    }
}

/// What was found of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// The kind.
    pub fault: Fault,
    /// How many were put in.
    pub put: usize,
    /// How many started an event within [`WITHIN`] points.
    pub found: usize,
}

/// Points after the start of a fault within which it must be found.
pub const WITHIN: usize = 6;
/// Places at which faults are put.
const PLACES: usize = 50;

/// Puts faults at evenly spread places, each into a copy of its own, and looks whether events start there.
pub fn inject(tier: Tier, points: &[(Timestamp, f64)]) -> Vec<Injected> {
    let mut out = FAULTS.map(|fault| Injected { fault, put: 0, found: 0 });
    let first = 4 * POINTS_MIN;
    let every = points.len().saturating_sub(first + WITHIN).div_ceil(PLACES).max(1);
    let mut detector = Detector::new(tier);
    for (at, (time, value)) in points.iter().enumerate() {
        if at >= first && (at - first).is_multiple_of(every) && at + WITHIN <= points.len() && value.is_finite() {
            // Half the width of the usual range is three deviations.
            let (expected, half) = detector.usual(*time);
            let deviation = (half / 3.0).max(1e-3 * expected.abs());
            for kind in &mut out {
                let mut copy = detector.clone();
                kind.put += 1;
                let mut found = false;
                for (after, (time, value)) in points[at..at + WITHIN].iter().enumerate() {
                    found |= copy.push(*time, value + kind.fault.size(after) * deviation).anomaly;
                }
                kind.found += usize::from(found);
            }
        }
        detector.push(*time, *value);
    }
    out.to_vec()
}
