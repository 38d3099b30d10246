#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use grid_decode::DecodeContext;
use grid_decode::exposition::{Format, decode_page};
use grid_model::series::def_of_key;
use grid_model::time::SECOND_NS;
use grid_scrape_config::Config;

use super::*;

const START: i64 = 1_767_225_600 * SECOND_NS;

struct Target {
    job: ScrapeConfig,
    labels: LabelMap,
    ledger: Ledger,
    report: Report,
}

impl Target {
    fn new(job: &str) -> Self {
        let text = format!("scrape_configs:\n- job_name: j\n{job}");
        let job = Config::parse(&text, Path::new("/")).unwrap().jobs.remove(0);
        let labels = [("job", "j"), ("instance", "i")].into_iter().collect();
        Self { job, labels, ledger: Ledger::default(), report: Report::default() }
    }

    /// What is written at a second for a page: `series value`, with `@second` where it has another time, sorted; or the error.
    fn scrape(&mut self, second: i64, page: &str) -> Result<Vec<String>, String> {
        let limits = Limits::default();
        let time = Timestamp(START + second * SECOND_NS);
        let page = decode_page(page.as_bytes(), Format::Prometheus, &DecodeContext { now: time, limits: &limits });
        let rules = Rules { job: &self.job, target: &self.labels, limits: &limits, time };
        self.report = Report::default();
        let decoded = self.ledger.take_page(page, rules, &mut self.report)?;
        Ok(show(&decoded.write, time))
    }

    fn numbers(&self) -> (usize, usize, usize) {
        (self.report.scraped, self.report.kept, self.report.added)
    }
}

fn show(write: &Write, now: Timestamp) -> Vec<String> {
    let names: BTreeMap<u64, String> = write
        .series
        .iter()
        .map(|(id, key)| {
            let labels = def_of_key(key).unwrap().labels;
            let plain = |name: &str| !matches!(name, "__name__" | "job" | "instance");
            let rest: Vec<_> = labels.iter().filter(|(k, _)| plain(k)).map(|(k, v)| format!("{k}={v}")).collect();
            let own = labels.get("job") == Some("j") && labels.get("instance") == Some("i");
            let other = if own { String::new() } else { format!("|{:?}", labels.get("job")) };
            (id.0, format!("{}{{{}}}{other}", labels.metric(), rest.join(",")))
        })
        .collect();
    let mut out = Vec::new();
    for (table, batch) in &write.batches {
        assert_eq!(*table, Table::Samples);
        let ids = batch.column_by_name(samples::SERIES_ID).unwrap().as_primitive::<UInt64Type>();
        let times = batch.column_by_name(samples::TIME).unwrap().as_primitive::<TimestampNanosecondType>();
        let values = batch.column_by_name(samples::VALUE).unwrap().as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let value = values.value(row);
            let value = if is_stale(value) { "stale".to_owned() } else { value.to_string() };
            let time = times.value(row);
            let time = if time == now.nanos() { String::new() } else { format!(" @{}", (time - START) / SECOND_NS) };
            out.push(format!("{} {value}{time}", names[&ids.value(row)]));
        }
    }
    out.sort();
    out
}

#[test]
fn series_come_and_go() {
    let mut t = Target::new("");
    assert_eq!(t.scrape(0, "a 1\nb{x=\"1\"} 2\n").unwrap(), ["a{} 1", "b{x=1} 2"]);
    assert_eq!(t.numbers(), (2, 2, 2));
    assert_eq!(t.scrape(1, "a 1\nc 3\n").unwrap(), ["a{} 1", "b{x=1} stale", "c{} 3"]);
    assert_eq!(t.numbers(), (2, 2, 1));
    assert_eq!(t.scrape(2, "a 1\n").unwrap(), ["a{} 1", "c{} stale"]);
    // A failure makes all stale, once; what comes back is not new.
    let error = t.scrape(3, "a 1\n}{\n").unwrap_err();
    assert!(error.contains("at line or message 2"), "{error}");
    assert_eq!(t.numbers(), (1, 1, 0));
    assert_eq!(show(&t.ledger.take_failure(Timestamp(START)), Timestamp(START)), ["a{} stale"]);
    assert_eq!(show(&t.ledger.take_failure(Timestamp(START)), Timestamp(START)), [""; 0]);
    assert_eq!(t.scrape(4, "a 1\n").unwrap(), ["a{} 1"]);
    assert_eq!(t.numbers(), (1, 1, 0));
    let limits = Limits::default();
    let write = t.ledger.report(&t.report, &t.labels, &limits, Timestamp(START), Write::default());
    assert_eq!(show(&write, Timestamp(START))[4], "up{} 0");
    assert_eq!(show(&t.ledger.end(&t.labels, &limits, Timestamp(START)), Timestamp(START)).len(), 6);
}

#[test]
fn times_of_the_target_are_kept_unless_told_otherwise() {
    let page = format!("a 1 {}\nb 2\n", START / 1_000_000 - 5000);
    let mut t = Target::new("");
    assert_eq!(t.scrape(0, &page).unwrap(), ["a{} 1 @-5", "b{} 2"]);
    // A series with times of its own is not known to be gone.
    assert_eq!(t.scrape(1, "").unwrap(), ["b{} stale"]);
    let mut t = Target::new("  track_timestamps_staleness: true\n");
    t.scrape(0, &page).unwrap();
    assert_eq!(t.scrape(1, "").unwrap(), ["a{} stale", "b{} stale"]);
    let mut t = Target::new("  honor_timestamps: false\n");
    assert_eq!(t.scrape(0, &page).unwrap(), ["a{} 1", "b{} 2"]);
    assert_eq!(t.scrape(1, "").unwrap(), ["a{} stale", "b{} stale"]);
}

#[test]
fn the_first_of_two_samples_counts() {
    let mut t = Target::new("  metric_relabel_configs: [{action: labeldrop, regex: x}]\n");
    assert_eq!(t.scrape(0, "a{x=\"1\"} 1\na{x=\"2\"} 2\n").unwrap(), ["a{} 1"]);
    assert_eq!(t.numbers(), (2, 2, 2));
    // As long as one of them is left, the series is.
    assert_eq!(t.scrape(1, "a{x=\"2\"} 2\n").unwrap(), ["a{} 2"]);
    assert_eq!(t.scrape(2, "").unwrap(), ["a{} stale"]);
}

#[test]
fn relabelling_and_limits() {
    let mut t = Target::new("  metric_relabel_configs: [{action: drop, source_labels: [__name__], regex: b.*}]\n");
    assert_eq!(t.scrape(0, "a 1\nb 2\nbb 3\n").unwrap(), ["a{} 1"]);
    assert_eq!(t.numbers(), (3, 1, 1));
    let mut t = Target::new("  sample_limit: 2\n");
    assert!(t.scrape(0, "a 1\nb 2\n").is_ok());
    assert!(t.scrape(1, "a 1\nb 2\nc 3\n").unwrap_err().contains("sample_limit 2"));
    assert_eq!(t.numbers(), (3, 3, 1));
    let mut t = Target::new("  label_limit: 3\n");
    assert!(t.scrape(0, "a 1\n").is_ok());
    assert!(t.scrape(1, "a{x=\"1\"} 1\n").unwrap_err().contains("label_limit is 3"));
    let mut t = Target::new("  metric_relabel_configs: [{action: labeldrop, regex: __name__}]\n");
    assert!(t.scrape(0, "a 1\n").unwrap_err().contains("no metric name"));
    let mut t = Target::new("  honor_labels: true\n");
    assert_eq!(t.scrape(0, "a{job=\"x\"} 1\nb{job=\"\"} 1\n").unwrap(), ["a{}|Some(\"x\") 1", "b{}|None 1"]);
}

#[test]
fn only_the_series_beyond_grids_own_bounds_are_lost() {
    let mut t = Target::new("");
    let page = format!("a 1\nb{{l=\"{}\"}} 1\nc 1 {}\n", "v".repeat(5000), START / 1_000_000 + 48 * 3_600_000);
    assert_eq!(t.scrape(0, &page).unwrap(), ["a{} 1"]);
}
