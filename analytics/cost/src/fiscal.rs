//! Months of a fiscal year: calendar months moved, or weeks in the pattern 4-4-5.

use grid_model::Timestamp;
use grid_model::time::{DAY_NS, civil_from_days, days_from_civil};

/// Days of a week.
const WEEK: i64 = 7;

/// How a company counts its year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// Calendar months; the year begins with this month, 1 to 12, and is named after the calendar year in which it ends.
    Months {
        /// The first month.
        first: u32,
    },
    /// 52 weeks, quarters of 4, 4 and 5 weeks, and a 53rd week in the last period when the year would begin more than six days early. The
    /// year ends on the last Saturday at or before the end of this month (the rule of retail calendars); it is named after that month's year.
    Weeks445 {
        /// The month in which a year ends, 1 to 12.
        last: u32,
    },
}

/// One period of a fiscal year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// The fiscal year.
    pub year: i64,
    /// 1 to 12.
    pub number: u32,
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Period {
    /// `FY2026-P03`.
    pub fn name(&self) -> String {
        format!("FY{}-P{:02}", self.year, self.number)
    }
}

impl Calendar {
    /// Reads `calendar`, `fiscal-MM` (first month) or `445-MM` (last month).
    pub fn parse(text: &str) -> Option<Self> {
        let month = |t: &str| t.parse::<u32>().ok().filter(|m| (1..=12).contains(m));
        match text.split_once('-') {
            None if text == "calendar" => Some(Self::Months { first: 1 }),
            Some(("fiscal", m)) => month(m).map(|first| Self::Months { first }),
            Some(("445", m)) => month(m).map(|last| Self::Weeks445 { last }),
            _ => None,
        }
    }

    /// The period that holds an instant.
    pub fn period(self, at: Timestamp) -> Period {
        let days = at.0.div_euclid(DAY_NS);
        let instant = |days: i64| Timestamp(days.saturating_mul(DAY_NS));
        match self {
            Self::Months { first } => {
                let (year, month, _) = civil_from_days(days);
                let number = (month + 12 - first) % 12 + 1;
                let year_of_start = if month >= first { year } else { year - 1 };
                let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Period {
                    year: if first == 1 { year } else { year_of_start + 1 },
                    number,
                    start: instant(days_from_civil(year, month, 1)),
                    end: instant(days_from_civil(next_year, next_month, 1)),
                }
            }
            Self::Weeks445 { last } => {
                let (calendar_year, _, _) = civil_from_days(days);
                let year =
                    (calendar_year..calendar_year + 3).find(|y| days < year_end(*y, last)).unwrap_or(calendar_year);
                let (start, end) = (year_end(year - 1, last), year_end(year, last));
                let week = (days - start) / WEEK;
                let quarter = (week / 13).min(3);
                let (month, from, to) = match week - quarter * 13 {
                    0..=3 => (0, 0, 4),
                    4..=7 => (1, 4, 8),
                    _ => (2, 8, 13),
                };
                let number = u32::try_from(quarter * 3 + month + 1).unwrap_or(12);
                let first = start + (quarter * 13 + from) * WEEK;
                let after = if number == 12 { end } else { start + (quarter * 13 + to) * WEEK };
                Period { year, number, start: instant(first), end: instant(after) }
            }
        }
    }
}

/// The day after the last Saturday of a month, in days since 1970 (a Thursday).
fn year_end(year: i64, month: u32) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let last_day = days_from_civil(next_year, next_month, 1) - 1;
    // 1970-01-03 was a Saturday.
    let since_saturday = (last_day - 2).rem_euclid(WEEK);
    last_day - since_saturday + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::parse_date;

    fn check(calendar: &str, date: &str, name: &str, start: &str, end: &str) {
        let period = Calendar::parse(calendar).unwrap().period(parse_date(date).unwrap());
        let day = |t: Timestamp| t.to_string()[..10].to_owned();
        assert_eq!(
            (period.name().as_str(), day(period.start).as_str(), day(period.end).as_str()),
            (name, start, end),
            "{calendar} {date}"
        );
    }

    #[test]
    fn periods_of_years() {
        check("calendar", "2026-02-28", "FY2026-P02", "2026-02-01", "2026-03-01");
        check("fiscal-10", "2025-10-01", "FY2026-P01", "2025-10-01", "2025-11-01");
        check("fiscal-10", "2026-09-30", "FY2026-P12", "2026-09-01", "2026-10-01");
        check("fiscal-02", "2026-01-31", "FY2026-P12", "2026-01-01", "2026-02-01");
        // A retail year that ends on the last Saturday of January: 2025-01-25, 2026-01-31 (53 weeks), 2027-01-30.
        check("445-01", "2025-01-26", "FY2026-P01", "2025-01-26", "2025-02-23");
        check("445-01", "2026-01-31", "FY2026-P12", "2025-12-21", "2026-02-01");
        check("445-01", "2026-02-01", "FY2027-P01", "2026-02-01", "2026-03-01");
        check("445-01", "2027-01-30", "FY2027-P12", "2026-12-27", "2027-01-31");
        for bad in ["", "fiscal-0", "fiscal-13", "445", "444-1"] {
            assert_eq!(Calendar::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_is_in_one_period() {
        for calendar in ["calendar", "fiscal-07", "445-01", "445-12"].map(|c| Calendar::parse(c).unwrap()) {
            let first = parse_date("2019-01-01").unwrap();
            let mut last: Option<Period> = None;
            for day in 0..4000 {
                let at = Timestamp(first.0 + day * DAY_NS);
                let period = calendar.period(at);
                assert!(period.start <= at && at < period.end, "{calendar:?} {at} {period:?}");
                if let Some(last) = last.filter(|l| *l != period) {
                    assert_eq!(last.end, period.start, "{calendar:?} {at}");
                    assert_eq!(period.number, last.number % 12 + 1);
                }
                last = Some(period);
            }
        }
    }
}
