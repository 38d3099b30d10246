//! What usage costs per hour at on-demand prices, by kind of usage.

use grid_model::time::HOUR_NS;
use grid_model::{Amount, Timestamp};

use super::offer::Ratio;

/// Most hours of a demand: three years, the longest term.
pub const HOURS_MAX: usize = 3 * 366 * 24;
/// Most kinds of usage in one demand.
pub const LINES_MAX: usize = 256;
/// Most that a kind of usage may cost in an hour: 10^12 units of currency. Sums over [`HOURS_MAX`] and [`LINES_MAX`] then stay far
/// below 38 digits, so that the arithmetic of this module cannot overflow.
pub const HOURLY_MAX: Amount = Amount(10_i128.pow(30));

/// One kind of usage: what one price applies to, such as one family of machines in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// By which offers name it, such as `AmazonEC2 m5 us-east-1`.
    pub key: String,
    /// Cost of each hour at on-demand prices; an hour without usage is zero.
    pub hourly: Vec<Amount>,
}

/// Hourly demand from one instant on. All hours are known: a caller leaves out what a bill does not cover, and gives zero for
/// hours without usage that it does cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    start: Timestamp,
    hours: usize,
    lines: Vec<Line>,
}

/// Lines that make no demand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDemand {
    /// Lines of different lengths.
    #[error("{key} has {have} hours, the first line has {need}")]
    Uneven {
        /// The line.
        key: String,
        /// Its hours.
        have: usize,
        /// Those of the first line.
        need: usize,
    },
    /// More than [`HOURS_MAX`] hours.
    #[error("{0} hours are more than {HOURS_MAX}")]
    TooLong(usize),
    /// More than [`LINES_MAX`] lines.
    #[error("{0} kinds of usage are more than {LINES_MAX}")]
    TooMany(usize),
    /// An hour below zero or above [`HOURLY_MAX`].
    #[error("{key} costs {cost} in hour {hour}, which is not between 0 and {HOURLY_MAX}")]
    OutOfRange {
        /// The line.
        key: String,
        /// Its hour, from 0.
        hour: usize,
        /// The cost.
        cost: Amount,
    },
}

impl Demand {
    /// From lines of equal length.
    pub fn new(start: Timestamp, lines: Vec<Line>) -> Result<Self, BadDemand> {
        let hours = lines.first().map_or(0, |l| l.hourly.len());
        if hours > HOURS_MAX {
            return Err(BadDemand::TooLong(hours));
        }
        if lines.len() > LINES_MAX {
            return Err(BadDemand::TooMany(lines.len()));
        }
        for line in &lines {
            if line.hourly.len() != hours {
                return Err(BadDemand::Uneven { key: line.key.clone(), have: line.hourly.len(), need: hours });
            }
            if let Some(hour) = line.hourly.iter().position(|c| *c < Amount::ZERO || *c > HOURLY_MAX) {
                return Err(BadDemand::OutOfRange { key: line.key.clone(), hour, cost: line.hourly[hour] });
            }
        }
        Ok(Self { start, hours, lines })
    }

    /// One kind of usage.
    pub fn of_line(start: Timestamp, key: &str, hourly: Vec<Amount>) -> Result<Self, BadDemand> {
        Self::new(start, vec![Line { key: key.to_owned(), hourly }])
    }

    /// The first instant.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// First instant after the last hour.
    pub fn end(&self) -> Timestamp {
        self.start.saturating_add(i64::try_from(self.hours).unwrap_or(i64::MAX).saturating_mul(HOUR_NS))
    }

    /// Hours of each line.
    pub fn hours(&self) -> usize {
        self.hours
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What one hour costs over all lines.
    pub fn total(&self, hour: usize) -> Amount {
        Amount(self.lines.iter().map(|l| l.hourly[hour].0).sum())
    }

    /// The last `hours` hours; all of them if there are fewer.
    pub fn last(&self, hours: usize) -> Self {
        let skip = self.hours.saturating_sub(hours);
        let lines = self.lines.iter().map(|l| Line { key: l.key.clone(), hourly: l.hourly[skip..].to_vec() }).collect();
        let past = i64::try_from(skip).unwrap_or(i64::MAX).saturating_mul(HOUR_NS);
        Self { start: self.start.saturating_add(past), hours: self.hours - skip, lines }
    }

    /// The lines of these keys as they are, all others as one line that no offer names.
    pub fn narrowed(&self, keys: &[&str]) -> Self {
        let mut rest = Line { key: String::new(), hourly: vec![Amount::ZERO; self.hours] };
        let mut lines = Vec::new();
        for line in &self.lines {
            if keys.contains(&line.key.as_str()) {
                lines.push(line.clone());
            } else {
                rest.hourly.iter_mut().zip(&line.hourly).for_each(|(sum, cost)| sum.0 += cost.0);
            }
        }
        lines.push(rest);
        Self { start: self.start, hours: self.hours, lines }
    }

    /// The same with `percent` of every hour taken away.
    pub fn fallen_by(&self, percent: u32) -> Self {
        let left = i128::from(100_u32.saturating_sub(percent));
        let fall = |c: &Amount| Amount(c.0 * left / 100);
        let lines = self
            .lines
            .iter()
            .map(|l| Line { key: l.key.clone(), hourly: l.hourly.iter().map(fall).collect() })
            .collect();
        Self { start: self.start, hours: self.hours, lines }
    }

    /// What is left once a commitment that exists has covered its part: `hourly` is spent on the lines that `rates` names, those
    /// with the deepest discount first, as providers do.
    pub fn without(&self, rates: &[(String, Ratio)], hourly: Amount) -> Self {
        let mut lines = self.lines.clone();
        let mut order: Vec<(usize, Ratio)> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            if let Some((_, rate)) = rates.iter().find(|(key, _)| *key == line.key) {
                order.push((at, *rate));
            }
        }
        order.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.cmp(&b.0)));
        for hour in 0..self.hours {
            let mut left = hourly;
            for (at, rate) in &order {
                let cost = &mut lines[*at].hourly[hour];
                let committed = rate.of(*cost);
                if committed <= left {
                    left = Amount(left.0 - committed.0);
                    *cost = Amount::ZERO;
                } else {
                    let covered = cost.mul_div(left.0, committed.0).unwrap_or(Amount::ZERO);
                    *cost = Amount(cost.0 - covered.0);
                    break;
                }
            }
        }
        Self { start: self.start, hours: self.hours, lines }
    }
}
