//! The models that take part. One list for every series: what fits badly gets little weight.

use super::decompose::Parts;
use super::{lags, naive, smooth};

/// A model that forecasts, for a series with given seasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Candidate {
    /// The last value.
    Last,
    /// The last season.
    LastSeason(usize),
    Simple,
    Theta,
    Damped,
    /// The same three on the series without its seasons.
    Decomposed(Vec<usize>, Rest),
    /// Regression on lags.
    Lags(&'static str, Vec<usize>),
}

/// How the rest is forecast once seasons are taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Simple,
    Theta,
    Damped,
}

impl Candidate {
    /// Its name in answers.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Last => "naive",
            Self::LastSeason(_) => "seasonal naive",
            Self::Simple => "simple smoothing",
            Self::Theta => "theta",
            Self::Damped => "damped trend",
            Self::Decomposed(_, Rest::Simple) => "MSTL + simple smoothing",
            Self::Decomposed(_, Rest::Theta) => "MSTL + theta",
            Self::Decomposed(_, Rest::Damped) => "MSTL + damped trend",
            Self::Lags(name, _) => name,
        }
    }
}

/// Who takes part for given seasons, shortest first.
pub(super) fn all(seasons: &[usize]) -> Vec<Candidate> {
    let Some(season) = seasons.first().copied() else {
        return vec![
            Candidate::Last,
            Candidate::Simple,
            Candidate::Theta,
            Candidate::Damped,
            Candidate::Lags("regression on lags", vec![1, 2, 3, 4, 5, 6, 8, 10, 13]),
        ];
    };
    let mut out: Vec<Candidate> = seasons.iter().map(|s| Candidate::LastSeason(*s)).collect();
    let decomposed = |rest| Candidate::Decomposed(seasons.to_vec(), rest);
    out.extend([Rest::Simple, Rest::Theta, Rest::Damped].map(decomposed));
    out.push(Candidate::Lags("regression on few lags", few_lags(seasons)));
    out.push(Candidate::Lags("regression on lags", many_lags(season, seasons)));
    // A season that is weak or that changes: without it is a model too.
    out.extend([Candidate::Theta, Candidate::Damped]);
    out
}

/// The last values, and those around one period back.
fn few_lags(seasons: &[usize]) -> Vec<usize> {
    let near = seasons.iter().flat_map(|s| s.saturating_sub(1)..=s + 1);
    sorted((1..=3).chain(near).chain(seasons.first().map(|s| 2 * s)))
}

/// The last values, those around each of the next multiples of the season, and around the longer seasons.
fn many_lags(season: usize, seasons: &[usize]) -> Vec<usize> {
    let around = |at: usize, width: usize| at.saturating_sub(width)..=at + width;
    let short = [1, 2, 3, 4, 5, 6, 8, 10, 12, 13, 26].into_iter().filter(|lag| *lag <= 4.max(season / 2));
    let longest = seasons.last().copied().unwrap_or(season);
    // Beyond the longest season there is one more: what changed from one long season to the next.
    let multiples =
        (1..=8).map(|k| k * season).take_while(|at| *at <= longest + season && (longest > season || *at == season));
    let near = multiples.flat_map(|at| around(at, usize::from(at <= 3 * season)));
    let long = seasons.iter().flat_map(|s| around(*s, 2));
    sorted(short.chain(near).chain(long))
}

fn sorted(lags: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut lags: Vec<usize> = lags.filter(|lag| *lag > 0).collect();
    lags.sort_unstable();
    lags.dedup();
    lags
}

/// What each says about the steps after `values`; `None` where there is too little for it. All numbers are finite.
pub(super) fn answers(candidates: &[Candidate], values: &[f64], horizon: usize) -> Vec<Option<Vec<f64>>> {
    // Three share one decomposition.
    let mut parts: Option<Option<Parts>> = None;
    candidates
        .iter()
        .map(|candidate| {
            let answer = match candidate {
                Candidate::Last => naive::last_season(values, 1, horizon),
                Candidate::LastSeason(period) => naive::last_season(values, *period, horizon),
                Candidate::Simple => Some(smooth::simple(values, horizon)),
                Candidate::Theta => Some(smooth::theta(values, horizon)),
                Candidate::Damped => Some(smooth::damped(values, horizon)),
                Candidate::Lags(_, lags) => lags::regress(values, lags, horizon),
                Candidate::Decomposed(seasons, rest) => {
                    let rest = match rest {
                        Rest::Simple => smooth::simple,
                        Rest::Theta => smooth::theta,
                        Rest::Damped => smooth::damped,
                    };
                    let parts = parts.get_or_insert_with(|| Parts::of(values, seasons));
                    parts.as_ref().map(|parts| parts.forecast(horizon, rest))
                }
            };
            answer.filter(|steps| steps.iter().all(|v| v.is_finite()))
        })
        .collect()
}
