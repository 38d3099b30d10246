//! What unserved load is worth: several prices are followed side by side, and what each would have cost and left unserved is known.

use super::REACTIVE_UTILISATION;
use super::blend::{Blend, EXPERTS, experts};
use super::foresee::FORECASTS;

/// Prices of unserved load, in units of capacity: the first, and how much dearer each next one is.
const PRICES: usize = 13;
/// And one more option: the dearest, and never less than a reactive policy.
const OPTIONS: usize = PRICES + 1;
const PRICE_FIRST: f64 = 3.0;
const PRICE_RATIO: f64 = 1.22;
/// Days after which what came of a price counts half.
const HALF_LIFE_DAYS: f64 = 30.0;
/// Spent in any case, in units of the load: a little less than what a reactive policy costs.
const BUDGET: f64 = 0.985 / REACTIVE_UTILISATION;
/// More is spent while one more percent of the load spent as capacity removes so many percent of what is unserved.
const WORTH: f64 = 4.0;
/// Unserved shares that are not worth telling apart.
const UNSERVED_MIN: f64 = 1e-4;
/// Share of the cost of a reactive policy that is as much.
const AS_DEAR: f64 = 0.99;
/// Part of a day before prices are compared.
const COMPARED_FROM: f64 = 0.05;

/// What each expert and each price would have for a step.
pub(super) struct Options {
    experts: [f64; EXPERTS],
    limits: [f64; OPTIONS],
    reactive: f64,
    /// What was decided.
    decided: f64,
}

/// What came of a policy: capacity and unserved load.
#[derive(Debug, Clone, Copy, Default)]
struct Came {
    capacity: f64,
    unserved: f64,
}

impl Came {
    fn learn(&mut self, fade: f64, usage: f64, limit: f64) {
        self.capacity = fade * self.capacity + limit;
        self.unserved = fade * self.unserved + (usage - limit).max(0.0);
    }
}

pub(super) struct Frontier {
    blends: Vec<Blend>,
    came_of: [Came; OPTIONS],
    /// The same of what was decided, and of a reactive policy.
    came_of_us: Came,
    came_of_reactive: Came,
    load: f64,
    fade: f64,
    seen: usize,
    judged_from: usize,
}

impl Frontier {
    pub(super) fn new(day: usize) -> Self {
        let blends = (0..PRICES).map(|k| Blend::new(PRICE_FIRST * PRICE_RATIO.powi(k as i32), day)).collect();
        Self {
            blends,
            came_of: [Came::default(); OPTIONS],
            came_of_us: Came::default(),
            came_of_reactive: Came::default(),
            load: 0.0,
            fade: 0.5_f64.powf(1.0 / (HALF_LIFE_DAYS * day as f64)),
            seen: 0,
            judged_from: (COMPARED_FROM * day as f64) as usize,
        }
    }

    pub(super) fn options(&self, forecasts: [f64; FORECASTS], last: f64) -> Options {
        let experts = experts(forecasts);
        let reactive = last / REACTIVE_UTILISATION;
        let mut limits = [reactive; OPTIONS];
        for (limit, blend) in limits.iter_mut().zip(&self.blends) {
            *limit = blend.limit(&experts).unwrap_or(reactive);
        }
        limits[PRICES] = limits[PRICES - 1].max(reactive);
        Options { experts, limits, reactive, decided: reactive }
    }

    /// What the load was for which there were these options.
    pub(super) fn learn(&mut self, usage: f64, options: Options) {
        self.seen += 1;
        self.load = self.fade * self.load + usage;
        for blend in &mut self.blends {
            blend.learn(usage, &options.experts);
        }
        let came = self.came_of.iter_mut().zip(options.limits);
        let beside = [(&mut self.came_of_us, options.decided), (&mut self.came_of_reactive, options.reactive)];
        came.chain(beside).for_each(|(came, limit)| came.learn(self.fade, usage, limit));
    }

    /// Decides the limit that is right for this load.
    pub(super) fn decide(&self, options: &mut Options) -> f64 {
        options.decided = self.limit(options);
        options.decided
    }

    fn limit(&self, options: &Options) -> f64 {
        if self.seen < self.judged_from || self.load <= 0.0 {
            return options.limits[PRICES];
        }
        let cost = |k: usize| self.came_of[k].capacity / self.load;
        let unserved = |k: usize| (self.came_of[k].unserved / self.load).max(UNSERVED_MIN);
        let within = (0..OPTIONS).rfind(|k| cost(*k) <= BUDGET).unwrap_or(0);
        // Where nothing can be foreseen more money buys nothing: whoever has paid as much as a reactive policy for less spends less.
        let (us, reactive) = (self.came_of_us, self.came_of_reactive);
        if us.capacity > AS_DEAR * reactive.capacity && us.unserved > reactive.unserved {
            return options.limits[within].min(options.reactive);
        }
        let use_of = |k: usize| -unserved(k).ln() - WORTH * cost(k);
        let best = (within..OPTIONS).max_by(|a, b| use_of(*a).total_cmp(&use_of(*b))).unwrap_or(within);
        if best > within || within + 1 == OPTIONS {
            return options.limits[best];
        }
        // The rest of the budget goes into a share of the next.
        let share = ((BUDGET - cost(within)) / (cost(within + 1) - cost(within)).max(1e-9)).clamp(0.0, 1.0);
        options.limits[within] + share * (options.limits[within + 1] - options.limits[within])
    }
}
