//! `/prometheus/federate`: the latest sample of each series that `match[]` selects, as a page that another Prometheus scrapes
//! (Prometheus, `web/federate.go`).

use std::io::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use grid_analytics::promql::metadata::Selection;
use grid_guard::Caller;
use grid_model::histogram::is_stale;
use grid_model::labels::METRIC_NAME;
use grid_promql::histogram::FloatHistogram;
use grid_promql::samples::Samples;
use grid_promql::{Labels, number};
use grid_promql_syntax::matcher::is_plain_label;
use http::{HeaderValue, StatusCode, header};

use super::answer::{Failure, send};
use super::now_ms;
use super::params::Asked;
use crate::state::ApiState;

/// Pages with more series are written away from the threads that serve sockets.
const SERIES_INLINE: usize = 1024;

/// Writes the page. Its errors are plain text, as a scraper shows them.
pub(crate) async fn get(State(state): State<ApiState>, caller: Caller, asked: Asked) -> Response {
    match page(&state, &caller, &asked).await {
        Ok(response) => response,
        Err(failure) => failure.plain(),
    }
}

/// One line of the page and what it is sorted by.
struct Line {
    labels: Labels,
    time: i64,
    sample: Latest,
}

enum Latest {
    Float(f64),
    Histogram(std::sync::Arc<FloatHistogram>),
}

async fn page(state: &ApiState, caller: &Caller, asked: &Asked) -> Result<Response, Failure> {
    let sets = asked.matchers()?;
    let until = now_ms(state);
    let utf8 = takes_utf8(asked);
    // Without a selector nothing is asked for; the engine would take that for everything.
    let found = if sets.is_empty() {
        Vec::new()
    } else {
        let range = (until.saturating_sub(state.engine.promql_settings().lookback), until);
        let selection = Selection { tenant: caller.tenant.clone(), sets, range, limit: 0 };
        state.engine.raw_series(&selection).await?
    };
    let mut lines: Vec<Line> = found.into_iter().filter_map(|(labels, samples)| latest(labels, &samples)).collect();
    lines.sort_by(|a, b| (a.labels.metric(), &a.labels).cmp(&(b.labels.metric(), &b.labels)));
    let large = lines.len() > SERIES_INLINE;
    let mut response = send(asked.takes_gzip(), large, move |out| {
        let mut family = None;
        for line in &lines {
            let kind = match line.sample {
                Latest::Float(_) => "untyped",
                Latest::Histogram(_) => "histogram",
            };
            let name = line.labels.metric();
            if family != Some((name, kind)) {
                family = Some((name, kind));
                let _ = writeln!(out.text, "# TYPE {} {kind}", shown_name(name, utf8));
            }
            push_line(&mut out.text, line, utf8);
            out.flush_if_full()?;
        }
        Ok(())
    });
    *response.status_mut() = StatusCode::OK;
    let kind = match utf8 {
        true => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response.into_response())
}

/// Whether the scraper reads quoted names.
fn takes_utf8(asked: &Asked) -> bool {
    let accepts = asked.headers.get_all(header::ACCEPT);
    accepts.iter().filter_map(|v| v.to_str().ok()).any(|v| v.contains("escaping=allow-utf-8"))
}

/// The last sample, if the series has not ended.
fn latest(labels: Labels, samples: &Samples) -> Option<Line> {
    let float = samples.times.last().copied().zip(samples.values.last().copied());
    let histogram = samples.histogram_times.last().copied().zip(samples.histograms.last());
    let (time, sample) = match (float, histogram) {
        (Some((time, value)), h) if h.is_none_or(|(t, _)| t <= time) => (time, Latest::Float(value)),
        (_, h) => {
            let (time, h) = h?;
            (time, Latest::Histogram(h.clone()))
        }
    };
    let ended = match &sample {
        Latest::Float(value) => is_stale(*value),
        Latest::Histogram(h) => is_stale(h.sum),
    };
    (!ended).then_some(Line { labels, time, sample })
}

fn push_line(text: &mut Vec<u8>, line: &Line, utf8: bool) {
    let mut sample = |suffix: &str, le: Option<&str>, value: f64| {
        push_series(text, &line.labels, suffix, le, utf8);
        let _ = writeln!(text, " {} {}", number::format(value), line.time);
    };
    match &line.sample {
        Latest::Float(value) => sample("", None, *value),
        // The text format has no native histograms: what of them every reader knows.
        Latest::Histogram(h) => {
            sample("_bucket", Some("+Inf"), h.count);
            sample("_sum", None, h.sum);
            sample("_count", None, h.count);
        }
    }
}

/// `name{label="value"}`, or `{"na.me",label="value"}`.
fn push_series(text: &mut Vec<u8>, labels: &Labels, suffix: &str, le: Option<&str>, utf8: bool) {
    let name = format!("{}{suffix}", labels.metric());
    let quoted = utf8 && !is_plain_metric(&name);
    let mut pairs: Vec<(&str, &str)> = labels.iter().filter(|(k, _)| *k != METRIC_NAME).collect();
    // Without it the scraper would put its own address there (Prometheus does the same).
    if labels.get("instance").is_empty() {
        pairs.push(("instance", ""));
    }
    pairs.extend(le.map(|le| ("le", le)));
    if quoted {
        let _ = write!(text, "{{\"{}\",", escaped(&name));
    } else {
        let _ = write!(text, "{}{{", shown_name(&name, utf8));
    }
    for (i, (key, value)) in pairs.into_iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let plain = is_plain_label(key);
        let _ = match (plain, utf8) {
            (false, true) => write!(text, "{comma}\"{}\"=\"{}\"", escaped(key), escaped(value)),
            _ => write!(text, "{comma}{}=\"{}\"", underscored(key, false), escaped(value)),
        };
    }
    text.push(b'}');
}

/// A metric's name as a `TYPE` line or the start of a sample says it.
fn shown_name(name: &str, utf8: bool) -> String {
    match (is_plain_metric(name), utf8) {
        (true, _) => name.to_owned(),
        (false, true) => format!("\"{}\"", escaped(name)),
        (false, false) => underscored(name, true),
    }
}

fn is_plain_metric(name: &str) -> bool {
    is_plain_label(&name.replace(':', "_"))
}

/// A name with `_` for all that old readers do not take.
fn underscored(name: &str, colon: bool) -> String {
    let fits =
        |i: usize, c: char| c == '_' || c.is_ascii_alphabetic() || (colon && c == ':') || (i > 0 && c.is_ascii_digit());
    name.chars().enumerate().map(|(i, c)| if fits(i, c) { c } else { '_' }).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_page() {
        let line = |labels: &[(&str, &str)], sample| {
            let line = Line { labels: Labels::new(labels.iter().copied()), time: 1500, sample };
            [true, false].map(|utf8| {
                let mut text = Vec::new();
                push_line(&mut text, &line, utf8);
                String::from_utf8(text).unwrap()
            })
        };
        let [utf8, old] = line(&[("__name__", "a:b"), ("x", "q\"\\\n"), ("instance", "i")], Latest::Float(1e-9));
        assert_eq!(utf8, "a:b{instance=\"i\",x=\"q\\\"\\\\\\n\"} 1e-09 1500\n");
        assert_eq!(old, utf8);
        let [utf8, old] = line(&[("__name__", "a.b"), ("k.l", "v")], Latest::Float(f64::NAN));
        assert_eq!(utf8, "{\"a.b\",\"k.l\"=\"v\",instance=\"\"} NaN 1500\n");
        assert_eq!(old, "a_b{k_l=\"v\",instance=\"\"} NaN 1500\n");
        let histogram = FloatHistogram { count: 2.0, sum: 0.5, ..FloatHistogram::default() };
        let [utf8, _] = line(&[("__name__", "h"), ("instance", "i")], Latest::Histogram(histogram.into()));
        assert_eq!(
            utf8,
            "h_bucket{instance=\"i\",le=\"+Inf\"} 2 1500\nh_sum{instance=\"i\"} 0.5 1500\nh_count{instance=\"i\"} 2 1500\n"
        );
        let mut samples = Samples::default();
        samples.push(1, f64::from_bits(0x7ff0_0000_0000_0002));
        assert!(latest(Labels::default(), &samples).is_none());
    }
}
