//! How many cuts: those whose description is shortest, less those that explain next to nothing.

use super::CHANGES_MAX;
use super::segment::{Piece, Sums, best};

/// How much of the last value the noise remembers; 1 is a random walk.
const MEMORIES: [f64; 7] = [0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0];
/// Shortest piece.
const SHORTEST: usize = 5;
/// What the place of a cut costs, in units of the logarithm of the length.
const PLACE_COST: f64 = 2.0;
/// Share of the variance that a change must explain.
const SHARE_MIN: f64 = 0.05;
/// A line bends to fit what a level cannot, so a cut gains less over it: so many times less.
const LINE_GAIN: f64 = 3.0;
/// Variance that counts as none, of values of size 1.
const VARIANCE_MIN: f64 = 1e-5;

/// A cut before the value `at`.
pub(super) struct Cut {
    pub at: usize,
    pub share: f64,
}

pub(super) fn cuts(values: &[f64]) -> Vec<Cut> {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n.max(1) as f64;
    if n < 2 * SHORTEST || variance < VARIANCE_MIN {
        return Vec::new();
    }
    let shortest = SHORTEST.min(n / 3);
    let most = CHANGES_MAX.min(n / (2 * shortest));
    let mut shortest_yet = (f64::INFINITY, Vec::new());
    for memory in MEMORIES {
        let rest: Vec<f64> = (0..n).map(|i| values[i] - memory * values[i.saturating_sub(1)]).collect();
        let sums = Sums::of(&rest);
        let skip = usize::from(memory > 0.0);
        for piece in [Piece::Level, Piece::Line] {
            // The line of a random walk is a level of its steps.
            let piece = if memory < 1.0 { piece } else { Piece::Level };
            for (error, places) in best(&sums, piece, skip, shortest, most) {
                let length = length(n, error / variance, places.len(), piece, skip);
                if length < shortest_yet.0 {
                    shortest_yet = (length, places);
                }
            }
        }
    }
    telling(&Sums::of(values), n, variance, shortest_yet.1)
}

/// Twice the description length: the errors under normal noise, the numbers of each piece, the places of the cuts.
fn length(n: usize, error: f64, cuts: usize, piece: Piece, skip: usize) -> f64 {
    let (n, cuts) = (n as f64, cuts as f64);
    let pieces = cuts + 1.0;
    let judged = n - skip as f64 * pieces;
    let variance = (error / judged).max(VARIANCE_MIN);
    // The first value of a piece is free where the noise remembers: a number more.
    let of_piece = if piece == Piece::Line { 2.0 } else { 1.0 } + skip as f64;
    n * variance.ln() + (of_piece * pieces + PLACE_COST * cuts) * n.ln()
}

/// Takes out the cut that explains least, again and again, until each of the rest explains enough.
fn telling(sums: &Sums, n: usize, variance: f64, mut places: Vec<usize>) -> Vec<Cut> {
    loop {
        let bounds: Vec<usize> = std::iter::once(0).chain(places.iter().copied()).chain(std::iter::once(n)).collect();
        let gain = |w: &[usize], piece| {
            sums.error(w[0], w[2], piece) - sums.error(w[0], w[1], piece) - sums.error(w[1], w[2], piece)
        };
        let shares: Vec<f64> = bounds
            .windows(3)
            .map(|w| gain(w, Piece::Level).min(LINE_GAIN * gain(w, Piece::Line)) / (n as f64 * variance))
            .collect();
        let least = shares.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        match least {
            Some((which, share)) if *share < SHARE_MIN => {
                places.remove(which);
            }
            _ => return places.iter().zip(shares).map(|(at, share)| Cut { at: *at, share: share.min(1.0) }).collect(),
        }
    }
}
