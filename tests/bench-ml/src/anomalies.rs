//! The streaming detector on NAB and on Microsoft's cloud monitoring data.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use grid_decode::points::{self, Point};
use grid_ml::detect::{Detector, Tier};
use grid_ml::score;

use crate::nab::{self, FEW_FALSE, FEW_MISSED, STANDARD, Scored};
use crate::{Line, mean};

/// Buffer of the ranking score, in points.
const BUFFER: usize = 20;
/// The same for the windows of NAB, which are a tenth of a series.
const WINDOW_BUFFER: usize = 100;
const WEEK_NS: f64 = 7.0 * 86_400.0 * 1e9;

pub(crate) fn run(data: &Path) -> anyhow::Result<Vec<Line>> {
    let Numenta { standard, few_false, few_missed, fixed, volume, speed, differing, count } =
        numenta(&data.join("nab"))?;
    let cloud = cloud(&data.join("ms_cloud_monitoring/data"))?;
    Ok(vec![
        Line {
            id: "ml_nab",
            data: "NAB, development part",
            measure: "standard / low-FP / low-FN; at the fixed threshold; points per second",
            grid: format!("{standard:.1} / {few_false:.1} / {few_missed:.1}; {fixed:.1}; {speed:.0}"),
            bar: ">= 58.3 (stretch 70.2)",
            holds: standard >= 58.3,
            published: "ARTime 74.9, Numenta 70.1, CAD OSE 69.9, Skyline 58.2, RCF 51.7",
        },
        Line {
            id: "ml_nab_ranking",
            data: "NAB, development part (not the 14 files of TSB-AD)",
            measure: "VUS-PR, windows as labels",
            grid: format!("{volume:.3}"),
            bar: ">= .331 (stretch .376), of the 14 files",
            holds: volume >= 0.331,
            published: "of the 14 files: POLY .376, spectral residual .166",
        },
        Line {
            id: "ml_replay",
            data: "NAB, development part",
            measure: "series judged again with a checkpoint and a restart in the middle: scores that differ in a bit",
            grid: format!("{differing} of {count} points"),
            bar: "0",
            holds: differing == 0 && count > 0,
            published: "",
        },
        Line {
            id: "ml_cloud_monitoring",
            data: "cloud monitoring, development part",
            measure: "VUS-PR; AP; alerts per series-week, event recall",
            grid: format!(
                "{:.3}; {:.3}; {:.2} false, {:.2} found",
                cloud.volume, cloud.precision, cloud.false_per_week, cloud.recall
            ),
            bar: ">= .65; >= .58; <= 1 at recall >= .7",
            holds: cloud.volume >= 0.65
                && cloud.precision >= 0.58
                && cloud.false_per_week <= 1.0
                && cloud.recall >= 0.7,
            published: "spectral residual (offline) .658, .564; causal rolling MAD .570, .505",
        },
    ])
}

/// Scores and alerts, point by point.
fn judge(points: &[Point]) -> (Vec<f64>, Vec<bool>) {
    let mut detector = Detector::new(Tier::Thorough);
    points.iter().map(|p| detector.push(p.time, p.value)).map(|v| (v.score, v.anomaly)).unzip()
}

/// How many scores or alerts differ in a bit from those of a detector that goes on from a checkpoint of the middle.
fn differing(points: &[Point], scores: &[f64], alerts: &[bool]) -> anyhow::Result<usize> {
    let mut detector = Detector::new(Tier::Thorough);
    let mut count = 0;
    for (n, point) in points.iter().enumerate() {
        if n == points.len() / 2 {
            detector = Detector::restore(&detector.checkpoint())?;
        }
        let verdict = detector.push(point.time, point.value);
        count += usize::from(verdict.score.to_bits() != scores[n].to_bits() || verdict.anomaly != alerts[n]);
    }
    Ok(count)
}

/// What came of NAB.
struct Numenta {
    standard: f64,
    few_false: f64,
    few_missed: f64,
    /// The standard profile at the threshold of alerts.
    fixed: f64,
    volume: f64,
    /// Points per second.
    speed: f64,
    /// Scores that differ after a restart in the middle, of how many.
    differing: usize,
    count: usize,
}

fn numenta(root: &Path) -> anyhow::Result<Numenta> {
    let labels = fs::read(root.join("labels/combined_windows.json")).context("windows of NAB")?;
    let labels: serde_json::Value = serde_json::from_slice(&labels)?;
    let (mut files, mut fixed, mut volumes, mut count) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut again = 0;
    let mut judging = Duration::ZERO;
    for (name, windows) in labels.as_object().into_iter().flatten() {
        let Ok(file) = fs::File::open(root.join("data").join(name)) else { continue };
        let points = points::read(file).with_context(|| name.clone())?;
        // The labels write times as the files do, with fractions.
        let at = |time: &serde_json::Value| {
            let text = time.as_str().unwrap_or_default();
            points.iter().position(|p| text.starts_with(&*p.written))
        };
        let pairs = windows.as_array().into_iter().flatten();
        let windows: Vec<_> = pairs.filter_map(|pair| Some(at(&pair[0])?..=at(&pair[1])?)).collect();
        count += points.len();
        let started = Instant::now();
        let (scores, alerts) = judge(&points);
        judging += started.elapsed();
        again += differing(&points, &scores, &alerts)?;
        let labels: Vec<bool> =
            (0..points.len()).map(|at| windows.iter().any(|w: &RangeInclusive<usize>| w.contains(&at))).collect();
        volumes.extend(score::volume(&labels, &scores, WINDOW_BUFFER));
        fixed.push(Scored {
            scores: alerts.iter().map(|a| f64::from(u8::from(*a))).collect(),
            windows: windows.clone(),
        });
        files.push(Scored { scores, windows });
    }
    let of = |profile| nab::score(&files, profile);
    Ok(Numenta {
        standard: of(STANDARD),
        few_false: of(FEW_FALSE),
        few_missed: of(FEW_MISSED),
        fixed: nab::score(&fixed, STANDARD),
        volume: mean(volumes),
        speed: count as f64 / judging.as_secs_f64(),
        differing: again,
        count,
    })
}

/// What came of the cloud monitoring data.
struct Cloud {
    volume: f64,
    precision: f64,
    false_per_week: f64,
    recall: f64,
}

fn cloud(root: &Path) -> anyhow::Result<Cloud> {
    let (mut volumes, mut precisions) = (Vec::new(), Vec::new());
    let (mut events, mut found, mut wrong, mut weeks) = (0, 0, 0, 0.0);
    let folders = fs::read_dir(root).context("cloud monitoring data")?;
    let mut files: Vec<_> = folders.flatten().filter_map(|f| fs::read_dir(f.path()).ok()).flatten().flatten().collect();
    files.sort_by_key(|f| f.path());
    for path in files.iter().map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "csv")) {
        let bytes = fs::read(&path)?;
        let points = points::read(bytes.as_slice()).with_context(|| path.display().to_string())?;
        let labels: Vec<bool> = csv::Reader::from_reader(bytes.as_slice())
            .records()
            .map(|r| r.is_ok_and(|r| r.get(2).is_some_and(|label| label.trim() == "1")))
            .collect();
        anyhow::ensure!(labels.len() == points.len(), "{}: labels do not fit", path.display());
        let (scores, alerts) = judge(&points);
        volumes.extend(score::volume(&labels, &scores, BUFFER));
        precisions.extend(score::average_precision(&labels, &scores));
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            weeks += (last.time.0 - first.time.0) as f64 / WEEK_NS;
        }
        let of_file = score::alerts(&labels, &alerts);
        events += of_file.events;
        found += of_file.found;
        wrong += of_file.wrong;
    }
    Ok(Cloud {
        volume: mean(volumes),
        precision: mean(precisions),
        false_per_week: wrong as f64 / weeks,
        recall: found as f64 / events.max(1) as f64,
    })
}
