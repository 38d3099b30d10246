//! Each forecast with each headroom, weighed by what it would have cost lately at one price of unserved load.

use super::foresee::FORECASTS;

/// Capacity per forecast load.
const HEADROOMS: [f64; 9] = [1.05, 1.12, 1.2, 1.3, 1.0 / super::REACTIVE_UTILISATION, 1.6, 1.8, 2.1, 2.5];
pub(super) const EXPERTS: usize = FORECASTS * HEADROOMS.len();
/// Days after which a cost counts half.
const HALF_LIFE_DAYS: f64 = 0.25;
/// How fast weights fall with costs: an expert that costs 1/EAGER of the load more has 1/e of the weight.
const EAGER: f64 = 30.0;

/// What each expert would have.
pub(super) fn experts(forecasts: [f64; FORECASTS]) -> [f64; EXPERTS] {
    std::array::from_fn(|i| forecasts[i / HEADROOMS.len()] * HEADROOMS[i % HEADROOMS.len()])
}

/// The experts at one price.
pub(super) struct Blend {
    /// What a unit of unserved load costs, in units of capacity.
    pub price: f64,
    fade: f64,
    load: f64,
    costs: [f64; EXPERTS],
}

impl Blend {
    pub(super) fn new(price: f64, day: usize) -> Self {
        let fade = 0.5_f64.powf(1.0 / (HALF_LIFE_DAYS * day as f64));
        Self { price, fade, load: 0.0, costs: [0.0; EXPERTS] }
    }

    pub(super) fn learn(&mut self, usage: f64, experts: &[f64; EXPERTS]) {
        self.load = self.fade * self.load + usage;
        for (cost, limit) in self.costs.iter_mut().zip(experts) {
            *cost = self.fade * *cost + limit + self.price * (usage - limit).max(0.0);
        }
    }

    /// The weighted mean of the experts; `None` before there was any load.
    pub(super) fn limit(&self, experts: &[f64; EXPERTS]) -> Option<f64> {
        if self.load <= 0.0 {
            return None;
        }
        let best = self.costs.iter().copied().fold(f64::INFINITY, f64::min);
        let weigh = |cost: &f64| (-(cost - best) / self.load * EAGER).exp();
        let (sum, weights) = self.costs.iter().zip(experts).fold((0.0, 0.0), |(sum, weights), (cost, limit)| {
            let weight = weigh(cost);
            (sum + weight * limit, weights + weight)
        });
        Some(sum / weights)
    }
}
