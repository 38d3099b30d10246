//! Time as data: nanoseconds since 1970-01-01T00:00:00Z. The wall clock is never read here.

use std::fmt;

/// Nanoseconds since the Unix epoch, UTC; may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// One second in nanoseconds.
pub const SECOND_NS: i64 = 1_000_000_000;
/// One minute in nanoseconds.
pub const MINUTE_NS: i64 = 60 * SECOND_NS;
/// One hour in nanoseconds.
pub const HOUR_NS: i64 = 3600 * SECOND_NS;
/// One day in nanoseconds.
pub const DAY_NS: i64 = 24 * HOUR_NS;

impl Timestamp {
    /// The earliest representable time (1677).
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable time (2262).
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds; `None` if that does not fit into nanoseconds.
    pub fn from_millis(ms: i64) -> Option<Self> {
        ms.checked_mul(1_000_000).map(Self)
    }

    /// From seconds; `None` if that does not fit into nanoseconds.
    pub fn from_secs(s: i64) -> Option<Self> {
        s.checked_mul(SECOND_NS).map(Self)
    }

    /// Nanoseconds since the epoch.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Moves by nanoseconds, stopping at the ends of the representable range.
    pub fn saturating_add(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with nanoseconds, `2026-01-01T00:00:00.000000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, ns) = (self.0.div_euclid(SECOND_NS), self.0.rem_euclid(SECOND_NS));
        let (y, m, d) = civil_from_days(secs.div_euclid(86_400));
        let s = secs.rem_euclid(86_400);
        write!(f, "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{ns:09}Z", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Year, month, day of a count of days since 1970-01-01 in the proleptic Gregorian calendar
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let m = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(m <= 2), m, d)
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar (the inverse of [`civil_from_days`]).
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (i64::from(month) + 9) % 12;
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// A half-open range of time, `start <= t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant outside ([`Timestamp::MAX`] itself counts as inside: nothing lies after it).
    pub end: Timestamp,
}

impl TimeRange {
    /// Every time.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether an instant lies inside.
    pub fn contains(&self, t: Timestamp) -> bool {
        self.start <= t && (t < self.end || self.end == Timestamp::MAX)
    }

    /// Whether any instant of the closed interval `min..=max` lies inside.
    pub fn overlaps(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= max && (min < self.end || self.end == Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        for days in [-719_468, -1, 0, 59, 60, 19_000, 20_780, 106_751] {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), days, "{y}-{m}-{d}");
        }
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(Timestamp::from_secs(1_764_547_200).unwrap().to_string(), "2025-12-01T00:00:00.000000000Z");
    }
}
