//! OTLP names to Prometheus names: the published translation (OpenTelemetry specification, "Prometheus and OpenMetrics
//! Compatibility"; units and exceptions as in Prometheus' own OTLP receiver).

use std::borrow::Cow;

use grid_model::series::MetricKind;

use super::NameTranslation;

/// UCUM units and the words that Prometheus uses for them.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// Units behind a slash, in the singular.
const PER_UNITS: &[(&str, &str)] =
    &[("s", "second"), ("m", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// The name under which a metric is queried; `None` if nothing of the name is left.
pub(crate) fn metric_name(
    translation: NameTranslation,
    name: &str,
    unit: &str,
    kind: MetricKind,
    monotonic: bool,
) -> Option<String> {
    if translation == NameTranslation::NoTranslation {
        return (!name.is_empty()).then(|| name.to_owned());
    }
    let mut tokens: Vec<Cow<'_, str>> =
        name.split(|c| !is_name_char(c)).filter(|t| !t.is_empty()).map(Cow::Borrowed).collect();
    if tokens.is_empty() {
        return None;
    }
    let (main, per) = unit_suffixes(unit);
    let (mut main, per) = (clean_unit(main), clean_unit(&per));
    let per = if per == "per_" { "" } else { per.trim_end_matches('_') };
    if !per.is_empty() {
        main.truncate(main.trim_end_matches('_').len());
    }
    for suffix in [main.as_str(), per] {
        if !suffix.is_empty() && !tokens.iter().any(|t| t == suffix) {
            tokens.push(Cow::Owned(suffix.to_owned()));
        }
    }
    if kind == MetricKind::Sum && monotonic {
        move_to_end(&mut tokens, "total");
    }
    // Counters of objects carry the unit 1 by a common mistake, so only gauges are called ratios.
    if unit == "1" && kind == MetricKind::Gauge {
        move_to_end(&mut tokens, "ratio");
    }
    let mut joined = tokens.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) {
        joined.insert(0, '_');
    }
    Some(joined)
}

/// The name of the label that an attribute becomes.
pub(crate) fn label_name(translation: NameTranslation, key: &str) -> Cow<'_, str> {
    if translation == NameTranslation::NoTranslation { Cow::Borrowed(key) } else { sanitise_label(key) }
}

/// A legal Prometheus label name: other characters become `_`; a name that starts with a digit or with a single `_` (the
/// double one is Prometheus' own) gets the prefix `key`.
pub(crate) fn sanitise_label(key: &str) -> Cow<'_, str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let prefix = match key.chars().next() {
        Some(c) if c.is_ascii_digit() => "key_",
        Some(c) if !c.is_ascii_alphabetic() && !key.chars().skip(1).take(1).any(|c| c == '_' || !legal(c)) => "key",
        _ => "",
    };
    if prefix.is_empty() && key.chars().all(legal) {
        return Cow::Borrowed(key);
    }
    let mut out = String::with_capacity(prefix.len() + key.len());
    out.push_str(prefix);
    out.extend(key.chars().map(|c| if legal(c) { c } else { '_' }));
    Cow::Owned(out)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

fn move_to_end(tokens: &mut Vec<Cow<'_, str>>, word: &'static str) {
    tokens.retain(|t| t != word);
    tokens.push(Cow::Borrowed(word));
}

/// The words for a unit and for what stands behind its slash; annotations in braces count as nothing.
fn unit_suffixes(unit: &str) -> (&str, String) {
    let word = |table: &[(&str, &'static str)], unit: &str| table.iter().find(|(u, _)| *u == unit).map(|(_, w)| *w);
    let annotated = |unit: &str| unit.contains(['{', '}']);
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let (main, per) = (main.trim(), per.trim());
    let main = if annotated(main) { "" } else { word(UNITS, main).unwrap_or(main) };
    let per = if annotated(per) { "" } else { word(PER_UNITS, per).unwrap_or(per) };
    (main, if per.is_empty() { String::new() } else { format!("per_{per}") })
}

fn clean_unit(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    for c in unit.chars() {
        let c = if is_name_char(c) { c } else { '_' };
        if c != '_' || !(out.is_empty() || out.ends_with('_')) {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_follow_the_published_translation() {
        use MetricKind::{Gauge, Histogram, Sum};
        let cases = [
            ("http.server.request.duration", "s", Histogram, false, Some("http_server_request_duration_seconds")),
            ("requests", "", Sum, true, Some("requests_total")),
            ("requests.total.seen", "1", Sum, true, Some("requests_seen_total")),
            ("active", "{connection}", Sum, false, Some("active")),
            ("cpu.usage", "1", Gauge, false, Some("cpu_usage_ratio")),
            ("cpu.usage_ratio", "1", Gauge, false, Some("cpu_usage_ratio")),
            ("throughput", "By/s", Gauge, false, Some("throughput_bytes_per_second")),
            ("throughput", "1/s", Sum, true, Some("throughput_per_second_total")),
            ("throughput", "By/{packet}", Gauge, false, Some("throughput_bytes")),
            ("response_time_seconds", "s", Gauge, false, Some("response_time_seconds")),
            ("a__b..c", "x__y", Gauge, false, Some("a_b_c_x_y")),
            ("custom", "unit@with#special/chars", Gauge, false, Some("custom_unit_with_special_per_chars")),
            ("9lives", "", Gauge, false, Some("_9lives")),
            ("job:errors:rate5m", "", Gauge, false, Some("job:errors:rate5m")),
            ("température", "Cel", Gauge, false, Some("temp_rature_celsius")),
            ("@#$%", "", Gauge, false, None),
            ("", "s", Gauge, false, None),
        ];
        for (name, unit, kind, monotonic, expected) in cases {
            let got = metric_name(NameTranslation::UnderscoreEscapingWithSuffixes, name, unit, kind, monotonic);
            assert_eq!(got.as_deref(), expected, "{name:?} in {unit:?}");
        }
        let untouched = metric_name(NameTranslation::NoTranslation, "température", "Cel", Gauge, false);
        assert_eq!(untouched.as_deref(), Some("température"));
    }

    #[test]
    fn label_names_are_legal() {
        let cases = [
            ("http.method", "http_method"),
            ("plain", "plain"),
            ("a..b", "a__b"),
            ("1st", "key_1st"),
            ("_private", "key_private"),
            (".dot", "key_dot"),
            ("__reserved__", "__reserved__"),
            ("ß", "key_"),
            ("naïve", "na_ve"),
        ];
        for (key, expected) in cases {
            assert_eq!(sanitise_label(key), expected, "{key:?}");
        }
    }
}
