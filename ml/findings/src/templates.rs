//! Templates of log lines that appear, burst or vanish. Counts per hour are judged as counts, by the tail of a Poisson distribution whose mean is
//! the busiest hour of the week before: what was that busy before is not news.

use crate::limits::TEMPLATES_MAX;
use crate::signal::poisson_tail;

/// The name of the model.
pub const MODEL: &str = "template-counts";
/// Its version: it changes whenever an answer may.
pub const VERSION: u64 = 1;
/// Severity (OpenTelemetry's number) from which a new template is told: warnings.
pub const SEVERITY_NEW: u32 = 13;
/// Severity from which a burst is told: errors.
pub const SEVERITY_BURST: u32 = 17;
/// Hours of a service's log before one of its templates can be new.
const HISTORY_MIN: usize = 48;
/// Hours that say what is usual.
const REFERENCE: usize = 7 * 24;
/// Lines of a new template within an hour.
const NEW_LINES: u64 = 5;
/// Lines of a burst.
const BURST_LINES: u64 = 20;
/// Probability below which it is no chance.
const CHANCE: f64 = 1e-9;
/// Hours of silence.
const SILENT_HOURS: usize = 6;
/// Part of the hours of three days in which a template spoke that is missed.
const STEADY: f64 = 0.97;

/// A template of one service, hour by hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The service.
    pub service: String,
    /// The template.
    pub text: String,
    /// The highest severity of its lines.
    pub severity: u32,
    /// Lines per hour.
    pub lines: Vec<u64>,
}

/// What a template did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It was never seen before.
    New,
    /// Far more lines than ever.
    Burst,
    /// No line any more.
    Vanished,
}

impl Change {
    /// The word in `anomalies.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "log_new",
            Self::Burst => "log_burst",
            Self::Vanished => "log_vanished",
        }
    }
}

/// A change of a template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// What.
    pub change: Change,
    /// The hour in which it began.
    pub start: usize,
    /// The hour after the last; `None` while it lasts.
    pub end: Option<usize>,
    /// Lines in its worst hour; of a vanished one zero.
    pub lines: f64,
    /// Lines that were expected in an hour.
    pub expected: f64,
    /// 1 is just worth telling.
    pub score: f64,
}

/// What the templates of one service did, `(number of the template, change)`, in order of time. Bursts and new ones of the same template within a
/// day are one.
pub fn find(all: &[Counted]) -> Vec<(usize, Found)> {
    let hours = all.iter().map(|c| c.lines.len()).max().unwrap_or(0);
    // The first hour in which the service says anything.
    let spoken = |h: usize| all.iter().any(|c| c.lines.get(h).is_some_and(|n| *n > 0));
    let Some(begin) = (0..hours).find(|h| spoken(*h)) else { return Vec::new() };
    let mut found: Vec<(usize, Found)> = Vec::new();
    for (n, counted) in all.iter().enumerate().take(TEMPLATES_MAX) {
        let mut last: Option<usize> = None;
        let first = counted.lines.iter().position(|l| *l > 0);
        for hour in begin + HISTORY_MIN..counted.lines.len() {
            let lines = counted.lines[hour];
            let Some((change, expected, chance)) = judge(counted, first, hour, lines) else { continue };
            let score = (chance.max(1e-300).ln() / CHANCE.ln()).min(30.0);
            let same = last.is_some_and(|l| hour - l <= 24);
            last = Some(hour);
            if let (true, Some((_, f))) = (same, found.iter_mut().rev().find(|(m, _)| *m == n)) {
                f.end = (hour + 1 < hours).then_some(hour + 1);
                f.lines = f.lines.max(lines as f64);
                f.score = f.score.max(score);
                continue;
            }
            let end = (hour + 1 < hours).then_some(hour + 1);
            found.push((n, Found { change, start: hour, end, lines: lines as f64, expected, score }));
        }
        found.extend(vanished(counted, begin, hours).map(|f| (n, f)));
    }
    found.sort_by(|a, b| a.1.start.cmp(&b.1.start).then(b.1.score.total_cmp(&a.1.score)).then(a.0.cmp(&b.0)));
    found
}

fn judge(counted: &Counted, first: Option<usize>, hour: usize, lines: u64) -> Option<(Change, f64, f64)> {
    let before = &counted.lines[hour.saturating_sub(REFERENCE)..hour];
    let busiest = before.iter().copied().max().unwrap_or(0) as f64;
    if first == Some(hour) || before.iter().all(|l| *l == 0) {
        // A tenth of a line an hour is what something unseen may still have.
        let chance = poisson_tail(lines as f64, 0.1);
        let is_new = counted.severity >= SEVERITY_NEW && lines >= NEW_LINES && chance < CHANCE.sqrt();
        return is_new.then_some((Change::New, 0.0, chance));
    }
    let chance = poisson_tail(lines as f64, busiest.max(0.5));
    let is_burst = counted.severity >= SEVERITY_BURST && lines >= BURST_LINES && chance < CHANCE;
    is_burst.then(|| (Change::Burst, before.iter().sum::<u64>() as f64 / before.len().max(1) as f64, chance))
}

/// A template that spoke nearly every hour for three days and is silent at the end of the data, while its service speaks.
fn vanished(counted: &Counted, begin: usize, hours: usize) -> Option<Found> {
    const DAYS: usize = 72;
    let last = counted.lines.iter().rposition(|l| *l > 0)?;
    let silent = hours - last - 1;
    let before = counted.lines.get((last + 1).checked_sub(DAYS)?..=last)?;
    let spoke = before.iter().filter(|l| **l > 0).count() as f64 / DAYS as f64;
    let mean = before.iter().sum::<u64>() as f64 / DAYS as f64;
    // Nights are quiet: the quietest stretch of the three days must not have been that silent.
    let chance = (-mean * silent as f64).exp();
    let is_gone = silent >= SILENT_HOURS && spoke >= STEADY && chance < CHANCE && last + 1 >= begin + DAYS;
    is_gone.then(|| Found {
        change: Change::Vanished,
        start: last + 1,
        end: None,
        lines: 0.0,
        expected: mean,
        score: (chance.max(1e-300).ln() / CHANCE.ln()).min(30.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(severity: u32, lines: impl Fn(usize) -> u64) -> Counted {
        Counted { service: "shop".into(), text: "t".into(), severity, lines: (0..200).map(lines).collect() }
    }

    fn check(severity: u32, lines: impl Fn(usize) -> u64, expected: &[(Change, usize)]) {
        let usual = Counted { text: "usual".into(), ..counted(9, |h| 10 + h as u64 % 3) };
        let found = find(&[usual, counted(severity, lines)]);
        assert_eq!(found.iter().map(|(_, f)| (f.change, f.start)).collect::<Vec<_>>(), expected, "{found:?}");
    }

    #[test]
    fn changes() {
        check(17, |h| u64::from(h % 10 == 0), &[]);
        check(17, |h| if (150..152).contains(&h) { 80 } else { 0 }, &[(Change::New, 150)]);
        check(9, |h| if (150..152).contains(&h) { 80 } else { 0 }, &[]);
        check(17, |h| if h == 150 { 80 } else { 2 + h as u64 % 4 }, &[(Change::Burst, 150)]);
        check(17, |h| if h % 24 == 3 { 80 } else { 1 }, &[]);
        check(9, |h| if h < 150 { 5 } else { 0 }, &[(Change::Vanished, 150)]);
        assert_eq!(find(&[]), []);
    }
}
