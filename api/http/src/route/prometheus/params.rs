//! What is asked: parameters from the URL and from a form in the body, read as Prometheus reads them (`web/api/v1/api.go`).

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use grid_promql_syntax::{Matcher, parse_duration, parse_selector, quote};
use http::{HeaderMap, Method, header};

use super::answer::Failure;
use crate::extract::{media_type, read_body};
use crate::state::ApiState;

/// The first and last millisecond that the store can hold (nanoseconds since 1970 in 64 bits).
pub(crate) const TIME_RANGE: (i64, i64) = (i64::MIN / 1_000_000, i64::MAX / 1_000_000);
/// Beyond these milliseconds a time is refused: arithmetic on it would overflow somewhere.
const TIME_MAX: i64 = i64::MAX / 1000;
/// What Prometheus writes for the ends of time, and clients send back.
const ENDS: [(&str, i64); 2] =
    [("-292273086-05-16T16:47:06Z", TIME_RANGE.0), ("+292277025-08-18T07:12:54.999999999Z", TIME_RANGE.1)];

/// A request's parameters, those of a form before those of the URL, and what else of it matters.
pub(crate) struct Asked {
    pairs: Vec<(String, String)>,
    /// The request's headers.
    pub(crate) headers: HeaderMap,
}

impl FromRequest<ApiState> for Asked {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let mut pairs = Vec::new();
        let form = media_type(&parts.headers).is_some_and(|t| t == "application/x-www-form-urlencoded");
        if parts.method == Method::POST && form {
            let bytes = read_body(state, &parts.headers, body).await?;
            pairs.extend(form_urlencoded::parse(&bytes).into_owned());
        }
        let url = parts.uri.query().unwrap_or_default();
        pairs.extend(form_urlencoded::parse(url.as_bytes()).into_owned());
        Ok(Self { pairs, headers: parts.headers })
    }
}

impl Asked {
    /// The first value of a parameter; empty if it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// A parameter, unless it is absent or empty.
    fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A time that must be given, in milliseconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Result<i64, Failure> {
        parse_time(self.text(name)).map_err(|e| Failure::parameter(name, e))
    }

    /// A time, or a default.
    pub(crate) fn time_or(&self, name: &str, default: i64) -> Result<i64, Failure> {
        let Some(text) = self.given(name) else { return Ok(default) };
        parse_time(text).map_err(|e| Failure::parameter(name, format!("invalid time value for '{name}': {e}")))
    }

    /// `start` and `end`; without them, all that the store can hold.
    pub(crate) fn range(&self) -> Result<(i64, i64), Failure> {
        let (first, last) = TIME_RANGE;
        let range = (self.time_or("start", first)?, self.time_or("end", last)?);
        Ok((range.0.clamp(first, last), range.1.clamp(first, last)))
    }

    /// A duration that must be given, in milliseconds; may be negative.
    pub(crate) fn duration(&self, name: &str) -> Result<i64, Failure> {
        read_duration(self.text(name)).map_err(|e| Failure::parameter(name, e))
    }

    /// `timeout`; a negative one is over before it began.
    pub(crate) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.given("timeout") else { return Ok(None) };
        let ms = read_duration(text).map_err(|e| Failure::parameter("timeout", e))?;
        Ok(Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
    }

    /// `lookback_delta` in milliseconds.
    pub(crate) fn lookback(&self) -> Result<Option<i64>, Failure> {
        let Some(text) = self.given("lookback_delta") else { return Ok(None) };
        let ms = read_duration(text)
            .map_err(|e| Failure::bad_data(format!("error parsing lookback delta duration: {e}")))?;
        // Prometheus takes its own default for what is not positive.
        Ok(Some(ms).filter(|ms| *ms > 0))
    }

    /// `limit`; 0 = none.
    pub(crate) fn limit(&self) -> Result<usize, Failure> {
        let Some(text) = self.given("limit") else { return Ok(0) };
        let limit = whole(text).map_err(|e| Failure::parameter("limit", e))?;
        usize::try_from(limit).map_err(|_| Failure::parameter("limit", "limit must be non-negative"))
    }

    /// A whole number, if it is given; another text is refused with `<name> must be a number`.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.given(name) else { return Ok(None) };
        whole(text).map(Some).map_err(|_| Failure::bad_data(format!("{name} must be a number")))
    }

    /// The sets of matchers of `match[]`, each of which must leave out the series without labels.
    pub(crate) fn matchers(&self) -> Result<Vec<Vec<Matcher>>, Failure> {
        let mut sets = Vec::new();
        for text in self.all("match[]") {
            let set = parse_selector(text).map_err(|e| Failure::parameter("match[]", e))?;
            if set.iter().all(|matcher| matcher.matches("")) {
                let message = "match[] must contain at least one non-empty matcher";
                return Err(Failure::parameter("match[]", message));
            }
            sets.push(set);
        }
        Ok(sets)
    }

    /// Whether the answer may be packed.
    pub(crate) fn takes_gzip(&self) -> bool {
        let values = self.headers.get_all(header::ACCEPT_ENCODING);
        let words = values.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
        words.map(|w| w.split_once(';').unwrap_or((w, ""))).any(|(coding, weight)| {
            let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0_f64);
            coding.trim().eq_ignore_ascii_case("gzip") && !refused
        })
    }
}

/// Go's `strconv.Atoi`, with its words.
fn whole(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        let digits = text.trim_start_matches(['+', '-']);
        let why = match !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            true => "value out of range",
            false => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {}: {why}", quote(text))
    })
}

/// Milliseconds since 1970 of a time in seconds or in RFC 3339.
fn parse_time(text: &str) -> Result<i64, String> {
    let refused = || format!("cannot parse {} to a valid timestamp", quote(text));
    if let Some(seconds) = number(text) {
        // In the steps of Prometheus, so that no time is a millisecond off.
        let (whole, fraction) = (seconds.trunc(), seconds.fract());
        let fraction = (fraction * 1000.0).round() / 1000.0;
        let ms = (whole as i64).saturating_mul(1000).saturating_add((fraction * 1e9) as i64 / 1_000_000);
        return if seconds.is_finite() && ms.unsigned_abs() <= TIME_MAX as u64 { Ok(ms) } else { Err(refused()) };
    }
    if let Some((_, ms)) = ENDS.iter().find(|(end, _)| *end == text) {
        return Ok(*ms);
    }
    let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| refused())?;
    Ok(time.timestamp_millis())
}

/// Milliseconds of a duration in seconds or as `5m`.
fn read_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = number(text) {
        let ns = seconds * 1e9;
        return if ns.abs() <= i64::MAX as f64 {
            Ok(ns as i64 / 1_000_000)
        } else {
            Err(format!("cannot parse {} to a valid duration. It overflows int64", quote(text)))
        };
    }
    parse_duration(text).map_err(|_| format!("cannot parse {} to a valid duration", quote(text)))
}

/// A number as Go reads one. Rust takes the same texts but for hexadecimal ones and underscores, which nobody sends.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read_as_in_prometheus() {
        for (text, ms) in [
            ("4", 4000),
            ("1767229200.25", 1_767_229_200_250),
            ("1767229200.001", 1_767_229_200_001),
            ("1.7672292e9", 1_767_229_200_000),
            ("-1.5", -1500),
            ("1767229200000", 1_767_229_200_000_000),
            ("2026-01-01T01:00:00Z", 1_767_229_200_000),
            ("2026-01-01T01:00:00.123+02:00", 1_767_222_000_123),
        ] {
            assert_eq!(parse_time(text), Ok(ms), "{text}");
        }
        for bad in ["", "abc", "NaN", "Inf", "1e300", "2026-01-01"] {
            assert_eq!(parse_time(bad), Err(format!("cannot parse {bad:?} to a valid timestamp")));
        }
        for (text, ms) in [("15", 15_000), ("0.5", 500), ("-1", -1000), ("5m", 300_000), ("1h30m", 5_400_000), ("0", 0)]
        {
            assert_eq!(read_duration(text), Ok(ms), "{text}");
        }
        for bad in ["", "x", "5x", "1e300", "NaN"] {
            assert!(read_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(whole("x"), Err("strconv.Atoi: parsing \"x\": invalid syntax".to_owned()));
        assert_eq!(
            whole("99999999999999999999"),
            Err("strconv.Atoi: parsing \"99999999999999999999\": value out of range".to_owned())
        );
    }
}
