//! Bodies, written byte by byte: millions of samples are encoded in seconds, so that a run is not spent on preparing it.

use bytes::Bytes;

/// Headers of a snappy-packed protobuf body: remote write 1.0, and Loki's push.
pub(crate) const SNAPPY_HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn packed(message: &[u8]) -> anyhow::Result<Bytes> {
    Ok(snap::raw::Encoder::new().compress_vec(message)?.into())
}

/// The labels of a series as `prometheus.TimeSeries` holds them.
#[derive(Debug, Clone)]
pub(crate) struct WireSeries(Vec<u8>);

impl WireSeries {
    pub(crate) fn new(labels: &[(&str, &str)]) -> Self {
        let mut sorted = labels.to_vec();
        sorted.sort_unstable();
        let (mut out, mut label) = (Vec::new(), Vec::new());
        for (name, value) in sorted {
            label.clear();
            bytes_field(&mut label, 1, name.as_bytes());
            bytes_field(&mut label, 2, value.as_bytes());
            bytes_field(&mut out, 1, &label);
        }
        Self(out)
    }
}

/// A request of remote write 1.0, packed: samples are (milliseconds, value).
pub(crate) fn write_request<'a>(
    rows: impl IntoIterator<Item = (&'a WireSeries, &'a [(i64, f64)])>,
) -> anyhow::Result<Bytes> {
    let (mut out, mut series, mut sample) = (Vec::new(), Vec::new(), Vec::new());
    for (labels, samples) in rows {
        series.clear();
        series.extend_from_slice(&labels.0);
        for (time, value) in samples {
            sample.clear();
            sample.push(1 << 3 | 1);
            sample.extend_from_slice(&value.to_le_bytes());
            sample.push(2 << 3);
            varint(&mut sample, time.cast_unsigned());
            bytes_field(&mut series, 2, &sample);
        }
        bytes_field(&mut out, 1, &series);
    }
    packed(&out)
}

/// A request of Loki's push, packed: streams are their label text and (nanoseconds, line) entries.
pub(crate) fn loki_push(streams: &[(&str, Vec<(i64, String)>)]) -> anyhow::Result<Bytes> {
    let (mut out, mut stream, mut entry, mut time) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (labels, entries) in streams {
        stream.clear();
        bytes_field(&mut stream, 1, labels.as_bytes());
        for (nanos, line) in entries {
            time.clear();
            time.push(1 << 3);
            varint(&mut time, nanos.div_euclid(1_000_000_000).cast_unsigned());
            time.push(2 << 3);
            varint(&mut time, nanos.rem_euclid(1_000_000_000).cast_unsigned());
            entry.clear();
            bytes_field(&mut entry, 1, &time);
            bytes_field(&mut entry, 2, line.as_bytes());
            bytes_field(&mut stream, 2, &entry);
        }
        bytes_field(&mut out, 1, &stream);
    }
    packed(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid_tests::wire::{Sample, TimeSeries, WriteRequest, label};
    use prost::Message as _;

    #[test]
    fn remote_write_is_what_the_schema_says() {
        let series = WireSeries::new(&[("job", "node"), ("__name__", "up")]);
        let body = write_request([(&series, &[(1_700_000_000_123, 1.5), (0, -0.0)][..])]).unwrap();
        let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        let labels = vec![label("__name__", "up"), label("job", "node")];
        let samples = vec![Sample { value: 1.5, timestamp: 1_700_000_000_123 }, Sample { value: -0.0, timestamp: 0 }];
        let expected = WriteRequest { timeseries: vec![TimeSeries { labels, samples }] };
        assert_eq!(WriteRequest::decode(&*message).unwrap(), expected);
    }
}
