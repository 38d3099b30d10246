//! Several seasons taken off, the rest forecast, the last cycle of each season put back: MSTL (Bandara, Hyndman and Bergmeir, 2021) over STL
//! (Cleveland et al., 1990), as `stlrs` computes it.

/// A series without its seasons, and these.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    rest: Vec<f64>,
    /// Each with its last cycle.
    cycles: Vec<Vec<f64>>,
}

impl Parts {
    /// `None` if no season fits twice. Values are of size 1, as single precision wants them.
    pub(super) fn of(values: &[f64], seasons: &[usize]) -> Option<Self> {
        let periods: Vec<usize> = seasons.iter().copied().filter(|p| *p > 1 && values.len() > 2 * p).collect();
        if periods.is_empty() {
            return None;
        }
        let single: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let fit = stlrs::Mstl::fit(&single, &periods).ok()?;
        let mut rest = values.to_vec();
        let mut cycles = Vec::with_capacity(periods.len());
        for (seasonal, period) in fit.seasonal().iter().zip(&periods) {
            rest.iter_mut().zip(seasonal).for_each(|(value, s)| *value -= f64::from(*s));
            cycles.push(seasonal[seasonal.len() - period..].iter().map(|s| f64::from(*s)).collect());
        }
        Some(Self { rest, cycles })
    }

    /// The forecast of the rest with the seasons on top.
    pub(super) fn forecast(&self, horizon: usize, rest: impl Fn(&[f64], usize) -> Vec<f64>) -> Vec<f64> {
        let mut out = rest(&self.rest, horizon);
        for cycle in &self.cycles {
            out.iter_mut().zip(cycle.iter().cycle()).for_each(|(value, s)| *value += s);
        }
        out
    }
}
