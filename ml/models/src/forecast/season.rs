//! Which seasons a series has, and the filling of its gaps.

/// Periods that are looked for if none is known: those of calendars and clocks, in steps from a minute to a quarter.
const USUAL: [usize; 17] = [4, 5, 7, 12, 13, 24, 26, 30, 48, 52, 60, 96, 144, 168, 288, 336, 1440];
/// A season is believed if values one period apart correlate at least so much, the trend taken off.
const CORRELATION_MIN: f64 = 0.3;
/// A longer season must add so much to the correlation of the shorter.
const GAIN_MIN: f64 = 0.005;

/// The variance below which scaled values do not change.
const NOTHING: f64 = 1e-18;

/// At most two seasons, shortest first: the known one, or the most telling of the usual ones, and one that is a multiple of it.
pub(crate) fn find(values: &[f64], known: Option<usize>) -> Vec<usize> {
    let fits = |period: usize| period > 1 && values.len() > 2 * period;
    let rest = without_trend(values);
    let first = match known.filter(|p| *p > 1) {
        Some(period) => Some(period).filter(|p| fits(*p)),
        None => {
            let found = USUAL.into_iter().filter(|p| fits(*p)).map(|p| (peak(&rest, p), p));
            // Of equally telling ones the shortest.
            found
                .filter(|(c, _)| *c >= CORRELATION_MIN)
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
                .map(|(_, p)| p)
        }
    };
    let Some(first) = first else { return Vec::new() };
    let base = correlation(&rest, first);
    // A week of days, a day of twelve of five minutes.
    let longer = [7, 12, 24].map(|k| k * first).into_iter().filter(|p| fits(*p)).map(|p| (correlation(&rest, p), p));
    let longer = longer.filter(|(c, _)| *c >= base + GAIN_MIN).max_by(|a, b| a.0.total_cmp(&b.0));
    std::iter::once(first).chain(longer.map(|(_, p)| p)).collect()
}

/// The correlation at a period, if it stands out of what lies half a period before: a slow drift correlates everywhere.
fn peak(values: &[f64], period: usize) -> f64 {
    let at = correlation(values, period);
    if at - correlation(values, period - period / 2) >= CORRELATION_MIN / 2.0 { at } else { 0.0 }
}

/// Autocorrelation at a lag.
fn correlation(values: &[f64], lag: usize) -> f64 {
    let n = values.len();
    if lag >= n {
        return 0.0;
    }
    let (before, after) = (&values[..n - lag], &values[lag..]);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (mb, ma) = (mean(before), mean(after));
    let (mut both, mut bb, mut aa) = (0.0, 0.0, 0.0);
    for (b, a) in before.iter().zip(after) {
        both += (b - mb) * (a - ma);
        bb += (b - mb) * (b - mb);
        aa += (a - ma) * (a - ma);
    }
    // What is left of a straight line is rounding, which correlates as it likes.
    let least = NOTHING * before.len() as f64;
    if bb > least && aa > least { both / (bb * aa).sqrt() } else { 0.0 }
}

/// The values less the straight line through them.
fn without_trend(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let (mx, my) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let xy: f64 = values.iter().enumerate().map(|(i, v)| (i as f64 - mx) * (v - my)).sum();
    let xx: f64 = (0..values.len()).map(|i| (i as f64 - mx) * (i as f64 - mx)).sum();
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    values.iter().enumerate().map(|(i, v)| v - my - slope * (i as f64 - mx)).collect()
}

/// From the first to the last known point, each gap filled.
pub(crate) fn fill(points: &[f64], season: Option<usize>) -> Vec<f64> {
    let known = |i: &usize| points[*i].is_finite();
    let (Some(first), Some(last)) = ((0..points.len()).find(known), (0..points.len()).rfind(known)) else {
        return Vec::new();
    };
    let mut out: Vec<f64> = points[first..=last].to_vec();
    let mut at = 0;
    while at < out.len() {
        if out[at].is_finite() {
            at += 1;
            continue;
        }
        // The ends are known, so a gap has a neighbour on either side.
        let end = (at..out.len()).find(|i| out[*i].is_finite()).unwrap_or(out.len() - 1);
        let (left, right) = (out[at - 1], out[end]);
        let steps = (end - at + 1) as f64;
        for i in at..end {
            let before = season.filter(|s| *s > 1).and_then(|s| i.checked_sub(s)).map(|i| out[i]);
            out[i] = before.unwrap_or_else(|| left + (right - left) * (i - at + 1) as f64 / steps);
        }
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, periods: &[(usize, f64)]) -> Vec<f64> {
        let turn = |i: usize, p: usize| (std::f64::consts::TAU * i as f64 / p as f64).sin();
        (0..n).map(|i| 0.01 * i as f64 + periods.iter().map(|(p, size)| size * turn(i, *p)).sum::<f64>()).collect()
    }

    #[test]
    fn seasons_are_found() {
        for (values, known, expected) in [
            (wave(300, &[(24, 1.0)]), None, vec![24]),
            (wave(800, &[(24, 1.0), (168, 0.7)]), Some(24), vec![24, 168]),
            (wave(300, &[(7, 1.0)]), None, vec![7]),
            (wave(300, &[]), None, vec![]),
            // Too short for the season that is given.
            (wave(30, &[(24, 1.0)]), Some(24), vec![]),
            (wave(300, &[(24, 1.0)]), Some(24), vec![24]),
        ] {
            assert_eq!(find(&values, known), expected);
        }
    }

    #[test]
    fn gaps_are_filled_and_ends_cut() {
        let nan = f64::NAN;
        for (points, season, expected) in [
            (vec![nan, 1.0, nan, nan, 4.0, nan], None, vec![1.0, 2.0, 3.0, 4.0]),
            (vec![1.0, 5.0, nan, 4.0], Some(2), vec![1.0, 5.0, 1.0, 4.0]),
            (vec![nan, nan], None, vec![]),
        ] {
            assert_eq!(fill(&points, season), expected);
        }
    }
}
