//! Prometheus' text format, written so that every family has its HELP and TYPE exactly once.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

/// What a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Families under way. Samples of one family may be added in any order and from several places; of the same sample added
/// twice, the first counts, since a scraper would refuse the whole page.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Family>,
    seen: HashSet<String>,
}

/// Samples of one name.
#[derive(Debug)]
pub struct Family {
    /// What it means.
    pub help: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// One line of the page.
#[derive(Debug)]
pub struct Sample {
    /// What follows the family's name: `_bucket`, `_sum`, `_count` or nothing.
    pub suffix: &'static str,
    /// Names and values.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
    /// Name and labels as they are written.
    key: String,
}

impl Exposition {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sample of a counter.
    pub fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.sample(name, help, Kind::Counter, "", labels, value);
    }

    /// Adds a sample of a gauge.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.sample(name, help, Kind::Gauge, "", labels, value);
    }

    /// Adds a histogram: `buckets` are upper bounds with the count of each bucket alone (not cumulative); `above` counts
    /// what lies over the last bound.
    pub fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        above: u64,
        sum: f64,
    ) {
        let mut total = 0;
        for (le, count) in buckets.iter().copied().chain([(f64::INFINITY, above)]) {
            total += count;
            let le = number(le);
            let labels: Vec<_> = labels.iter().copied().chain([("le", le.as_str())]).collect();
            self.sample(name, help, Kind::Histogram, "_bucket", &labels, total as f64);
        }
        self.sample(name, help, Kind::Histogram, "_sum", labels, sum);
        self.sample(name, help, Kind::Histogram, "_count", labels, total as f64);
    }

    fn sample(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        suffix: &'static str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let mut key = format!("{name}{suffix}");
        if !labels.is_empty() {
            key.push('{');
            for (i, (k, v)) in labels.iter().enumerate() {
                let comma = if i > 0 { "," } else { "" };
                let v = v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(key, "{comma}{k}=\"{v}\"");
            }
            key.push('}');
        }
        let family = self.families.entry(name).or_insert_with(|| Family { help, kind, samples: Vec::new() });
        if self.seen.insert(key.clone()) {
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            family.samples.push(Sample { suffix, labels, value, key });
        }
    }

    /// The families, by name.
    pub fn families(&self) -> impl Iterator<Item = (&'static str, &Family)> {
        self.families.iter().map(|(name, family)| (*name, family))
    }

    /// A family by its name.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.get(name)
    }

    /// The text.
    pub fn finish(self) -> String {
        let mut out = String::new();
        for (name, family) in self.families {
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", family.kind.as_str());
            for sample in family.samples {
                let _ = writeln!(out, "{} {}", sample.key, number(sample.value));
            }
        }
        out
    }
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_whole_whatever_the_order() {
        let mut e = Exposition::new();
        e.gauge("b", "B.", &[("x", "1\"\n")], 2.5);
        e.counter("a_total", "A.", &[], 1.0);
        e.counter("a_total", "A.", &[], 2.0);
        e.gauge("b", "B.", &[("x", "2")], f64::NAN);
        e.histogram("h", "H.", &[("k", "v")], &[(0.1, 2), (1.0, 1)], 4, 9.5);
        expect_test::expect![[r#"
            # HELP a_total A.
            # TYPE a_total counter
            a_total 1
            # HELP b B.
            # TYPE b gauge
            b{x="1\"\n"} 2.5
            b{x="2"} NaN
            # HELP h H.
            # TYPE h histogram
            h_bucket{k="v",le="0.1"} 2
            h_bucket{k="v",le="1"} 3
            h_bucket{k="v",le="+Inf"} 7
            h_sum{k="v"} 9.5
            h_count{k="v"} 7
        "#]]
        .assert_eq(&e.finish());
    }
}
