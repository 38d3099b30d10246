//! What was there at about this time of day on each of the last days: a value is strange if no day had one like it. Weekends need no rule of their
//! own, since a Saturday finds the last one.

use grid_model::Timestamp;
use grid_model::time::DAY_NS;

use super::moving::Moving;
use super::state::{Bad, Reader, Writer};

/// Parts of a day, and days that are kept.
pub(super) const SLOTS: usize = 48;
const DAYS: usize = 7;
/// Known values that it takes to say something.
const TRUSTED_FROM: usize = 3;
/// Values that single precision does not hold are taken for this.
const LARGEST: f64 = 1e30;

/// The last days, one mean per part of each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Week {
    /// Row after row; NaN is not known.
    means: Vec<f32>,
    /// Points of each part of the last day.
    seen: [u16; SLOTS],
    /// The day of the last point, counted from 1970; its row is being filled.
    day: i64,
    distance: Moving,
}

impl Week {
    pub(super) fn new(distance: Moving) -> Self {
        Self { means: vec![f32::NAN; SLOTS * DAYS], seen: [0; SLOTS], day: i64::MIN, distance }
    }

    /// Deviations from the nearest of what was there; then it is learnt.
    pub(super) fn push(&mut self, time: Timestamp, value: f64, floor: f64) -> f64 {
        let day = time.0.div_euclid(DAY_NS);
        let row = day.rem_euclid(DAYS as i64) as usize;
        let slot = slot_of(time);
        let today = day == self.day;
        let mut away = 0.0;
        if let Some(nearest) = self.nearest(slot, value, today.then_some(row)) {
            away = self.distance.push((value - nearest).abs(), floor);
        }
        if !today {
            // What is left of a week ago gives way part by part.
            self.seen = [0; SLOTS];
            self.day = day;
        }
        self.seen[slot] = self.seen[slot].saturating_add(1);
        let here = &mut self.means[row * SLOTS + slot];
        let value = value.clamp(-LARGEST, LARGEST) as f32;
        if self.seen[slot] == 1 {
            *here = value;
        } else {
            *here += (value - *here) / f32::from(self.seen[slot]);
        }
        away
    }

    /// The nearest value at this time or the parts of the day beside it, on days other than `today`.
    fn nearest(&self, slot: usize, value: f64, today: Option<usize>) -> Option<f64> {
        let (mut known, mut nearest) = (0, f64::INFINITY);
        for row in (0..DAYS).filter(|row| Some(*row) != today) {
            for near in [slot + SLOTS - 1, slot, slot + 1] {
                let mean = f64::from(self.means[row * SLOTS + near % SLOTS]);
                if !mean.is_nan() {
                    known += 1;
                    if (value - mean).abs() < (value - nearest).abs() {
                        nearest = mean;
                    }
                }
            }
        }
        (known >= TRUSTED_FROM && nearest.is_finite()).then_some(nearest)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.means.as_slice())
    }

    pub(super) fn save(&self, to: &mut Writer) {
        self.means.iter().for_each(|mean| to.f32(*mean));
        self.seen.iter().for_each(|seen| to.u16(*seen));
        to.i64(self.day);
        self.distance.save(to);
    }

    pub(super) fn load(&mut self, from: &mut Reader<'_>) -> Result<(), Bad> {
        for mean in &mut self.means {
            *mean = from.f32_or_nan()?;
        }
        for seen in &mut self.seen {
            *seen = from.u16()?;
        }
        self.day = from.i64()?;
        self.distance.load(from)
    }
}

/// Which part of its day a time lies in.
pub(super) fn slot_of(time: Timestamp) -> usize {
    (time.0.rem_euclid(DAY_NS) / (DAY_NS / SLOTS as i64)) as usize % SLOTS
}
