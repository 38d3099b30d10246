//! The best single level in hindsight.
//!
//! Cost as a function of the level is convex and bends only where an hour's usage ends. For one kind of usage at ratio r the
//! slope is r x hours - (hours with more usage than the level), so the least cost is at the (1 - r) quantile of hourly demand.
//! With several kinds the same holds of the stacked costs, and the bend is found by bisection.

use grid_model::Amount;

use super::offer::Ratio;
use super::replay::{Replay, Stack};

/// The (1 - r) quantile of hourly on-demand cost: the least value that at most r of all hours exceed. Zero without hours.
pub fn quantile(hourly: &[Amount], ratio: Ratio) -> Amount {
    let mut sorted = hourly.to_vec();
    sorted.sort_unstable();
    let n = sorted.len();
    let (committed, on_demand) = ratio.parts();
    // The most hours that may lie above: r x n, rounded down.
    let above = committed.checked_mul(n as i128).map_or(n, |x| (x / on_demand).min(n as i128) as usize);
    if above >= n { Amount::ZERO } else { sorted[n - 1 - above] }
}

/// The level of committed cost per hour with the least cost, and what it does. The lowest such level, if there are several.
pub fn optimum(stack: &Stack) -> (Amount, Replay) {
    let mut bends = vec![Amount::ZERO];
    for hour in stack.by_hour() {
        let mut sum = 0;
        for (committed, _) in hour.iter().filter(|(c, _)| c.0 > 0) {
            sum += committed.0;
            bends.push(Amount(sum));
        }
    }
    bends.sort_unstable();
    bends.dedup();
    // The first bend after which cost does not fall.
    let (mut low, mut high) = (0, bends.len() - 1);
    while low < high {
        let middle = (low + high) / 2;
        if stack.replay(bends[middle + 1]).cost() < stack.replay(bends[middle]).cost() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (bends[low], stack.replay(bends[low]))
}

/// A level as it can be bought: the multiple of `step` beside it with the lower cost, the lower one if both cost the same.
pub fn in_steps(stack: &Stack, level: Amount, step: Amount) -> Amount {
    if step <= Amount::ZERO || level.0 % step.0 == 0 {
        return level;
    }
    let below = Amount(level.0 / step.0 * step.0);
    let above = Amount(below.0 + step.0);
    if stack.replay(above).cost() < stack.replay(below).cost() { above } else { below }
}
