//! An answer as CSV (RFC 4180): one sample per line, a column per label, then time and value.

use std::borrow::Cow;

use grid_promql::number;

use super::answer::{Data, Labels, Number, Point, Sample, label_names};
use super::show_time;

/// The whole text. Times are RFC 3339; a native histogram is in a column of its own, in Prometheus' notation.
pub(super) fn write(data: &Data) -> String {
    let mut out = String::new();
    match data {
        Data::Scalar(Sample(time, Number(value))) => {
            line(&mut out, ["time", "value"]);
            line(&mut out, [show_time(time.0), number::json(*value)]);
        }
        Data::String(Sample(time, text)) => {
            line(&mut out, ["time", "value"]);
            line(&mut out, [show_time(time.0).as_str(), text]);
        }
        Data::Vector(all) => {
            let rows: Vec<_> = all.iter().map(|one| (&one.metric, one.sample().into_iter().collect())).collect();
            samples(&mut out, &rows);
        }
        Data::Matrix(all) => {
            let rows: Vec<_> = all.iter().map(|many| (&many.metric, many.samples())).collect();
            samples(&mut out, &rows);
        }
    }
    out
}

fn samples(out: &mut String, series: &[(&Labels, Vec<(i64, Point<'_>)>)]) {
    let names = label_names(series.iter().map(|(labels, _)| *labels));
    let histograms = series.iter().flat_map(|(_, s)| s).any(|(_, p)| matches!(p, Point::Histogram(_)));
    let own = ["time", "value"].into_iter().chain(histograms.then_some("histogram"));
    // A label of the same name keeps it.
    let own = own.map(|name| match names.contains(&name) {
        true => Cow::Owned(format!("sample_{name}")),
        false => Cow::Borrowed(name),
    });
    line(out, names.iter().copied().map(Cow::Borrowed).chain(own));
    for (labels, points) in series {
        for (time, point) in points {
            let (value, histogram) = match point {
                Point::Float(value) => (number::json(*value), String::new()),
                Point::Histogram(h) => (String::new(), h.text()),
            };
            let values = names.iter().map(|name| Cow::Borrowed(labels.get(*name).map_or("", String::as_str)));
            let own = [show_time(*time), value].into_iter().chain(histograms.then_some(histogram));
            line(out, values.chain(own.map(Cow::Owned)));
        }
    }
}

fn line(out: &mut String, fields: impl IntoIterator<Item = impl AsRef<str>>) {
    for (i, field) in fields.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let field = field.as_ref();
        if field.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push_str("\r\n");
}
