//! Signals that belong together: several measures of one thing that move as one, and the moments at which they do not.
//!
//! What is usual is learnt as the few directions in which the measures move together (principal components), after each was put in units of its own
//! deviation. A moment is strange by how far it lies off these directions (the squared prediction error of Jackson and Mudholkar, Technometrics 1979): high
//! use of the processors is usual under load, and strange without traffic. What each measure adds to the distance says which of them does not fit.

mod symmetric;

use crate::series::NotEnoughData;

/// The version of the whole: it changes whenever an answer may.
pub const VERSION: u32 = 1;
/// Moments from which something is learnt.
pub const MOMENTS_MIN: usize = 200;
/// Fewest and most measures.
pub const MEASURES_MIN: usize = 3;
/// See [`MEASURES_MIN`].
pub const MEASURES_MAX: usize = 16;
/// Part of all movement that the directions hold.
const HELD: f64 = 0.9;
/// Of a hundred moments that were learnt from so many are below the limit.
const USUAL: f64 = 0.995;
/// Moments to come are stranger than those that were learnt from; the limit lies so many times higher.
const MARGIN: f64 = 4.0;
/// Values beyond so many deviations are taken for this while learning, so that what was broken is not learnt.
const WILD: f64 = 6.0;

/// What is usual.
#[derive(Debug, Clone, PartialEq)]
pub struct Usual {
    middle: Vec<f64>,
    scale: Vec<f64>,
    /// Each row a direction of unit length.
    directions: Vec<Vec<f64>>,
    limit: f64,
}

/// How strange a moment is.
#[derive(Debug, Clone, PartialEq)]
pub struct Strange {
    /// Above 1: the measures do not belong together.
    pub score: f64,
    /// What each measure adds to it; they sum to the score.
    pub parts: Vec<f64>,
    /// What each measure would be if the others are right.
    pub expected: Vec<f64>,
}

/// Learns from moments, each one value per measure. `floors` are deviations, per measure, that mean nothing. Moments with a gap do not count.
///
/// # Errors
/// [`NotEnoughData`] for fewer than [`MOMENTS_MIN`] whole moments, or another number of measures than [`MEASURES_MIN`] to [`MEASURES_MAX`].
pub fn learn(moments: &[Vec<f64>], floors: &[f64]) -> Result<Usual, NotEnoughData> {
    let measures = floors.len();
    let is_whole = |m: &&Vec<f64>| m.len() == measures && m.iter().all(|v| v.is_finite());
    let known: Vec<&Vec<f64>> = moments.iter().filter(is_whole).collect();
    if !(MEASURES_MIN..=MEASURES_MAX).contains(&measures) {
        return Err(NotEnoughData { have: measures, need: MEASURES_MIN });
    }
    if known.len() < MOMENTS_MIN {
        return Err(NotEnoughData { have: known.len(), need: MOMENTS_MIN });
    }
    let column = |at: usize| known.iter().map(|m| m[at]).collect::<Vec<f64>>();
    let middle: Vec<f64> = (0..measures).map(|at| quantile(column(at), 0.5)).collect();
    // Of what rests half of the time the median deviation is none: the range of nine tenths of all moments is looked at, which a normal distribution
    // has 3.29 deviations wide.
    let scale: Vec<f64> = (0..measures)
        .map(|at| {
            ((quantile(column(at), 0.95) - quantile(column(at), 0.05)) / 3.29).max(floors[at]).max(f64::MIN_POSITIVE)
        })
        .collect();
    let scaled = |m: &[f64], at: usize| ((m[at] - middle[at]) / scale[at]).clamp(-WILD, WILD);
    let rows: Vec<Vec<f64>> = known.iter().map(|m| (0..measures).map(|at| scaled(m, at)).collect()).collect();
    let directions = directions(&rows, measures);
    let mut usual = Usual { middle, scale, directions, limit: 1.0 };
    let errors = known.iter().map(|m| usual.judge(m).score).collect();
    // Where everything moves as one to the last bit, a deviation of a floor in one measure is the least that counts.
    usual.limit = (MARGIN * quantile(errors, USUAL)).max(1.0);
    Ok(usual)
}

/// The fewest principal directions that hold [`HELD`] of the movement, and at least one fewer than there are measures; none where nothing moves.
fn directions(rows: &[Vec<f64>], measures: usize) -> Vec<Vec<f64>> {
    let n = rows.len() as f64;
    let means: Vec<f64> = (0..measures).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / n).collect();
    let together =
        |a: usize, b: usize| rows.iter().map(|row| (row[a] - means[a]) * (row[b] - means[b])).sum::<f64>() / n;
    let covariance = (0..measures).map(|a| (0..measures).map(|b| together(a, b)).collect()).collect();
    let mut found = symmetric::eigen(covariance);
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all: f64 = found.iter().map(|(strength, _)| strength.max(0.0)).sum();
    let mut held = 0.0;
    let mut kept = Vec::new();
    for (strength, direction) in found.into_iter().take(measures - 1) {
        if strength <= 0.0 || held >= HELD * all {
            break;
        }
        held += strength;
        kept.push(direction);
    }
    kept
}

impl Usual {
    /// Judges a moment; one with a gap or another number of measures is not strange.
    pub fn judge(&self, moment: &[f64]) -> Strange {
        let measures = self.middle.len();
        if moment.len() != measures || moment.iter().any(|v| !v.is_finite()) {
            return Strange { score: 0.0, parts: vec![0.0; measures], expected: self.middle.clone() };
        }
        let at: Vec<f64> = (0..measures).map(|i| (moment[i] - self.middle[i]) / self.scale[i]).collect();
        let mut along = vec![0.0; measures];
        for direction in &self.directions {
            let length: f64 = direction.iter().zip(&at).map(|(d, v)| d * v).sum();
            along.iter_mut().zip(direction).for_each(|(sum, d)| *sum += length * d);
        }
        let parts: Vec<f64> = (0..measures).map(|i| (at[i] - along[i]).powi(2) / self.limit).collect();
        let expected = (0..measures).map(|i| along[i] * self.scale[i] + self.middle[i]).collect();
        Strange { score: parts.iter().sum(), parts, expected }
    }
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
    values.get(rank.min(values.len()).saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Load with its day; processors, traffic and calls follow it.
    fn moment(i: usize) -> Vec<f64> {
        let noise = |k: usize| ((i * 7919 + k * 104_729) % 1000) as f64 / 1000.0 - 0.5;
        let load = 0.5 + 0.4 * (i as f64 / 144.0 * std::f64::consts::TAU).sin();
        vec![
            0.1 + 0.6 * load + 0.02 * noise(1),
            1e6 * (load + 0.03 * noise(2)),
            100.0 * load + 4.0 * noise(3),
            0.4 + 0.01 * noise(4),
        ]
    }

    const FLOORS: [f64; 4] = [0.02, 1e4, 1.0, 0.01];

    #[test]
    fn what_belongs_together() {
        let learnt: Vec<Vec<f64>> = (0..1000).map(moment).collect();
        let usual = learn(&learnt, &FLOORS).expect("enough moments");
        let strange = (1000..2000).filter(|i| usual.judge(&moment(*i)).score > 1.0).count();
        assert_eq!(strange, 0, "usual moments");
        // Busy without traffic: each value is one that was seen before.
        let (mut busy, quiet) = (moment(1036), moment(1108));
        busy[1..].copy_from_slice(&quiet[1..]);
        let told = usual.judge(&busy);
        assert!(told.score > 1.0, "{told:?}");
        let most = (0..4).max_by(|a, b| told.parts[*a].total_cmp(&told.parts[*b]));
        assert_eq!(most, Some(0), "{told:?}");
        assert!((told.parts.iter().sum::<f64>() - told.score).abs() < 1e-9);
        assert_eq!(learn(&learnt, &FLOORS).expect("enough"), usual, "the same again");
    }

    #[test]
    fn not_enough() {
        let few: Vec<Vec<f64>> = (0..100).map(moment).collect();
        assert_eq!(learn(&few, &FLOORS), Err(NotEnoughData { have: 100, need: MOMENTS_MIN }));
        let narrow: Vec<Vec<f64>> = (0..500).map(|i| moment(i)[..2].to_vec()).collect();
        assert_eq!(learn(&narrow, &FLOORS[..2]), Err(NotEnoughData { have: 2, need: MEASURES_MIN }));
        // Nothing moves.
        let still = vec![vec![1.0, 2.0, 3.0, 4.0]; 500];
        if let Ok(usual) = learn(&still, &FLOORS) {
            assert_eq!(usual.judge(&still[0]).score, 0.0);
        }
        let usual = learn(&(0..500).map(moment).collect::<Vec<_>>(), &FLOORS).expect("enough");
        assert_eq!(usual.judge(&[1.0, f64::NAN, 1.0, 1.0]).score, 0.0);
        assert_eq!(usual.judge(&[]).score, 0.0);
    }
}
