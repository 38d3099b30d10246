//! Days, months, quarters and years, UTC. A fiscal year may begin with any month; it is named after the year in which it ends.

use std::fmt;

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, civil_from_days, days_from_civil};

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day of an instant.
    pub fn of(time: Timestamp) -> Self {
        Self(time.0.div_euclid(DAY_NS))
    }

    /// Its first instant; at the ends of the calendar the nearest that can be written.
    pub fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(DAY_NS))
    }

    /// Reads `2026-11-05`, or the first day of `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year: i64 = digits(parts.next()?, 4)?;
        let month = u32::try_from(digits(parts.next()?, 2)?).ok()?;
        let day = match parts.next() {
            Some(day) => u32::try_from(digits(day, 2)?).ok()?,
            None => 1,
        };
        if parts.next().is_some() || !(1..=12).contains(&month) || !(1700..=2250).contains(&year) {
            return None;
        }
        (1..=month_length(year, month)).contains(&day).then(|| Self(days_from_civil(year, month, day)))
    }

    /// 0 is Monday.
    pub fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as usize
    }

    /// The day `n` days later.
    pub fn plus(self, n: i64) -> Self {
        Self(self.0.saturating_add(n))
    }

    /// The same day of the month `months` later; the last day of a month that is too short.
    pub fn plus_months(self, months: i64) -> Self {
        let (year, month, day) = civil_from_days(self.0);
        let index = year * 12 + i64::from(month) - 1 + months;
        let (year, month) = (index.div_euclid(12), index.rem_euclid(12) as u32 + 1);
        Self(days_from_civil(year, month, day.min(month_length(year, month))))
    }

    /// The first day of its month.
    pub fn month_start(self) -> Self {
        let (year, month, _) = civil_from_days(self.0);
        Self(days_from_civil(year, month, 1))
    }

    /// Whether it begins a month.
    pub fn is_month_start(self) -> bool {
        self == self.month_start()
    }
}

impl fmt::Display for Day {
    /// `2026-11-05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn month_length(year: i64, month: u32) -> u32 {
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days_from_civil(next.0, next.1, 1) - days_from_civil(year, month, 1)) as u32
}

/// Days from `start` up to, but not with, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first day.
    pub start: Day,
    /// The day after the last one.
    pub end: Day,
}

impl Period {
    /// How many days it has.
    pub fn days(self) -> i64 {
        (self.end.0 - self.start.0).max(0)
    }

    /// Whether a day lies in it.
    pub fn contains(self, day: Day) -> bool {
        self.start <= day && day < self.end
    }

    /// What it is compared with. Of whole months: as many months before. Of a piece of one month, such as the month to date: the same days of
    /// the month before. Of anything else: as many days before.
    pub fn previous(self) -> Self {
        let last = self.end.plus(-1);
        if self.start.is_month_start() && self.end.is_month_start() {
            let (from, to) = (month_index(self.start), month_index(self.end));
            return Self { start: self.start.plus_months(from - to), end: self.start };
        }
        if self.start.month_start() == last.month_start() {
            let start = self.start.plus_months(-1);
            // A month that is shorter ends earlier: 1 to 31 March is compared with 1 to 28 February.
            return Self { start, end: last.plus_months(-1).plus(1).min(self.start.month_start()) };
        }
        Self { start: self.start.plus(-self.days()), end: self.start }
    }

    /// The same days a year before.
    pub fn year_before(self) -> Self {
        let end = if self.end.is_month_start() {
            self.end.plus_months(-12)
        } else {
            self.end.plus(-1).plus_months(-12).plus(1)
        };
        Self { start: self.start.plus_months(-12), end }
    }
}

impl fmt::Display for Period {
    /// `2026-11-01..2026-11-30`, both days inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end.plus(-1))
    }
}

fn month_index(day: Day) -> i64 {
    let (year, month, _) = civil_from_days(day.0);
    year * 12 + i64::from(month) - 1
}

/// How long a bucket or a budget's period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// A day.
    Day,
    /// Monday to Sunday (ISO 8601).
    Week,
    /// A calendar month.
    Month,
    /// Three months of the fiscal year.
    Quarter,
    /// A fiscal year.
    Year,
}

impl Grain {
    /// Every grain.
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.name() == text)
    }
}

/// The month with which a fiscal year begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fiscal(u32);

impl Default for Fiscal {
    /// The calendar year.
    fn default() -> Self {
        Self(1)
    }
}

impl Fiscal {
    /// A year that begins with a month from 1 to 12.
    pub fn new(first_month: u32) -> Option<Self> {
        (1..=12).contains(&first_month).then_some(Self(first_month))
    }

    /// The month.
    pub fn first_month(self) -> u32 {
        self.0
    }

    /// The period of a grain that a day lies in.
    pub fn period_of(self, grain: Grain, day: Day) -> Period {
        let months = |length: i64| {
            // Months since a fiscal year began, in some year long ago.
            let since = month_index(day) - (i64::from(self.0) - 1);
            let start = day.month_start().plus_months(-since.rem_euclid(length));
            Period { start, end: start.plus_months(length) }
        };
        match grain {
            Grain::Day => Period { start: day, end: day.plus(1) },
            Grain::Week => {
                let start = day.plus(-(day.weekday() as i64));
                Period { start, end: start.plus(7) }
            }
            Grain::Month => months(1),
            Grain::Quarter => months(3),
            Grain::Year => months(12),
        }
    }

    /// What a period is called: `2026-11-05`, `2026-W45`, `2026-11`, `2026-Q4`, `2026`; fiscal ones `FY2026-Q1`, `FY2026`.
    pub fn label(self, grain: Grain, start: Day) -> String {
        let (year, month, _) = civil_from_days(start.0);
        let fiscal = self.0 != 1;
        let prefix = if fiscal { "FY" } else { "" };
        // Named after the year in which it ends.
        let named = year + i64::from(fiscal && month >= self.0);
        match grain {
            Grain::Day => start.to_string(),
            Grain::Week => {
                // ISO 8601: the week belongs to the year of its Thursday.
                let thursday = start.plus(3);
                let (iso_year, ..) = civil_from_days(thursday.0);
                let week = (thursday.0 - days_from_civil(iso_year, 1, 1)) / 7 + 1;
                format!("{iso_year:04}-W{week:02}")
            }
            Grain::Month => format!("{year:04}-{month:02}"),
            Grain::Quarter => {
                let quarter = (i64::from(month) - i64::from(self.0)).rem_euclid(12) / 3 + 1;
                format!("{prefix}{named:04}-Q{quarter}")
            }
            Grain::Year => format!("{prefix}{named:04}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        let (start, last) = text.split_once("..").unwrap();
        Period { start: Day::parse(start).unwrap(), end: Day::parse(last).unwrap().plus(1) }
    }

    #[test]
    fn days_are_read() {
        for good in ["2026-11-05", "2024-02-29", "2026-11"] {
            assert!(Day::parse(good).unwrap().to_string().starts_with(good), "{good}");
        }
        for bad in ["2026-13-01", "2025-02-29", "2026-1-1", "26-01-01", "2026-11-05-1", "", "x", "2026-11-00"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_period_is_compared_with() {
        for (of, previous, year_before) in [
            ("2026-11-01..2026-11-30", "2026-10-01..2026-10-31", "2025-11-01..2025-11-30"),
            ("2026-11-01..2026-11-12", "2026-10-01..2026-10-12", "2025-11-01..2025-11-12"),
            ("2026-03-01..2026-03-30", "2026-02-01..2026-02-28", "2025-03-01..2025-03-30"),
            ("2026-01-01..2026-03-31", "2025-10-01..2025-12-31", "2025-01-01..2025-03-31"),
            ("2026-10-20..2026-11-02", "2026-10-06..2026-10-19", "2025-10-20..2025-11-02"),
            ("2024-02-01..2024-02-29", "2024-01-01..2024-01-31", "2023-02-01..2023-02-28"),
        ] {
            assert_eq!(period(of).previous(), period(previous), "{of}");
            assert_eq!(period(of).year_before(), period(year_before), "{of}");
        }
    }

    #[test]
    fn fiscal_years() {
        let day = |text| Day::parse(text).unwrap();
        for (first, on, grain, label, range) in [
            (1, "2026-11-05", Grain::Quarter, "2026-Q4", "2026-10-01..2026-12-31"),
            (1, "2026-11-05", Grain::Year, "2026", "2026-01-01..2026-12-31"),
            (1, "2026-11-05", Grain::Month, "2026-11", "2026-11-01..2026-11-30"),
            (1, "2027-01-01", Grain::Week, "2026-W53", "2026-12-28..2027-01-03"),
            (10, "2026-11-05", Grain::Quarter, "FY2027-Q1", "2026-10-01..2026-12-31"),
            (10, "2026-11-05", Grain::Year, "FY2027", "2026-10-01..2027-09-30"),
            (4, "2026-02-05", Grain::Quarter, "FY2026-Q4", "2026-01-01..2026-03-31"),
            (4, "2026-02-05", Grain::Year, "FY2026", "2025-04-01..2026-03-31"),
            (2, "2026-01-31", Grain::Quarter, "FY2026-Q4", "2025-11-01..2026-01-31"),
        ] {
            let fiscal = Fiscal::new(first).unwrap();
            let found = fiscal.period_of(grain, day(on));
            assert_eq!((found, fiscal.label(grain, found.start).as_str()), (period(range), label), "{first} {on}");
        }
        assert_eq!(Fiscal::new(13), None);
    }
}
