//! How well scores rank what is abnormal: average precision, and the volume under the precision-recall surface (VUS-PR; Paparrizos et al., VLDB
//! 2022), which forgives being a little early or late. Point adjustment is never used.

/// Average precision; `None` without a positive.
pub fn average_precision(labels: &[bool], scores: &[f64]) -> Option<f64> {
    let positives = labels.iter().filter(|l| **l).count();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let (mut hits, mut called, mut sum, mut before) = (0.0, 0.0, 0.0, 0.0);
    for equal in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        hits += equal.iter().filter(|i| labels[**i]).count() as f64;
        called += equal.len() as f64;
        let recall = hits / positives as f64;
        sum += (recall - before) * hits / called;
        before = recall;
    }
    (positives > 0).then_some(sum)
}

/// The mean over buffers of up to `widest` points around each anomaly; `None` without one.
pub fn volume(labels: &[bool], scores: &[f64], widest: usize) -> Option<f64> {
    const BUFFERS: usize = 4;
    let any = labels.iter().any(|l| *l);
    let buffers = (0..=BUFFERS).map(|k| (k * widest / BUFFERS).max(1));
    any.then(|| buffers.map(|buffer| area(labels, scores, buffer)).sum::<f64>() / (BUFFERS + 1) as f64)
}

/// Area under precision and recall with one buffer.
fn area(labels: &[bool], scores: &[f64], buffer: usize) -> f64 {
    const THRESHOLDS: usize = 250;
    let n = labels.len();
    let mut soft: Vec<f64> = labels.iter().map(|l| f64::from(u8::from(*l))).collect();
    for (start, end) in runs(labels.iter().copied()) {
        for k in 1..=buffer / 2 {
            let near = (1.0 - k as f64 / buffer as f64).sqrt();
            if let Some(before) = start.checked_sub(k) {
                soft[before] = soft[before].max(near);
            }
            if end + k < n {
                soft[end + k] = soft[end + k].max(near);
            }
        }
    }
    let hard = labels.iter().filter(|l| **l).count() as f64;
    let positives = (hard + soft.iter().sum::<f64>()) / 2.0;
    let events: Vec<f64> = runs(soft.iter().map(|s| *s > 0.0))
        .into_iter()
        .map(|(start, end)| scores[start..=end].iter().copied().fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let steps = THRESHOLDS.min(n);
    let (mut sum, mut before) = (0.0, 0.0);
    for step in 0..steps {
        let threshold = sorted[step * (n - 1) / (steps - 1).max(1)];
        let called = || scores.iter().zip(&soft).filter(|(score, _)| **score >= threshold);
        let hits: f64 = called().map(|(_, soft)| soft).sum();
        let found = events.iter().filter(|most| **most >= threshold).count() as f64 / events.len() as f64;
        let recall = (hits / positives).min(1.0) * found;
        sum += (recall - before) * hits / called().count() as f64;
        before = recall;
    }
    sum
}

/// First and last place of each run of `true`.
pub fn runs(flags: impl Iterator<Item = bool>) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for (at, _) in flags.enumerate().filter(|(_, flag)| *flag) {
        match out.last_mut() {
            Some((_, end)) if *end + 1 == at => *end = at,
            _ => out.push((at, at)),
        }
    }
    out
}

/// How alerts fit the events that were marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alerts {
    /// Marked events: runs of marked points.
    pub events: usize,
    /// Events with an alert, from [`EARLY`] points before them to [`LATE`] after.
    pub found: usize,
    /// Alerts near no event.
    pub wrong: usize,
}

/// An alert counts for an event from so many points before it.
pub const EARLY: usize = 2;
/// To so many after it.
pub const LATE: usize = 5;

/// Compares alerts with marks, point by point.
pub fn alerts(labels: &[bool], called: &[bool]) -> Alerts {
    let events = runs(labels.iter().copied());
    let near = |at: usize, (start, end): &(usize, usize)| at + EARLY >= *start && at <= end + LATE;
    let called: Vec<usize> = (0..called.len()).filter(|at| called[*at]).collect();
    Alerts {
        events: events.len(),
        found: events.iter().filter(|event| called.iter().any(|at| near(*at, event))).count(),
        wrong: called.iter().filter(|at| !events.iter().any(|event| near(**at, event))).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_ranks_are_one() {
        let labels = [false, false, true, true, false, false, false, false];
        let scores = [0.1, 0.2, 0.9, 0.8, 0.3, 0.1, 0.0, 0.2];
        assert_eq!(average_precision(&labels, &scores), Some(1.0));
        assert!(volume(&labels, &scores, 1).is_some_and(|v| v > 0.95));
        assert_eq!(average_precision(&[false; 3], &[0.0; 3]), None);
        let worst: Vec<f64> = scores.iter().map(|s| 1.0 - s).collect();
        assert!(average_precision(&labels, &worst).is_some_and(|ap| ap < 0.4));
    }

    #[test]
    fn alerts_near_an_event_are_right() {
        let marks = |at: &[usize]| (0..60).map(|i| at.contains(&i)).collect::<Vec<bool>>();
        for (called, expected) in [
            (vec![], Alerts { events: 2, found: 0, wrong: 0 }),
            (vec![18, 45], Alerts { events: 2, found: 2, wrong: 0 }),
            (vec![17, 26, 27, 46], Alerts { events: 2, found: 1, wrong: 3 }),
        ] {
            assert_eq!(alerts(&marks(&[20, 21, 40]), &marks(&called)), expected, "{called:?}");
        }
    }
}
