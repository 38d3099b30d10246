//! Durations: the literal `1h30m`, and expressions such as `step() * 2` once step and range of the query are known.

use crate::ast::{BinaryOp, Duration, DurationExpr, Number, Sign};

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing was written.
    #[error("empty duration string")]
    Empty,
    /// Units unknown, twice, or not from large to small.
    #[error("not a valid duration string: {}", crate::print::quote(.0))]
    Invalid(String),
    /// More than 292 years.
    #[error("duration out of range")]
    OutOfRange,
}

/// Units from large to small, in milliseconds. A year has 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The most milliseconds that Prometheus' 64-bit nanoseconds hold.
const MILLIS_MAX: u64 = i64::MAX as u64 / 1_000_000;

/// The most seconds, of either sign, that a duration may have.
pub(crate) const SECONDS_MAX: f64 = i64::MAX as f64 / 1e9;

/// Milliseconds of a duration such as `1h30m` or `0` (Prometheus' `model.ParseDuration`): whole numbers with units from large to small.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || DurationError::Invalid(text.to_owned());
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        // Each unit searched for is left behind with all larger ones, so none comes twice or late.
        let (_, millis) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        if number.is_empty() {
            return Err(invalid());
        }
        let number: u64 = number.parse().map_err(|_| DurationError::OutOfRange)?;
        total = number
            .checked_mul(*millis)
            .and_then(|part| part.checked_add(total))
            .filter(|total| *total <= MILLIS_MAX)
            .ok_or(DurationError::OutOfRange)?;
        rest = after;
    }
    i64::try_from(total).map_err(|_| DurationError::OutOfRange)
}

/// A duration as Prometheus writes it. Years and weeks only if nothing remains, since 90d reads better than 12w6d.
pub fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    if ms < 0 {
        text.push('-');
    }
    let mut rest = ms.unsigned_abs();
    for (unit, millis) in UNITS {
        if matches!(unit, "y" | "w") && !rest.is_multiple_of(millis) {
            continue;
        }
        let count = rest / millis;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
            rest %= millis;
        }
    }
    text
}

/// Seconds as whole milliseconds. `None` beyond 292 years, and for what is no number.
pub(crate) fn seconds_to_millis(seconds: f64) -> Option<i64> {
    (seconds.abs() <= SECONDS_MAX).then(|| (seconds * 1000.0).round() as i64)
}

impl Duration {
    /// Milliseconds, given the query's step and its end minus its start in milliseconds (both 0 for an instant query). Fails on division
    /// by zero and beyond 292 years.
    pub fn resolve(&self, step_ms: i64, range_ms: i64) -> Result<i64, String> {
        match self {
            Self::Millis(ms) => Ok(*ms),
            Self::Expr(expr) => {
                let seconds = expr.seconds(step_ms, range_ms)?;
                seconds_to_millis(seconds).ok_or_else(|| "duration out of range".to_owned())
            }
        }
    }

    /// Like [`resolve`](Self::resolve), for a range or a step: these must be at least a millisecond long.
    pub fn resolve_positive(&self, step_ms: i64, range_ms: i64) -> Result<i64, String> {
        match self.resolve(step_ms, range_ms)? {
            ms if ms > 0 => Ok(ms),
            _ => Err("duration must be greater than 0".to_owned()),
        }
    }
}

impl DurationExpr {
    /// Seconds, not yet rounded.
    fn seconds(&self, step_ms: i64, range_ms: i64) -> Result<f64, String> {
        let value = |expr: &Self| expr.seconds(step_ms, range_ms);
        Ok(match self {
            Self::Number(Number { value, .. }) => *value,
            Self::Step => step_ms as f64 / 1000.0,
            Self::Range => range_ms as f64 / 1000.0,
            Self::Unary(Sign::Plus, x) | Self::Paren(x) => value(x)?,
            Self::Unary(Sign::Minus, x) => -value(x)?,
            Self::Min(x, y) => value(x)?.min(value(y)?),
            Self::Max(x, y) => value(x)?.max(value(y)?),
            Self::Binary(op, x, y) => {
                let (x, y) = (value(x)?, value(y)?);
                match op {
                    BinaryOp::Add => x + y,
                    BinaryOp::Sub => x - y,
                    BinaryOp::Mul => x * y,
                    BinaryOp::Pow => x.powf(y),
                    BinaryOp::Div if y == 0.0 => return Err("division by zero".to_owned()),
                    BinaryOp::Div => x / y,
                    BinaryOp::Mod if y == 0.0 => return Err("modulo by zero".to_owned()),
                    BinaryOp::Mod => x % y,
                    _ => return Err(format!("operator {} is not allowed in a duration", op.as_str())),
                }
            }
        })
    }
}
