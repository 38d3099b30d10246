//! From points as they come to values of size 1 without gaps, season and wild points, and few enough to be cut.

use crate::forecast::season;

/// Most values that are cut: longer series are averaged in blocks first, since the time grows with the square.
const VALUES_MAX: usize = 1_000;
/// Points to either side whose median says what a point should be, and deviations from it that are too many.
const NEAR: usize = 3;
const WILD: f64 = 5.0;
/// Repeats that a season needs, and the share of the variance it must explain (its strength: Wang, Smith and Hyndman, 2006).
const REPEATS_MIN: usize = 3;
const STRENGTH_MIN: f64 = 0.5;

/// A series ready to be cut. All but `short` have one number per point.
pub(super) struct Ready {
    /// Scaled, without season and wild points.
    pub clean: Vec<f64>,
    /// The season that was taken off, scaled.
    pub season: Vec<f64>,
    /// The means of blocks of [`block`](Self::block) points of `clean`.
    pub short: Vec<f64>,
    pub block: usize,
    /// What undoes the scaling.
    pub middle: f64,
    pub size: f64,
}

pub(super) fn ready(points: &[f64]) -> Ready {
    let n = points.len();
    let inner = season::fill(points, None);
    let start = points.iter().position(|v| v.is_finite()).unwrap_or(0);
    // The ends of a filled series are known; what lies outside of them is as they are.
    let value = |i: usize| inner[i.saturating_sub(start).min(inner.len() - 1)];
    let share = n as f64;
    let middle = (0..n).map(|i| value(i) / share).sum::<f64>();
    let size = (0..n).map(|i| (value(i) - middle).abs() / share).sum::<f64>();
    let size = if size.is_normal() { size } else { 1.0 };
    let mut clean: Vec<f64> = (0..n).map(|i| (value(i) - middle) / size).collect();

    let season = season_of(&clean);
    clean.iter_mut().zip(&season).for_each(|(value, season)| *value -= season);
    tame(&mut clean);
    let block = n.div_ceil(VALUES_MAX).max(1);
    let short = clean.chunks(block).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
    Ready { clean, season, short, block, middle, size }
}

/// Per point the usual distance from the moving mean at its place in the season; zeros without a season.
fn season_of(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let rest = less_mean(values, (n / 10).max(24));
    let found = season::find(&rest, None).into_iter().rfind(|period| n >= REPEATS_MIN * period);
    let Some(period) = found else { return vec![0.0; n] };
    let rest = less_mean(values, period);
    let usual: Vec<f64> = (0..period)
        .map(|place| {
            let mut at: Vec<f64> = rest.iter().skip(place).step_by(period).copied().collect();
            let middle = at.len() / 2;
            *at.select_nth_unstable_by(middle, f64::total_cmp).1
        })
        .collect();
    let squares = |v: f64| v * v;
    let all: f64 = rest.iter().map(|v| squares(*v)).sum();
    let left: f64 = rest.iter().enumerate().map(|(i, v)| squares(v - usual[i % period])).sum();
    // As many numbers as the season has explain a share of any noise.
    let by_chance = 1.0 - period as f64 / n as f64;
    if left > (1.0 - STRENGTH_MIN) * by_chance * all {
        return vec![0.0; n];
    }
    let mean = usual.iter().sum::<f64>() / period as f64;
    (0..n).map(|i| usual[i % period] - mean).collect()
}

/// The values less the mean of the `width` around each; at the ends, of the first and last `width`.
fn less_mean(values: &[f64], width: usize) -> Vec<f64> {
    let width = width.clamp(1, values.len());
    let mut sums = vec![0.0];
    sums.extend(values.iter().scan(0.0, |sum, v| {
        *sum += v;
        Some(*sum)
    }));
    let mean = |i: usize| {
        let end = (i.saturating_sub(width / 2) + width).min(values.len());
        (sums[end] - sums[end - width]) / width as f64
    };
    values.iter().enumerate().map(|(i, v)| v - mean(i)).collect()
}

/// Draws in points that are far from the median around them (Hampel, 1974): a single wild point is no change.
fn tame(values: &mut [f64]) {
    let n = values.len();
    let medians: Vec<f64> = (0..n)
        .map(|i| {
            let mut near = values[i.saturating_sub(NEAR)..(i + NEAR + 1).min(n)].to_vec();
            let middle = near.len() / 2;
            *near.select_nth_unstable_by(middle, f64::total_cmp).1
        })
        .collect();
    let mut away: Vec<f64> = values.iter().zip(&medians).map(|(v, m)| (v - m).abs()).collect();
    let mean = away.iter().sum::<f64>() / n as f64;
    let middle = n / 2;
    let median = *away.select_nth_unstable_by(middle, f64::total_cmp).1;
    // The deviation of normal noise, by its median and, where most points do not move at all, by its mean.
    let deviation = if median > 0.0 { 1.4826 * median } else { 1.25 * mean };
    for (value, median) in values.iter_mut().zip(medians) {
        *value = value.clamp(median - WILD * deviation, median + WILD * deviation);
    }
}

/// The point at which a cut between blocks lies: the best of those around it, the halves being levels.
pub(super) fn refine(clean: &[f64], block_at: usize, block: usize) -> usize {
    if block == 1 {
        return block_at;
    }
    let cut = block_at * block;
    let (from, to) = (cut.saturating_sub(2 * block), (cut + 2 * block).min(clean.len()));
    let near = &clean[from..to];
    let total: f64 = near.iter().sum();
    let (mut left, mut best, mut at) = (0.0, f64::NEG_INFINITY, cut);
    for (i, value) in near.iter().enumerate().take(near.len() - 1) {
        left += value;
        let (before, after) = ((i + 1) as f64, (near.len() - i - 1) as f64);
        let between = left * left / before + (total - left) * (total - left) / after;
        if between > best {
            (best, at) = (between, from + i + 1);
        }
    }
    at
}
