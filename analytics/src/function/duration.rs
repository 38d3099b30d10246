//! Durations as text: Prometheus' (`5m`, `2h30m`), else SQL's (`5 minutes`, `1 month`).

use arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::{Result, plan_err};

const UNITS_NS: [(&str, i64); 7] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
    ("y", 31_536_000_000_000_000),
];

/// Reads a duration; a bucket or window cannot be of no width.
pub(crate) fn parse(text: &str) -> Result<IntervalMonthDayNano> {
    let interval = match prometheus(text.trim()) {
        Some(ns) => IntervalMonthDayNano::new(0, 0, ns),
        None => match parse_interval_month_day_nano(text) {
            Ok(interval) => interval,
            Err(_) => return plan_err!("{text:?} is no duration: write 30s, 5m, 2h30m, 1d or '1 month'"),
        },
    };
    if interval.months < 0 || interval.days < 0 || interval.nanoseconds < 0 || interval == IntervalMonthDayNano::ZERO {
        return plan_err!("the duration {text:?} must be more than nothing");
    }
    Ok(interval)
}

/// `((\d+)(y|w|d|h|m|s|ms))+` from large to small units, each once.
fn prometheus(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    let mut smallest = i64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        let (number, unit) = (rest[..digits].parse::<i64>().ok()?, &rest[digits..digits + letters]);
        let (_, ns) = UNITS_NS.iter().find(|(name, _)| *name == unit)?;
        if *ns >= smallest {
            return None;
        }
        smallest = *ns;
        total = total.checked_add(number.checked_mul(*ns)?)?;
        rest = &rest[digits + letters..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations() {
        let ns = |text: &str| parse(text).unwrap();
        assert_eq!(ns("5m"), IntervalMonthDayNano::new(0, 0, 300_000_000_000));
        assert_eq!(ns("2h30m"), IntervalMonthDayNano::new(0, 0, 9_000_000_000_000));
        assert_eq!(ns("100ms"), IntervalMonthDayNano::new(0, 0, 100_000_000));
        assert_eq!(ns("5 minutes"), IntervalMonthDayNano::new(0, 0, 300_000_000_000));
        assert_eq!(ns("1 month"), IntervalMonthDayNano::new(1, 0, 0));
        for bad in ["", "m", "5x", "0s", "5m5m", "-5m", "é", "99999999999999999999s"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
