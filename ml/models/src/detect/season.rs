//! What is usual at a time of day: one fading mean per half hour.

use grid_model::Timestamp;

use super::moving::Moving;
use super::state::{Bad, Reader, Writer};
use super::week::{SLOTS, slot_of};

/// Weight of a new point in its part of the day.
const WEIGHT: f64 = 0.05;
/// Points of a part of the day before it says something.
const TRUSTED_FROM: u32 = 3;

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

impl Season {
    pub(super) fn new(distance: Moving) -> Self {
        Self { slots: vec![Slot::default(); SLOTS], distance }
    }

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
        let weight = WEIGHT.max(1.0 / f64::from(slot.seen));
        slot.mean += weight * (value - slot.mean);
        away
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.slots.as_slice())
    }

    pub(super) fn save(&self, to: &mut Writer) {
        for slot in &self.slots {
            to.f64(slot.mean);
            to.u32(slot.seen);
        }
        self.distance.save(to);
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Bad> {
        for slot in &mut self.slots {
            *slot = Slot { mean: from.f64()?, seen: from.u32()? };
        }
        self.distance.load(from)
    }
}
