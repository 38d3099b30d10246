//! What a sample belongs to. A series' id is a 64-bit hash of everything that identifies it, never handed out by a
//! catalog, so two machines agree without talking. The store compares contents on every first sight, so that a
//! collision is refused with a reason instead of mixing two series.

use xxhash_rust::xxh3::xxh3_64;

use crate::attr::{AttrValue, Attributes};
use crate::labels::Labels;

/// XXH3-64 of a series' [canonical key](SeriesDef::key).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u64);

/// Everything that identifies one series.
///
/// Prometheus clients identify a series by its labels alone (`otlp` is `None`). OTLP identifies it by resource, scope,
/// metric descriptor and typed attributes; labels are then the published translation of those, and both are kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesDef {
    /// The labels under which the series is queried, `__name__` included.
    pub labels: Labels,
    /// What OTLP said about it, if it came by OTLP.
    pub otlp: Option<OtlpIdentity>,
}

/// OTLP's identity of a metric stream (opentelemetry-specification, metrics/data-model.md, "Timeseries Model").
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OtlpIdentity {
    /// The instrument's name as sent, before translation.
    pub name: String,
    /// The unit as sent (UCUM).
    pub unit: String,
    /// Which oneof of `Metric.data` it was.
    pub kind: MetricKind,
    /// Delta or cumulative; unspecified for gauges and summaries.
    pub temporality: Temporality,
    /// Whether a sum only grows.
    pub monotonic: bool,
    /// How number points are typed on the wire.
    pub number: NumberKind,
    /// Attributes of the resource.
    pub resource: Attributes,
    /// Schema URL of the resource.
    pub resource_schema_url: String,
    /// Name of the instrumentation scope.
    pub scope_name: String,
    /// Version of the instrumentation scope.
    pub scope_version: String,
    /// Attributes of the instrumentation scope.
    pub scope_attributes: Attributes,
    /// Schema URL of the scope's metrics.
    pub scope_schema_url: String,
    /// Attributes of the data point, typed.
    pub attributes: Attributes,
}

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }
        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The word at rest.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
            /// From the word at rest.
            pub fn parse(word: &str) -> Option<Self> { match word { $($text => Some(Self::$variant),)+ _ => None } }
        }
    };
}

named_enum! {
    /// The type of an OTLP metric.
    MetricKind {
        /// A gauge.
        #[default] Gauge = "gauge",
        /// A sum.
        Sum = "sum",
        /// A histogram with explicit bounds.
        Histogram = "histogram",
        /// An exponential histogram.
        ExponentialHistogram = "exponential_histogram",
        /// A summary of quantiles.
        Summary = "summary",
    }
}

named_enum! {
    /// Over which time a point aggregates.
    Temporality {
        /// Not said, or not applicable.
        #[default] Unspecified = "unspecified",
        /// Since the last point.
        Delta = "delta",
        /// Since `start_time`.
        Cumulative = "cumulative",
    }
}

named_enum! {
    /// How OTLP typed a number point.
    NumberKind {
        /// Not a number point, or the point had no value.
        #[default] None = "none",
        /// `as_int`.
        Int = "int",
        /// `as_double`.
        Double = "double",
    }
}

impl SeriesDef {
    /// A series known by labels alone.
    pub fn of_labels(labels: Labels) -> Self {
        Self { labels, otlp: None }
    }

    /// The id: XXH3-64 of [`SeriesDef::key`].
    pub fn id(&self) -> SeriesId {
        SeriesId(xxh3_64(&self.key()))
    }

    /// The canonical key: labels as length-prefixed pairs in order, then, for OTLP, the identity's fields in their order
    /// of declaration. Two series are the same exactly if their keys are equal.
    pub fn key(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 32 * self.labels.len());
        push_len(&mut out, self.labels.len());
        for (k, v) in self.labels.iter() {
            push_str(&mut out, k);
            push_str(&mut out, v);
        }
        if let Some(o) = &self.otlp {
            for text in [
                o.name.as_str(),
                &o.unit,
                o.kind.as_str(),
                o.temporality.as_str(),
                if o.monotonic { "monotonic" } else { "" },
                o.number.as_str(),
                &o.resource_schema_url,
                &o.scope_name,
                &o.scope_version,
                &o.scope_schema_url,
            ] {
                push_str(&mut out, text);
            }
            for attributes in [&o.resource, &o.scope_attributes, &o.attributes] {
                push_attributes(&mut out, attributes);
            }
        }
        out
    }
}

/// The key of a series known by labels alone, appended to `out`, from pairs already sorted by name; equal to
/// [`SeriesDef::key`]. The hot path of remote write: no allocation per label.
pub fn write_label_key<'a>(out: &mut Vec<u8>, count: usize, sorted_pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    push_len(out, count);
    for (k, v) in sorted_pairs {
        push_str(out, k);
        push_str(out, v);
    }
}

/// The last part of [`SeriesDef::key`] of an OTLP series, appended to `out`: the attributes of its data points. The hot path
/// of OTLP: what comes before is the same for all points of a metric.
pub fn write_attributes_key(out: &mut Vec<u8>, attributes: &[(String, AttrValue)]) {
    push_attributes(out, attributes);
}

/// The id of a canonical key.
pub fn id_of_key(key: &[u8]) -> SeriesId {
    SeriesId(xxh3_64(key))
}

/// Reads a canonical key back into the series it stands for; `None` if the bytes are not one.
pub fn def_of_key(key: &[u8]) -> Option<SeriesDef> {
    let mut at = key;
    let count = take_len(&mut at)?;
    let mut pairs = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        pairs.push((take_str(&mut at)?.to_owned(), take_str(&mut at)?.to_owned()));
    }
    let labels = Labels::new(pairs).ok()?;
    if at.is_empty() {
        return Some(SeriesDef { labels, otlp: None });
    }
    let mut text = || take_str(&mut at).map(str::to_owned);
    let mut o = OtlpIdentity { name: text()?, unit: text()?, ..OtlpIdentity::default() };
    o.kind = MetricKind::parse(&text()?)?;
    o.temporality = Temporality::parse(&text()?)?;
    o.monotonic = text()? == "monotonic";
    o.number = NumberKind::parse(&text()?)?;
    o.resource_schema_url = text()?;
    o.scope_name = text()?;
    o.scope_version = text()?;
    o.scope_schema_url = text()?;
    o.resource = take_attributes(&mut at)?;
    o.scope_attributes = take_attributes(&mut at)?;
    o.attributes = take_attributes(&mut at)?;
    at.is_empty().then_some(SeriesDef { labels, otlp: Some(o) })
}

/// The label pairs of a key, as written: unlike [`def_of_key`] it keeps pairs without a value, which only keys that are not yet
/// canonical have. What follows the labels (an OTLP identity) is not read. `None` if the bytes are not a key.
pub fn label_pairs_of_key(key: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut at = key;
    let count = take_len(&mut at)?;
    let mut pairs = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        pairs.push((take_str(&mut at)?, take_str(&mut at)?));
    }
    Some(pairs)
}

fn push_len(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&(n as u32).to_le_bytes());
}

fn push_str(out: &mut Vec<u8>, s: &str) {
    push_len(out, s.len());
    out.extend_from_slice(s.as_bytes());
}

fn push_attributes(out: &mut Vec<u8>, attributes: &[(String, AttrValue)]) {
    push_len(out, attributes.len());
    for (k, v) in attributes {
        push_str(out, k);
        push_str(out, &v.to_json());
    }
}

fn take_len(at: &mut &[u8]) -> Option<usize> {
    let (head, rest) = at.split_first_chunk::<4>()?;
    *at = rest;
    Some(u32::from_le_bytes(*head) as usize)
}

fn take_str<'a>(at: &mut &'a [u8]) -> Option<&'a str> {
    let n = take_len(at)?;
    let (head, rest) = at.split_at_checked(n)?;
    *at = rest;
    std::str::from_utf8(head).ok()
}

fn take_attributes(at: &mut &[u8]) -> Option<Attributes> {
    let count = take_len(at)?;
    let mut out = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let key = take_str(at)?.to_owned();
        out.push((key, AttrValue::from_json(take_str(at)?).ok()?));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_tells_series_apart() {
        let labels = Labels::of(&[("__name__", "up"), ("job", "a")]);
        let plain = SeriesDef::of_labels(labels.clone());
        let otlp = |kind, resource: &str| SeriesDef {
            labels: labels.clone(),
            otlp: Some(OtlpIdentity {
                name: "up".into(),
                kind,
                monotonic: true,
                resource: vec![("host.name".into(), resource.into()), ("n".into(), AttrValue::Int(1))],
                attributes: vec![("x".into(), AttrValue::Double(1.0))],
                ..OtlpIdentity::default()
            }),
        };
        let all = [plain, otlp(MetricKind::Sum, "a"), otlp(MetricKind::Sum, "b"), otlp(MetricKind::Gauge, "a")];
        let mut ids: Vec<_> = all.iter().map(SeriesDef::id).collect();
        for def in &all {
            assert_eq!(def_of_key(&def.key()).as_ref(), Some(def));
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
        let mut key = Vec::new();
        write_label_key(&mut key, 2, labels.iter());
        assert_eq!(key, all[0].key());
        assert_eq!(label_pairs_of_key(&key), Some(vec![("__name__", "up"), ("job", "a")]));
        assert_eq!(label_pairs_of_key(&key[..key.len() - 1]), None);
        assert_eq!(def_of_key(&key[..key.len() - 1]), None);
    }
}
