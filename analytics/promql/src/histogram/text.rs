//! The text forms: `{count:4, sum:5, (1,2]:4}` for people and labels, `{{schema:0 count:4 sum:5 buckets:[4]}}` for tests.
//!
//! Numbers are written as Go's `%g` writes them, because Prometheus' labels (`count_values`) and test files have them so.

use std::fmt::{self, Display, Formatter, Write as _};

use super::{CUSTOM_SCHEMA, FloatHistogram, ResetHint, Span};

/// Writes a float as Go's `%g`: shortest digits, with an exponent below 0.0001 and from a million on.
#[derive(Debug, Clone, Copy)]
pub struct GoFloat(pub f64);

impl Display for GoFloat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_nan() {
            return f.write_str("NaN");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        let scientific = format!("{value:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if (-4..6).contains(&exponent) {
            return write!(f, "{value}");
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{mantissa}e{sign}{:02}", exponent.abs())
    }
}

impl Display for FloatHistogram {
    /// Prometheus' `String()`: count, sum and the populated buckets, ascending.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", GoFloat(self.count), GoFloat(self.sum))?;
        let zero = (self.zero_count != 0.0).then(|| self.zero_bucket());
        for bucket in self.negative().rev().chain(zero).chain(self.positive()).filter(|bucket| bucket.count != 0.0) {
            let (open, close) =
                (if bucket.lower_inclusive { '[' } else { '(' }, if bucket.upper_inclusive { ']' } else { ')' });
            let (lower, upper, count) = (GoFloat(bucket.lower), GoFloat(bucket.upper), GoFloat(bucket.count));
            write!(f, ", {open}{lower},{upper}{close}:{count}")?;
        }
        f.write_char('}')
    }
}

impl FloatHistogram {
    /// Prometheus' `TestExpression()`, which [`parse`] reads. Its buckets are one run, so gaps are written as empty
    /// buckets; a histogram whose buckets are further apart than that can be (`layout::MAX_FILL`) is cut at the gap.
    pub fn test_expression(&self) -> String {
        let mut dense = self.clone();
        dense.compact(usize::MAX);
        let mut fields = Vec::new();
        if dense.schema != 0 {
            fields.push(format!("schema:{}", dense.schema));
        }
        for (name, value) in [
            ("count", dense.count),
            ("sum", dense.sum),
            ("z_bucket", dense.zero_count),
            ("z_bucket_w", dense.zero_threshold),
        ] {
            if value != 0.0 {
                fields.push(format!("{name}:{}", GoFloat(value)));
            }
        }
        if dense.uses_custom_buckets() {
            fields.push(format!("custom_values:{}", list(&dense.custom_values)));
        }
        match dense.reset_hint {
            ResetHint::Unknown => {}
            ResetHint::CounterReset => fields.push("counter_reset_hint:reset".to_owned()),
            ResetHint::NotCounterReset => fields.push("counter_reset_hint:not_reset".to_owned()),
            ResetHint::Gauge => fields.push("counter_reset_hint:gauge".to_owned()),
        }
        for (offset_key, key, spans, buckets) in [
            ("offset", "buckets", &dense.positive_spans, &dense.positive_buckets),
            ("n_offset", "n_buckets", &dense.negative_spans, &dense.negative_buckets),
        ] {
            let Some(span) = spans.first() else { continue };
            if span.offset != 0 {
                fields.push(format!("{offset_key}:{}", span.offset));
            }
            let run = usize::try_from(span.length).unwrap_or(usize::MAX).min(buckets.len());
            fields.push(format!("{key}:{}", list(buckets.get(..run).unwrap_or(buckets))));
        }
        format!("{{{{{}}}}}", fields.join(" "))
    }
}

fn list(values: &[f64]) -> String {
    let words: Vec<String> = values.iter().map(|value| GoFloat(*value).to_string()).collect();
    format!("[{}]", words.join(" "))
}

/// Reads a histogram of Prometheus' test files: `{{schema:1 count:5 sum:3 z_bucket:1 z_bucket_w:0.1 buckets:[1 2] offset:3
/// n_buckets:[1] n_offset:-1 custom_values:[5 10] counter_reset_hint:gauge}}`, every field optional, each at most once.
/// Counts may be negative, as results are.
pub fn parse(text: &str) -> Result<FloatHistogram, String> {
    let inner = text
        .trim()
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .ok_or_else(|| format!("histogram {text:?}: not between {{{{ and }}}}"))?;
    let mut histogram = FloatHistogram::default();
    let (mut offset, mut negative_offset) = (0, 0);
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        let (name, value) =
            rest.split_once(':').ok_or_else(|| format!("histogram field {rest:?}: expected `name:value`"))?;
        let (name, value) = (name.trim_end(), value.trim_start());
        if seen.contains(&name) {
            return Err(format!("histogram field {name:?}: given twice"));
        }
        seen.push(name);
        let end = if value.starts_with('[') {
            value.find(']').ok_or_else(|| format!("histogram field {name:?}: `[` without `]`"))? + 1
        } else {
            value.find(char::is_whitespace).unwrap_or(value.len())
        };
        let (value, after) = value.split_at(end);
        let wrong = |what: &str| format!("histogram field {name:?}: {value:?} is not {what}");
        let float = || number(value).ok_or_else(|| wrong("a number"));
        let integer = || value.parse::<i32>().map_err(|_| wrong("a whole number of 32 bits"));
        let floats = || numbers(value).ok_or_else(|| wrong("a list of numbers like [1 2]"));
        match name {
            "schema" => histogram.schema = integer()?,
            "sum" => histogram.sum = float()?,
            "count" => histogram.count = float()?,
            "z_bucket" => histogram.zero_count = float()?,
            "z_bucket_w" => histogram.zero_threshold = float()?,
            "custom_values" => histogram.custom_values = floats()?.into(),
            "buckets" => histogram.positive_buckets = floats()?,
            "n_buckets" => histogram.negative_buckets = floats()?,
            "offset" => offset = integer()?,
            "n_offset" => negative_offset = integer()?,
            "counter_reset_hint" => {
                histogram.reset_hint = match value {
                    "unknown" => ResetHint::Unknown,
                    "reset" => ResetHint::CounterReset,
                    "not_reset" => ResetHint::NotCounterReset,
                    "gauge" => ResetHint::Gauge,
                    _ => return Err(wrong("one of unknown, reset, not_reset, gauge")),
                }
            }
            _ => return Err(format!("histogram field {name:?}: unknown")),
        }
        rest = after.trim_start();
    }
    if histogram.schema != CUSTOM_SCHEMA && seen.contains(&"custom_values") {
        return Err(format!("histogram field \"custom_values\": only for schema {CUSTOM_SCHEMA}"));
    }
    histogram.positive_spans = one_span(offset, histogram.positive_buckets.len());
    histogram.negative_spans = one_span(negative_offset, histogram.negative_buckets.len());
    histogram.check_structure().map_err(|error| format!("histogram {text:?}: {error}"))?;
    Ok(histogram)
}

fn one_span(offset: i32, buckets: usize) -> Vec<Span> {
    match u32::try_from(buckets) {
        Ok(length) if length > 0 => vec![Span { offset, length }],
        _ => Vec::new(),
    }
}

fn numbers(value: &str) -> Option<Vec<f64>> {
    value.strip_prefix('[')?.strip_suffix(']')?.split_whitespace().map(number).collect()
}

/// A number of PromQL: decimal, with or without exponent, hexadecimal, `Inf` or `NaN` in any case.
fn number(word: &str) -> Option<f64> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = u64::from_str_radix(digits, 16).ok()? as f64;
        return Some(if word.starts_with('-') { -value } else { value });
    }
    word.parse().ok()
}
