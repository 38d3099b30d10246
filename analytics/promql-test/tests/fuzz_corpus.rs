//! Every input that fuzzing kept for PromQL must still be parsed and evaluated without a panic; and where those corpora's first inputs come from.
//!
//! `GRID_WRITE_FUZZ_SEEDS=1 cargo test --test fuzz_corpus` writes the seeds anew; fuzzing then adds to them.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use grid_promql::points::Grid;
use grid_promql::query::{Options, evaluate};
use grid_promql::samples::MemorySource;
use grid_promql_syntax::{Features, parse};

const EXPRESSIONS: [&str; 60] = [
    "1",
    "-0.5e3 ^ 2 ^ -1 % 3",
    "\"text\"",
    "up",
    "{__name__=~\"up|odd\", job!=\"x\", instance!~\"z.*\"}",
    "{\"quoted name\", 'a b'='c'}",
    "up[5m] offset -1m",
    "up @ 60.5 offset 5s",
    "up[1m] @ end()",
    "rate(requests_total[1m])",
    "increase(requests_total[2m:15s])",
    "irate(requests_total[1m30s])",
    "delta(odd[2m]) + idelta(odd[2m])",
    "resets(requests_total[5m]) * changes(up[5m])",
    "deriv(requests_total[2m])",
    "predict_linear(requests_total[2m], 3600)",
    "double_exponential_smoothing(requests_total[2m], 0.5, 0.5)",
    "sum by (job) (rate(requests_total[1m]))",
    "avg without (instance) (up)",
    "count_values(\"v\", up)",
    "quantile by (job) (0.5, requests_total)",
    "topk(2, requests_total) or bottomk(1, up)",
    "limitk(1, up) and limit_ratio(-0.5, up)",
    "stddev(odd) / stdvar(odd)",
    "group(up) unless min(up) and max(up)",
    "histogram_quantile(0.9, sum by (le) (rate(latency_bucket[1m])))",
    "histogram_quantile(0.5, sizes)",
    "histogram_fraction(0, 2, rate(sizes[1m]))",
    "histogram_count(sizes) + histogram_sum(sizes) / histogram_avg(sizes)",
    "histogram_stddev(sizes) * histogram_stdvar(custom)",
    "sum(sizes) - avg(sizes)",
    "sizes + on (job) group_left () up",
    "sizes * 2 / -3",
    "up == bool on (job, instance) target_info",
    "requests_total / on (job) group_left (version) target_info",
    "requests_total > 3 < bool 5",
    "up * ignoring (instance) group_right () up",
    "info(requests_total, {version=~\".+\"})",
    "label_replace(up, \"a\", \"$1-$n\", \"job\", \"(?P<n>.).*\")",
    "label_join(up, \"a\", \"-\", \"job\", \"instance\")",
    "absent(nothing{a=\"b\"}) or absent_over_time(nothing[1m])",
    "avg_over_time(odd[1m]) + sum_over_time(mixed[1m])",
    "min_over_time(odd[1m]) or max_over_time(odd[1m])",
    "quantile_over_time(0.9, odd[2m]) - mad_over_time(odd[2m])",
    "stddev_over_time(odd[2m]) / stdvar_over_time(odd[2m])",
    "last_over_time(mixed[1m]) or first_over_time(mixed[1m])",
    "count_over_time(mixed[1m]) + present_over_time(mixed[1m])",
    "ts_of_max_over_time(odd[2m]) - ts_of_min_over_time(odd[2m])",
    "sort_desc(up) or sort_by_label(up, \"job\", \"instance\")",
    "clamp(odd, -1, 1) + clamp_min(odd, 0) + clamp_max(odd, 9)",
    "round(odd, 0.1) + ceil(odd) + floor(odd) + abs(odd) + sgn(odd)",
    "exp(odd) + ln(odd) + log2(odd) + log10(odd) + sqrt(odd)",
    "sin(odd) + cosh(odd) + tanh(odd) + deg(odd) + pi()",
    "odd atan2 odd",
    "day_of_week(timestamp(up)) + days_in_month() + hour(vector(time()))",
    "scalar(up) + vector(1) + minute()",
    "max_over_time(sum(rate(requests_total[1m]))[2m:10s])",
    "rate(requests_total[1m] smoothed) + rate(requests_total[1m] anchored)",
    "requests_total + fill (0) up",
    "rate(requests_total[step() * 4 + 15s])",
];

/// What the fuzz target puts before an expression: where the steps begin, how far apart they are, how many there are.
const STEPS: [u8; 3] = [60, 20, 3];

#[test]
fn every_kept_input_is_still_answered() {
    let write = std::env::var_os("GRID_WRITE_FUZZ_SEEDS").is_some();
    for (target, head) in [("promql_parse", 0), ("promql_eval", STEPS.len())] {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        if write {
            std::fs::create_dir_all(&corpus).unwrap();
            for (i, expression) in EXPRESSIONS.iter().enumerate() {
                let seed = [&STEPS[..head], expression.as_bytes()].concat();
                std::fs::write(corpus.join(format!("seed-{i}")), seed).unwrap();
            }
        }
        let mut inputs = 0;
        for entry in std::fs::read_dir(&corpus).unwrap_or_else(|e| panic!("no corpus of {target}: {e}")) {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            inputs += 1;
            let text = String::from_utf8_lossy(bytes.get(head..).unwrap_or_default());
            let Ok(expr) = parse(&text, &Features::ALL) else { continue };
            let grid = Grid { start: 0, end: 3000, step: 1000 };
            let options = Options { memory_bytes: 32 << 20, ..Options::default() };
            let _ = evaluate(&text, &expr, grid, &options, &MemorySource::default(), &|| Ok(()));
        }
        assert!(inputs > 0, "the corpus of {target} is empty");
    }
}

/// What the fuzzer starts from is in the language.
#[test]
fn the_first_inputs_parse() {
    let wrong: Vec<String> =
        EXPRESSIONS.iter().filter_map(|e| Some(format!("{e}: {}", parse(e, &Features::ALL).err()?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
