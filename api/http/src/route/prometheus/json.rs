//! Samples as Prometheus' JSON (`web/api/v1/json_codec.go`): times in seconds, values as text.

use std::io::{self, Write as _};

use grid_promql::histogram::FloatHistogram;
use grid_promql::number;
use grid_promql::points::{Grid, Point, Points, Series};
use grid_promql::query::{Answer, Value};
use grid_promql::samples::Samples;
use grid_promql::{Labels, histogram};

use super::answer::Out;

/// Samples between two looks whether there is enough to send.
const SAMPLES_BETWEEN: usize = 1024;

/// `{"resultType":..., "result":...` of an answer, whose last brace is left open for what else is to be said. At most `limit` series are
/// written (0 = all).
pub(crate) fn write_result(out: &mut Out, answer: &Answer, grid: Grid, range: bool, limit: usize) -> io::Result<()> {
    let most = if limit == 0 { usize::MAX } else { limit };
    match &answer.value {
        Value::Scalar(values) if range => {
            begin(out, "matrix");
            out.text.extend_from_slice(b"{\"metric\":{}");
            let points = Points::all(values.clone());
            write_points(out, &points, &StepTimes::of(grid))?;
            out.text.push(b'}');
        }
        Value::Scalar(values) => {
            begin(out, "scalar");
            // The brackets of the result are those of the pair.
            push_time(&mut out.text, grid.start);
            out.text.push(b',');
            push_value(&mut out.text, values.first().copied().unwrap_or(f64::NAN));
        }
        Value::Text(text) => {
            begin(out, "string");
            push_time(&mut out.text, grid.start);
            out.text.push(b',');
            push_text(&mut out.text, text);
        }
        Value::Series(all) if range => {
            begin(out, "matrix");
            let times = StepTimes::of(grid);
            list(out, all.iter().take(most), |out, series| {
                push_metric(&mut out.text, &series.labels);
                write_points(out, &series.points, &times)?;
                out.text.push(b'}');
                out.flush_if_full()
            })?;
        }
        Value::Series(all) => {
            begin(out, "vector");
            list(out, all.iter().take(most), |out, series| {
                push_instant(&mut out.text, series, grid.start);
                out.flush_if_full()
            })?;
        }
        Value::Ranges(all) => {
            begin(out, "matrix");
            list(out, all.iter().take(most), |out, (labels, samples)| {
                push_metric(&mut out.text, labels);
                write_samples(out, samples)?;
                out.text.push(b'}');
                out.flush_if_full()
            })?;
        }
    }
    out.text.push(b']');
    Ok(())
}

/// How many series an answer has, and about how many samples.
pub(crate) fn size(answer: &Answer) -> (usize, usize) {
    match &answer.value {
        Value::Scalar(values) => (0, values.len()),
        Value::Text(_) => (0, 1),
        Value::Series(all) => (all.len(), all.iter().map(|s| s.points.steps()).sum()),
        Value::Ranges(all) => (all.len(), all.iter().map(|(_, s)| s.len()).sum()),
    }
}

fn begin(out: &mut Out, kind: &str) {
    out.text.extend_from_slice(b"{\"resultType\":\"");
    out.text.extend_from_slice(kind.as_bytes());
    out.text.extend_from_slice(b"\",\"result\":[");
}

/// Items with commas between them.
pub(crate) fn list<T>(
    out: &mut Out,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Out, T) -> io::Result<()>,
) -> io::Result<()> {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.text.push(b',');
        }
        write(out, item)?;
    }
    Ok(())
}

/// `{"metric":{...}`, left open.
fn push_metric(text: &mut Vec<u8>, labels: &Labels) {
    text.extend_from_slice(b"{\"metric\":");
    push_labels(text, labels);
}

fn push_instant(text: &mut Vec<u8>, series: &Series, time: i64) {
    push_metric(text, &series.labels);
    match series.points.get(0) {
        Some(Point::Histogram(h)) => {
            text.extend_from_slice(b",\"histogram\":");
            push_histogram_sample(text, time, h);
        }
        Some(Point::Float(value)) => {
            text.extend_from_slice(b",\"value\":");
            push_sample(text, time, value);
        }
        None => {}
    }
    text.push(b'}');
}

/// The times of all steps as text, each written once for all series.
struct StepTimes {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl StepTimes {
    fn of(grid: Grid) -> Self {
        let mut this = Self { text: Vec::new(), ends: Vec::with_capacity(grid.len()) };
        for step in 0..grid.len() {
            push_time(&mut this.text, grid.time(step));
            this.ends.push(this.text.len());
        }
        this
    }

    fn at(&self, step: usize) -> &[u8] {
        let start = step.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[step]]
    }
}

/// `,"values":[...],"histograms":[...]`, each only if there are some.
fn write_points(out: &mut Out, points: &Points, times: &StepTimes) -> io::Result<()> {
    let mut any = false;
    for (i, (step, point)) in points.iter().enumerate() {
        if let Point::Float(value) = point {
            out.text.extend_from_slice(if any { b"," } else { b",\"values\":[" });
            any = true;
            out.text.push(b'[');
            out.text.extend_from_slice(times.at(step));
            out.text.push(b',');
            push_value(&mut out.text, value);
            out.text.push(b']');
        }
        if i % SAMPLES_BETWEEN == 0 {
            out.flush_if_full()?;
        }
    }
    close(out, any);
    if !points.has_histograms() {
        return Ok(());
    }
    let mut any = false;
    for (step, point) in points.iter() {
        if let Point::Histogram(h) = point {
            out.text.extend_from_slice(if any { b"," } else { b",\"histograms\":[" });
            any = true;
            push_histogram_at(&mut out.text, times.at(step), h);
            out.flush_if_full()?;
        }
    }
    close(out, any);
    Ok(())
}

fn write_samples(out: &mut Out, samples: &Samples) -> io::Result<()> {
    for (i, (time, value)) in samples.times.iter().zip(&samples.values).enumerate() {
        out.text.extend_from_slice(if i > 0 { b"," } else { b",\"values\":[" });
        push_sample(&mut out.text, *time, *value);
        if i % SAMPLES_BETWEEN == 0 {
            out.flush_if_full()?;
        }
    }
    close(out, !samples.times.is_empty());
    for (i, (time, h)) in samples.histogram_times.iter().zip(&samples.histograms).enumerate() {
        out.text.extend_from_slice(if i > 0 { b"," } else { b",\"histograms\":[" });
        push_histogram_sample(&mut out.text, *time, h);
        out.flush_if_full()?;
    }
    close(out, !samples.histograms.is_empty());
    Ok(())
}

fn close(out: &mut Out, any: bool) {
    if any {
        out.text.push(b']');
    }
}

fn push_sample(text: &mut Vec<u8>, time: i64, value: f64) {
    text.push(b'[');
    push_time(text, time);
    text.push(b',');
    push_value(text, value);
    text.push(b']');
}

fn push_histogram_sample(text: &mut Vec<u8>, time: i64, h: &FloatHistogram) {
    let mut at = Vec::new();
    push_time(&mut at, time);
    push_histogram_at(text, &at, h);
}

fn push_histogram_at(text: &mut Vec<u8>, time: &[u8], h: &FloatHistogram) {
    text.push(b'[');
    text.extend_from_slice(time);
    text.extend_from_slice(b",{\"count\":");
    push_value(text, h.count);
    text.extend_from_slice(b",\"sum\":");
    push_value(text, h.sum);
    let mut any = false;
    for histogram::ApiBucket { boundary_rule, lower, upper, count } in h.api_buckets() {
        text.extend_from_slice(if any { b",[" } else { b",\"buckets\":[[" });
        any = true;
        text.push(b'0' + boundary_rule);
        for number in [lower, upper, count] {
            text.push(b',');
            push_value(text, number);
        }
        text.push(b']');
    }
    if any {
        text.push(b']');
    }
    text.extend_from_slice(b"}]");
}

/// Milliseconds as seconds with three decimals, or none.
pub(crate) fn push_time(text: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        text.push(b'-');
    }
    let (seconds, rest) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    push_whole(text, seconds);
    if rest > 0 {
        // Writing to memory does not fail, here and below.
        let _ = write!(text, ".{rest:03}");
    }
}

/// A whole number as text.
fn push_whole(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}

/// A number as text.
pub(crate) fn push_value(text: &mut Vec<u8>, value: f64) {
    // Whole numbers are most of what counters hold; those below 2^53 read the same as integers, but for the zero with a sign.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    text.push(b'"');
    if value.fract() == 0.0 && value.abs() < EXACT && (value != 0.0 || value.is_sign_positive()) {
        if value < 0.0 {
            text.push(b'-');
        }
        push_whole(text, value.abs() as u64);
    } else {
        number::push_json(text, value);
    }
    text.push(b'"');
}

/// A JSON string.
pub(crate) fn push_text(text: &mut Vec<u8>, words: &str) {
    let _ = serde_json::to_writer(text, words);
}

/// Labels as an object.
pub(crate) fn push_labels(text: &mut Vec<u8>, labels: &Labels) {
    text.push(b'{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            text.push(b',');
        }
        push_text(text, name);
        text.push(b':');
        push_text(text, value);
    }
    text.push(b'}');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use grid_promql::annotation::Notes;
    use grid_promql_syntax::ast::ValueType;

    use super::*;

    #[track_caller]
    fn check(value: Value, range: bool, limit: usize, wanted: &str) {
        let answer = Answer { value, value_type: ValueType::Vector, notes: Notes::default() };
        let mut out = Out::held();
        write_result(
            &mut out,
            &answer,
            Grid { start: 1_767_229_200_250, end: 1_767_229_201_250, step: 500 },
            range,
            limit,
        )
        .unwrap();
        assert_eq!(String::from_utf8(out.text).unwrap() + "}", wanted);
    }

    fn series(name: &str, points: Points) -> Series {
        Series { labels: Labels::new([("__name__", name), ("q", "a\"b")]), drop_name: false, points }
    }

    #[test]
    fn answers_read_as_in_prometheus() {
        check(Value::Scalar(vec![2.0]), false, 0, r#"{"resultType":"scalar","result":[1767229200.250,"2"]}"#);
        check(Value::Text("s\n".to_owned()), false, 0, r#"{"resultType":"string","result":[1767229200.250,"s\n"]}"#);
        check(
            Value::Scalar(vec![f64::NAN, -0.0, 1e21]),
            true,
            0,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1767229200.250,"NaN"],[1767229200.750,"-0"],[1767229201.250,"1e+21"]]}]}"#,
        );
        check(Value::Series(Vec::new()), false, 0, r#"{"resultType":"vector","result":[]}"#);
        let histogram = FloatHistogram {
            count: 3.0,
            sum: 2.5,
            zero_count: 1.0,
            zero_threshold: 0.001,
            positive_spans: vec![histogram::Span { offset: 0, length: 1 }],
            positive_buckets: vec![2.0],
            ..FloatHistogram::default()
        };
        let empty = FloatHistogram::default();
        let mut mixed = Points::empty(3);
        mixed.set(0, 9_007_199_254_740_993.0);
        mixed.set_histogram(2, Arc::new(histogram.clone()));
        let all = vec![series("a", mixed), series("b", Points::all(vec![1.5, f64::INFINITY, f64::NEG_INFINITY]))];
        check(
            Value::Series(all),
            true,
            1,
            r#"{"resultType":"matrix","result":[{"metric":{"__name__":"a","q":"a\"b"},"values":[[1767229200.250,"9007199254740992"]],"histograms":[[1767229201.250,{"count":"3","sum":"2.5","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","2"]]}]]}]}"#,
        );
        let mut bare = Points::empty(1);
        bare.set_histogram(0, Arc::new(empty));
        check(
            Value::Series(vec![series("a", bare), series("b", Points::all(vec![0.25]))]),
            false,
            0,
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"a","q":"a\"b"},"histogram":[1767229200.250,{"count":"0","sum":"0"}]},{"metric":{"__name__":"b","q":"a\"b"},"value":[1767229200.250,"0.25"]}]}"#,
        );
        let mut raw = Samples::default();
        raw.push(-1500, 1e-7);
        raw.push(0, 1.0);
        check(
            Value::Ranges(vec![(Labels::default(), raw)]),
            false,
            0,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[-1.500,"1e-07"],[0,"1"]]}]}"#,
        );
    }
}
