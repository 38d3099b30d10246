//! What is usual at a time of day: one fading mean per half hour.

use grid_model::Timestamp;
use grid_model::time::DAY_NS;

use super::moving::Moving;

/// Parts of a day.
const SLOTS: usize = 48;
/// Weight of a new point in its part of the day.
const WEIGHT: f32 = 0.03;
/// Points of a part of the day before it says something.
const TRUSTED_FROM: u32 = 3;
/// Points after which a distance from the usual is remembered by half.
const HALF_LIFE: f64 = 500.0;

/// The day, and how far values are from what is usual in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Season {
    slots: Vec<Slot>,
    distance: Moving,
}

/// Kept small: there is one of these per half hour and series.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Slot {
    mean: f64,
    seen: u32,
}

impl Default for Season {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS], distance: Moving::new(HALF_LIFE) }
    }
}

fn slot_of(time: Timestamp) -> usize {
    (time.0.rem_euclid(DAY_NS) / (DAY_NS / SLOTS as i64)) as usize % SLOTS
}

impl Season {
    /// The usual value at a time, and the usual distance from it.
    pub(super) fn expected(&self, time: Timestamp) -> Option<(f64, f64)> {
        let slot = self.slots[slot_of(time)];
        (slot.seen >= TRUSTED_FROM && self.distance.seen() >= SLOTS as f64)
            .then(|| (slot.mean, self.distance.deviation()))
    }

    /// Deviations from what is usual at this time of day.
    pub(super) fn push(&mut self, time: Timestamp, value: f64, floor: f64) -> f64 {
        let slot = &mut self.slots[slot_of(time)];
        let away = if slot.seen >= TRUSTED_FROM { self.distance.push(value - slot.mean, floor) } else { 0.0 };
        slot.seen = slot.seen.saturating_add(1);
        let weight = f64::from(WEIGHT).max(1.0 / f64::from(slot.seen));
        slot.mean += weight * (value - slot.mean);
        away
    }
}
