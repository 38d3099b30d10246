//! Where a series changes for good: the points from which its level or its slope is another. Few and certain ones, as people mark them.
//!
//! Reading order: [`find`] (the whole of it) -> `prepare` (gaps, season, wild points, length) -> `segment` (the best cuts for each number of
//! cuts) -> `choose` (how many cuts are worth their price).
//!
//! A series is described as pieces, each a level or a line, with noise that remembers (an autoregression of order one). Among all descriptions the
//! shortest wins: minimum description length (Davis, Lee and Rodriguez-Yam, JASA 2006), found exactly by dynamic programming (Auger and
//! Lawrence, 1989) on the series less its remembered part (Chakar et al., AR1seg, Bernoulli 2017). That the noise may be a random walk is what
//! keeps a wandering price or a slow load from being cut into many levels; that a cut must explain a visible share of the whole keeps out what is
//! significant and means nothing.

mod prepare;
mod segment;
mod choose;

use crate::series::NotEnoughData;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;
/// Fewest known points of a series that is judged.
pub const POINTS_MIN: usize = 10;
/// Most changes that are told.
pub const CHANGES_MAX: usize = 10;

/// A place from which the series is another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The first point after the change.
    pub at: usize,
    /// Share of the variance of the series that this change explains, from 0 to 1.
    pub share: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// In order of time.
    pub changes: Vec<Change>,
    /// Per point, what its piece says about it, the season included.
    pub expected: Vec<f64>,
    /// Per point, the standard deviation of its piece around that.
    pub deviation: Vec<f64>,
}

/// Finds the changes of evenly spaced points; NaN is a gap, filled on the line between its neighbours. The whole series is looked at: a change is
/// known some points after it happened.
///
/// # Errors
/// [`NotEnoughData`] for fewer than [`POINTS_MIN`] known points.
pub fn find(points: &[f64]) -> Result<Changes, NotEnoughData> {
    let known = points.iter().filter(|v| v.is_finite()).count();
    if known < POINTS_MIN {
        return Err(NotEnoughData { have: known, need: POINTS_MIN });
    }
    let ready = prepare::ready(points);
    let cuts = choose::cuts(&ready.short);
    let at: Vec<usize> = cuts.iter().map(|cut| prepare::refine(&ready.clean, cut.at, ready.block)).collect();
    let mut changes: Vec<Change> = at.iter().zip(&cuts).map(|(at, cut)| Change { at: *at, share: cut.share }).collect();
    changes.dedup_by_key(|change| change.at);

    let bounds: Vec<usize> =
        std::iter::once(0).chain(changes.iter().map(|c| c.at)).chain(std::iter::once(points.len())).collect();
    let (mut expected, mut deviation) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
    for piece in bounds.windows(2) {
        let line = segment::Line::through(&ready.clean[piece[0]..piece[1]]);
        for (n, season) in ready.season[piece[0]..piece[1]].iter().enumerate() {
            expected.push((line.at(n) + season) * ready.size + ready.middle);
            deviation.push(line.deviation * ready.size);
        }
    }
    Ok(Changes { changes, expected, deviation })
}

#[cfg(test)]
mod tests;
