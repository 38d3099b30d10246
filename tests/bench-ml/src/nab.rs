//! The score of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015): early hits count more, false alarms less the nearer they are to what was
//! meant, and one threshold serves the whole corpus.

use std::ops::RangeInclusive;

/// Weights of a profile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) false_positive: f64,
    pub(crate) false_negative: f64,
}

pub(crate) const STANDARD: Profile = Profile { false_positive: 0.11, false_negative: 1.0 };
pub(crate) const FEW_FALSE: Profile = Profile { false_positive: 0.22, false_negative: 1.0 };
pub(crate) const FEW_MISSED: Profile = Profile { false_positive: 0.11, false_negative: 2.0 };

/// One file: its scores and the windows of its anomalies, in order.
pub(crate) struct Scored {
    pub(crate) scores: Vec<f64>,
    pub(crate) windows: Vec<RangeInclusive<usize>>,
}

/// What a point that is called an anomaly is worth.
struct Call {
    score: f64,
    /// Number of its window over all files, or none.
    window: Option<usize>,
    worth: f64,
}

/// 100 if every window is hit at its start and nothing else, 0 if nothing is called; with the best threshold.
pub(crate) fn score(files: &[Scored], profile: Profile) -> f64 {
    let mut calls = Vec::new();
    let mut windows = 0;
    for file in files {
        let n = file.scores.len();
        // The first 15%, at most of 5,000 points, are for learning.
        let probation = n * 15 / 100;
        for at in probation.min(750)..n {
            let score = file.scores[at];
            if score <= 0.0 {
                continue;
            }
            let call = match file.windows.iter().position(|w| w.contains(&at)) {
                Some(i) => {
                    let (start, end) = (*file.windows[i].start(), *file.windows[i].end());
                    let place = -((end - at + 1) as f64) / (end - start + 1) as f64;
                    Call { score, window: Some(windows + i), worth: sigmoid(place) / sigmoid(-1.0) }
                }
                None => {
                    let before = file.windows.iter().rfind(|w| *w.end() < at);
                    let worth = before
                        .map_or(-1.0, |w| sigmoid((at - w.end()) as f64 / ((w.end() - w.start()) as f64).max(1.0)));
                    Call { score, window: None, worth: worth * profile.false_positive }
                }
            };
            calls.push(call);
        }
        windows += file.windows.len();
    }
    calls.sort_by(|a, b| b.score.total_cmp(&a.score));
    let nothing = -profile.false_negative * windows as f64;
    let mut hits: Vec<Option<f64>> = vec![None; windows];
    let (mut sum, mut best) = (nothing, nothing);
    for equal in calls.chunk_by(|a, b| a.score == b.score) {
        for call in equal {
            let Some(window) = call.window else {
                sum += call.worth;
                continue;
            };
            match &mut hits[window] {
                Some(hit) => {
                    sum += (call.worth - *hit).max(0.0);
                    *hit = hit.max(call.worth);
                }
                missed => {
                    sum += call.worth + profile.false_negative;
                    *missed = Some(call.worth);
                }
            }
        }
        best = best.max(sum);
    }
    100.0 * (best - nothing) / (windows as f64 - nothing)
}

/// From 1 well before the end of a window through 0 at it to -1 after it.
fn sigmoid(place: f64) -> f64 {
    if place > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * place).exp()) - 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: usize, called: &[usize], windows: &[RangeInclusive<usize>]) -> Scored {
        let scores = (0..n).map(|i| f64::from(u8::from(called.contains(&i)))).collect();
        Scored { scores, windows: windows.to_vec() }
    }

    #[test]
    fn early_is_best_and_nothing_is_zero() {
        let at = |called: &[usize]| score(&[file(1000, called, &[500..=599])], STANDARD);
        assert_eq!(at(&[]), 0.0);
        assert!((at(&[500]) - 100.0).abs() < 1e-9);
        assert!(at(&[500]) > at(&[550]) && at(&[550]) > at(&[590]));
        // Another call within the window changes nothing, one far outside costs a little.
        assert!((at(&[500, 520]) - 100.0).abs() < 1e-9);
        assert!(at(&[500, 900]) < 100.0);
        assert_eq!(at(&[100]), 0.0);
    }
}
