//! What every part is given.

use std::path::PathBuf;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Small sizes, to see that everything runs; no figures are noted.
    pub(crate) quick: bool,
    /// How often each system is measured; the median counts.
    pub(crate) rounds: usize,
    /// Where the data set of the queries is kept between runs.
    pub(crate) keep: Option<PathBuf>,
    /// Cores of the machine.
    pub(crate) cores: usize,
}

impl Context {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { quick: false, rounds: 1, keep: None, cores }
    }

    /// The first of a full run, the second of a quick one.
    pub(crate) fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Notes a figure for the scorecard.
    pub(crate) fn figure(&self, bar: &str, pass: bool, measured: String) {
        if self.quick {
            grid_tests::figures::say(&format!("quick, not noted: {bar}: {measured}"));
        } else {
            grid_tests::figure(bar, pass, measured);
        }
    }
}

/// Lower-median of what `of` says about each.
pub(crate) fn median<T>(mut all: Vec<T>, of: impl Fn(&T) -> f64) -> Option<T> {
    all.sort_by(|a, b| of(a).total_cmp(&of(b)));
    let middle = all.len().checked_sub(1)? / 2;
    Some(all.swap_remove(middle))
}
