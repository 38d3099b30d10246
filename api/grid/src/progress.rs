//! Progress of long work, on stderr, and only if a person watches.

use std::time::Duration;

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

fn bar(total: Option<u64>, template: &str, what: &str) -> ProgressBar {
    let target = if out::is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target);
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
