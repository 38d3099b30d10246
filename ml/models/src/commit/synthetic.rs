//! Demand made up from a seed, in whole units per hour, to measure policies and recommendations on.

use crate::rng::Rng;

/// The shape of a demand over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// The same daily and weekly rhythm throughout, with noise.
    Stationary,
    /// A rhythm that grows or shrinks steadily.
    Trend,
    /// Low, with rare high hours.
    Spikes,
    /// A rhythm that ends for good at some hour.
    DropToZero,
    /// On until a reservation has just paid for itself, then off for a term, at every level: what hurts online policies most.
    Adversarial,
    /// Each hour for itself.
    Noise,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 6] =
        [Self::Stationary, Self::Trend, Self::Spikes, Self::DropToZero, Self::Adversarial, Self::Noise];

    /// The name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stationary => "stationary",
            Self::Trend => "trend",
            Self::Spikes => "spikes",
            Self::DropToZero => "drop to zero",
            Self::Adversarial => "adversarial",
            Self::Noise => "noise",
        }
    }
}

/// `hours` of demand of at most `peak` units. `day` is the length of a day in hours, so that short series can have a rhythm;
/// `break_even` is where an adversary stops, `term` how long it then rests.
pub fn demand(
    shape: Shape,
    seed: u64,
    hours: usize,
    peak: u32,
    day: usize,
    (break_even, term): (usize, usize),
) -> Vec<u32> {
    let mut rng = Rng::new(seed);
    let day = day.max(2);
    let base = 0.2 + 0.5 * rng.unit();
    let (daily, weekly, noise) = (0.3 * rng.unit(), 0.2 * rng.unit(), 0.2 * rng.unit());
    let (phase, slope, end) = (rng.unit(), 1.8 * rng.unit() - 0.9, rng.below(hours.max(1) as u64) as usize);
    let rare = 2 + rng.below(day as u64 * 2);
    let units = |share: f64| (share.clamp(0.0, 1.0) * f64::from(peak)).round() as u32;
    let rhythm = |hour: usize, rng: &mut Rng| {
        let turn = (hour as f64 / day as f64 + phase) * std::f64::consts::TAU;
        let weekend = if (hour / day) % 7 >= 5 { -weekly } else { 0.0 };
        base + daily * turn.sin() + weekend + noise * (rng.unit() - 0.5)
    };
    let cycle = break_even + term;
    let rest: Vec<usize> = (0..peak).map(|_| rng.below(cycle.max(1) as u64 / 2 + 1) as usize).collect();
    (0..hours)
        .map(|hour| match shape {
            Shape::Stationary => units(rhythm(hour, &mut rng)),
            Shape::Trend => units(rhythm(hour, &mut rng) * (1.0 + slope * hour as f64 / hours as f64)),
            Shape::Spikes if rng.below(rare) == 0 => units(0.5 + 0.5 * rng.unit()),
            Shape::Spikes => units(0.1 * base),
            Shape::DropToZero if hour >= end => 0,
            Shape::DropToZero => units(rhythm(hour, &mut rng)),
            Shape::Adversarial => {
                // Each unit is needed for as long as a reservation takes to pay off, then rests; units begin at hours of their own.
                rest.iter().filter(|r| hour >= **r && (hour - **r) % cycle.max(1) < break_even).count() as u32
            }
            Shape::Noise => units(rng.unit()),
        })
        .collect()
}
