//! Progress of long work, on stderr: a bar if a person watches. Rows are told of in plain lines if none does, since a log of an hour's
//! import should show that it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::out;

const TICK: Duration = Duration::from_millis(120);

/// A bar over a known number of bytes.
pub(crate) fn bytes(total: u64, what: &str) -> ProgressBar {
    let template = "{msg:24} {bar:32} {bytes:>10} of {total_bytes:10} {binary_bytes_per_sec:>12} {eta}";
    bar(Some(total), template, what)
}

/// A bar over a known number of things.
pub(crate) fn steps(total: u64, what: &str) -> ProgressBar {
    bar(Some(total), "{msg:24} {bar:32} {pos:>7} of {len:7} {elapsed}", what)
}

/// How often a line tells of rows when nobody watches a bar.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress over bytes and the rows found in them.
#[derive(Clone)]
pub(crate) struct Rows {
    bar: ProgressBar,
    total_bytes: u64,
    started: Instant,
    rows: Arc<AtomicU64>,
    /// Seconds since the start at which the last line was written.
    told: Arc<AtomicU64>,
    what: &'static str,
}

/// A bar over a known number of bytes that also shows rows per second.
pub(crate) fn rows(total_bytes: u64, what: &'static str) -> Rows {
    let template = "{prefix:8} {bar:24} {bytes:>10} of {total_bytes:10} {msg} {eta}";
    let bar = bar(Some(total_bytes), template, "");
    bar.set_prefix(what);
    let zero = || Arc::new(AtomicU64::new(0));
    Rows { bar, total_bytes, started: Instant::now(), rows: zero(), told: zero(), what }
}

impl Rows {
    /// So many more bytes.
    pub(crate) fn bytes(&self, n: u64) {
        self.bar.inc(n);
    }

    /// So many more rows.
    pub(crate) fn rows(&self, n: u64) {
        let rows = self.rows.fetch_add(n, Ordering::Relaxed) + n;
        let seconds = self.started.elapsed().as_secs_f64();
        let speed = (rows as f64 / seconds.max(0.001)) as u64;
        let (rows, speed) = (crate::unit::show_count(rows), crate::unit::show_count(speed));
        if out::is_watched() {
            self.bar.set_message(format!("{rows} rows, {speed} rows/s"));
            return;
        }
        let (now, told) = (seconds as u64, self.told.load(Ordering::Relaxed));
        if now >= told + LINE_EVERY.as_secs() {
            self.told.store(now, Ordering::Relaxed);
            let percent = (self.bar.position() as f64 * 100.0 / self.total_bytes.max(1) as f64).min(100.0);
            out::say(&format!("{}: {rows} rows, {speed} rows/s, {percent:.0}%", self.what));
        }
    }

    /// The work is done.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn bar(total: Option<u64>, template: &str, what: &str) -> ProgressBar {
    let target = if out::is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target);
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
