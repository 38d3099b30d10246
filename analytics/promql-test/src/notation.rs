//! Series in expanding notation: `metric{label="x"} 1+2x3 _ stale {{sum:1 count:1}}x2`.

use std::sync::Arc;

use grid_promql::Labels;
use grid_promql::histogram::{FloatHistogram, ResetHint, text};
use grid_promql_syntax::matcher::MatchOp;
use grid_promql_syntax::{parse_duration, parse_selector};

/// What marks a series as stale.
const STALE: f64 = f64::from_bits(grid_model::histogram::STALE_NAN_BITS);

/// Values that one item may expand to.
const TIMES_MAX: usize = 100_000;

/// One value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `_`
    Gap,
    /// A number; the stale marker for `stale`.
    Float(f64),
    /// `{{...}}`
    Histogram(Arc<FloatHistogram>),
}

/// Splits a line into its metric and what stands behind it.
pub fn split_metric(line: &str) -> Result<(&str, &str), String> {
    let mut quoted: Option<char> = None;
    let mut depth = 0_usize;
    let mut escaped = false;
    for (i, c) in line.char_indices() {
        match quoted {
            Some(_) if escaped => escaped = false,
            Some(q) if c == '\\' && q != '`' => escaped = true,
            Some(q) if c == q => quoted = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' | '`' => quoted = Some(c),
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Ok(line.split_at(i + 1));
                    }
                }
                // `metric {a="b"} 1` is one metric, as in Prometheus' own lexer.
                c if c.is_whitespace() && depth == 0 => {
                    let rest = line[i..].trim_start();
                    if !rest.starts_with('{') || rest.starts_with("{{") {
                        return Ok(line.split_at(i));
                    }
                }
                _ => {}
            },
        }
    }
    if depth > 0 || quoted.is_some() { Err(format!("{line:?} does not end")) } else { Ok((line, "")) }
}

/// The labels that a metric with `=` matchers says.
pub fn labels(metric: &str) -> Result<Labels, String> {
    let metric = metric.trim();
    if metric == "{}" {
        return Ok(Labels::default());
    }
    let matchers = parse_selector(metric).map_err(|e| e.to_string())?;
    if let Some(m) = matchers.iter().find(|m| m.op != MatchOp::Equal) {
        return Err(format!("a series has labels by `=`, not by `{}`", m.op.as_str()));
    }
    Ok(Labels::new(matchers.iter().map(|m| (m.name.as_str(), m.value.as_str()))))
}

/// The values of a series, expanded.
pub fn items(text: &str) -> Result<Vec<Item>, String> {
    let mut out = Vec::new();
    for token in tokens(text)? {
        expand(token, &mut out)?;
    }
    Ok(out)
}

/// Splits at spaces that are not within `{{...}}`.
fn tokens(text: &str) -> Result<Vec<&str>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut end = 0;
        while let Some(c) = rest[end..].chars().next() {
            if rest[end..].starts_with("{{") {
                let Some(close) = rest[end..].find("}}") else { return Err(format!("{rest:?} has no end")) };
                end += close + 2;
            } else if c.is_whitespace() {
                break;
            } else {
                end += c.len_utf8();
            }
        }
        out.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    Ok(out)
}

fn expand(token: &str, out: &mut Vec<Item>) -> Result<(), String> {
    if token.starts_with("{{") {
        return expand_histograms(token, out);
    }
    if let Some(rest) = token.strip_prefix('_') {
        let times = match rest.strip_prefix('x') {
            Some(times) => number_of_times(times)?,
            None if rest.is_empty() => 1,
            None => return Err(format!("{token:?} is no value")),
        };
        out.extend(std::iter::repeat_n(Item::Gap, times));
        return Ok(());
    }
    if token == "stale" {
        out.push(Item::Float(STALE));
        return Ok(());
    }
    let (value, times) = match token.rsplit_once('x') {
        Some((value, times)) => (value, number_of_times(times)?),
        None => (token, 0),
    };
    let (start, step) = start_and_step(value)?;
    let mut current = start;
    for i in 0..=times {
        if i > 0 {
            current += step;
        }
        out.push(Item::Float(current));
    }
    Ok(())
}

fn number_of_times(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if n <= TIMES_MAX => Ok(n),
        _ => Err(format!("{text:?} is no number of times (at most {TIMES_MAX})")),
    }
}

/// `1+2`, `1-2`, `-1e5+3`: a start and what is added each time.
fn start_and_step(text: &str) -> Result<(f64, f64), String> {
    let sign = text
        .char_indices()
        .skip(1)
        .find(|(i, c)| matches!(c, '+' | '-') && !matches!(text.as_bytes()[i - 1], b'e' | b'E'))
        .map(|(i, _)| i);
    match sign {
        Some(i) => Ok((float(&text[..i])?, float(&text[i..])?)),
        None => Ok((float(text)?, 0.0)),
    }
}

/// A number as Go reads it.
pub fn float(text: &str) -> Result<f64, String> {
    let bad = || format!("{text:?} is no number");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = match digits.to_ascii_lowercase().as_str() {
        "inf" => f64::INFINITY,
        "nan" => f64::NAN,
        _ => digits.parse().map_err(|_| bad())?,
    };
    Ok(sign * value)
}

fn expand_histograms(token: &str, out: &mut Vec<Item>) -> Result<(), String> {
    let close = token.find("}}").ok_or_else(|| format!("{token:?} has no end"))? + 2;
    let first = text::parse(&token[..close])?;
    let rest = &token[close..];
    let one = |h: FloatHistogram| Item::Histogram(Arc::new(h));
    if rest.is_empty() {
        out.push(one(first));
        return Ok(());
    }
    if let Some(times) = rest.strip_prefix('x') {
        let all = one(first);
        out.extend(std::iter::repeat_n(all, number_of_times(times)? + 1));
        return Ok(());
    }
    let (sign, rest) = rest.split_at(1);
    let Some((step, times)) = rest.rsplit_once('x') else { return Err(format!("{token:?} does not say how often")) };
    let step = text::parse(step)?;
    let mut current = first;
    for i in 0..=number_of_times(times)? {
        if i > 0 {
            let hint = current.reset_hint;
            let combined = if sign == "+" { current.add(&step) } else { current.sub(&step) };
            combined.map_err(|e| e.to_string())?;
            // Adding makes no statement of its own about resets.
            current.reset_hint = if hint == step.reset_hint { hint } else { ResetHint::Unknown };
        }
        out.push(one(current.clone()));
    }
    Ok(())
}

/// Start times relative to each sample (`_ -1m -30s-1mx2`): milliseconds, `None` for a gap.
pub fn starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut out = Vec::new();
    for token in text.split_whitespace() {
        if let Some(rest) = token.strip_prefix('_') {
            let times = rest.strip_prefix('x').map_or(Ok(1), number_of_times)?;
            out.extend(std::iter::repeat_n(None, times));
            continue;
        }
        let (value, times) = match token.rsplit_once('x') {
            Some((value, times)) => (value, number_of_times(times)?),
            None => (token, 0),
        };
        let sign = value.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(i, _)| i);
        let (start, step) = match sign {
            Some(i) => (signed_duration(&value[..i])?, signed_duration(&value[i..])?),
            None => (signed_duration(value)?, 0),
        };
        for i in 0..=times as i64 {
            out.push(Some(start + i * step));
        }
    }
    Ok(out)
}

fn signed_duration(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    duration(digits).map(|ms| sign * ms)
}

/// A duration (`5m`) or a number of seconds, in milliseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1000.0).round() as i64);
    }
    parse_duration(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_expand() {
        let floats = |text: &str| -> Vec<f64> {
            let number = |i: &Item| match i {
                Item::Float(v) => *v,
                _ => f64::NAN,
            };
            items(text).unwrap_or_default().iter().map(number).collect()
        };
        for (text, expected) in [
            ("1 2.5 -3", vec![1.0, 2.5, -3.0]),
            ("1+2x3", vec![1.0, 3.0, 5.0, 7.0]),
            ("1-2x2", vec![1.0, -1.0, -3.0]),
            ("-1e2+1x1", vec![-100.0, -99.0]),
            ("0x3", vec![0.0; 4]),
            ("7x1", vec![7.0; 2]),
            ("1e-6 1e+6", vec![1e-6, 1e6]),
        ] {
            assert_eq!(floats(text), expected, "{text}");
        }
        assert_eq!(items("_x2 stale").map(|i| i.len()), Ok(3));
        assert_eq!(items("{{sum:1 count:1}}+{{sum:1 count:1}}x2").map(|i| i.len()), Ok(3));
        assert_eq!(
            starts("_ -30s-1mx2 -1m"),
            Ok(vec![None, Some(-30_000), Some(-90_000), Some(-150_000), Some(-60_000)])
        );
        for bad in ["1x", "x3", "{{sum:1", "1+", "_y", "1x1000000000"] {
            assert!(items(bad).is_err(), "{bad}");
        }
        assert_eq!(split_metric(r#"a{b="}"} 1 2"#), Ok((r#"a{b="}"}"#, " 1 2")));
        assert_eq!(split_metric("a {{sum:1}}"), Ok(("a", " {{sum:1}}")));
    }
}
