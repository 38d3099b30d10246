//! Expressions over series of every kind that Prometheus knows, and what must hold of every answer.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use grid_promql::points::Grid;
use grid_promql::query::{Answer, Options, Value, evaluate};
use grid_promql::samples::{MemorySource, Samples};
use grid_promql::{Error, Labels};
use grid_promql_syntax::{Features, parse};
use grid_promql_test::command::At;
use grid_promql_test::{Target, run};

/// After so long a query is ended, as a deadline would end it.
const LONG: Duration = Duration::from_secs(2);

/// Evaluates what the input says: three bytes of steps, then an expression.
pub fn check_answer(data: &[u8]) {
    let Some(([start, step, steps], text)) = data.split_first_chunk::<3>().map(|(head, rest)| (*head, rest)) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(expr) = parse(text, &Features::ALL) else { return };
    let start = i64::from(start) * 2_500;
    let step = i64::from(step) * 777 + 1;
    let grid = Grid { start, end: start + step * i64::from(steps % 8), step };
    let options = Options {
        memory_bytes: 32 << 20,
        delayed_name_removal: data[2] & 64 != 0,
        start_timestamps: data[2] & 128 != 0,
        ..Options::default()
    };
    let began = Instant::now();
    let interrupt = || if began.elapsed() > LONG { Err(Error::Timeout) } else { Ok(()) };
    match evaluate(text, &expr, grid, &options, &*SOURCE, &interrupt) {
        Ok(answer) => check_value(&answer.value, grid),
        Err(e) => assert!(!e.to_string().is_empty(), "an error without a reason"),
    }
}

fn check_value(value: &Value, grid: Grid) {
    match value {
        Value::Text(_) => {}
        Value::Scalar(values) => assert_eq!(values.len(), grid.len(), "a number at each step"),
        Value::Series(all) => {
            // At each step the labels of a sample are its own.
            let mut seen = BTreeSet::new();
            for series in all {
                let mut last = None;
                for (step, _) in series.points.iter() {
                    assert!(step < grid.len() && last < Some(step), "steps ascend within the grid");
                    last = Some(step);
                    assert!(
                        seen.insert((step, series.labels.key().to_vec())),
                        "two samples of one step have the labels {:?}",
                        series.labels
                    );
                }
            }
        }
        Value::Ranges(all) => {
            for (_, samples) in all {
                assert_eq!(samples.times.len(), samples.values.len());
                assert!(samples.times.is_sorted_by(|a, b| a < b), "times ascend");
            }
        }
    }
}

/// A target that keeps what is loaded.
struct Loaded(MemorySource);

impl Target for Loaded {
    fn clear(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn load(&mut self, series: &[(Labels, Samples)]) -> Result<(), String> {
        self.0.series.extend_from_slice(series);
        Ok(())
    }

    fn evaluate(&mut self, _: &str, _: At) -> Result<Answer, String> {
        Err("only series are loaded".to_owned())
    }
}

static SOURCE: LazyLock<MemorySource> = LazyLock::new(|| {
    let mut loaded = Loaded(MemorySource::default());
    run(SERIES, &mut loaded).expect("the series are well-formed");
    loaded.0
});

/// Every 15 s from 0: counters with resets, gaps and stale markers, classic and native histograms, numbers that are none.
const SERIES: &str = r#"
load 15s
  requests_total{job="api",instance="a"} 0+3x11 1+4x11
  requests_total{job="api",instance="b"} 0+7x6 _x4 stale 9+1x11
  requests_total{job="db",instance="a"} 5 _x20 8 9 10
  up{job="api",instance="a"} 1x23
  up{job="api",instance="b"} 1 1 0 1 0 stale _x5 1x11
  target_info{job="api",instance="a",version="1.2"} 1x23
  target_info{job="db",instance="a",version="2"} 1x9 stale
  latency_bucket{job="api",le="0.1"} 0+1x23
  latency_bucket{job="api",le="1"} 0+2x23
  latency_bucket{job="api",le="10"} 0+2x20 1 2 3
  latency_bucket{job="api",le="+Inf"} 0+4x23
  latency_bucket{job="api",le="odd"} 0+4x23
  odd{a="\u00e9"} NaN Inf -Inf -0 1.7976931348623157e308 5e-324 -1e-300 1x16
  sizes{job="api"} {{schema:1 count:6 sum:20 z_bucket:1 z_bucket_w:0.001 buckets:[1 2 1] n_buckets:[1]}}+{{schema:1 count:3 sum:9 buckets:[1 1 1]}}x12 {{schema:1 count:1 sum:1 buckets:[1]}}x10
  sizes{job="db"} {{schema:-2 count:4 sum:3 offset:-1 buckets:[2 2]}}x22
  custom {{schema:-53 count:6 sum:4 custom_values:[-1 0.5 2] buckets:[1 2 3]}}+{{schema:-53 count:1 sum:1 custom_values:[-1 0.5 2] buckets:[0 1 0]}}x22
  mixed 1 2 {{schema:0 count:3 sum:3 buckets:[1 2]}} 4 stale {{schema:3 count:3 sum:3 buckets:[1 2]}} 7x16
"#;
